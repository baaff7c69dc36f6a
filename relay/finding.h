// What a trial has found out.
#pragma once

#include <cstdint>
#include <string>

namespace postern::relay {

struct Finding {
    enum class Result : std::uint8_t { ok, warning, failed };
    std::string what;  // "gateway archive", "egress 192.0.2.20", "dns", "port 25"
    Result result = Result::ok;
    std::string text;    // what was seen
    std::string advice;  // what to do about it, "" when all is well
};

}  // namespace postern::relay
