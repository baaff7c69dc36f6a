// How far a gateway has heard the others, from one start to the next.
#pragma once

#include <string>
#include <string_view>

#include "sync/base/kept_file.h"

namespace postern::sync {

struct Remembered {
    std::string position;    // of the stream, "" at the first start
    std::string generation;  // of what the server has
    unsigned gateways = 1;   // that there were

    bool operator==(const Remembered&) const = default;
};

std::string encode(const Remembered& remembered);
/// Nothing is remembered in what encode() did not write.
Remembered decode_remembered(std::string_view text);

/// Nothing, where it cannot be read: then the others are asked for all they know.
Remembered recall(const base::StateFolder& kept);
/// False when it could not be kept.
bool keep(const base::StateFolder& kept, const Remembered& remembered);

}  // namespace postern::sync
