// What the double's SOAP operations answer: a world in the words of the primary's older web services.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace postern::tests::soap {

using Json = nlohmann::json;

struct Result {
    bool success = true;
    int code = 0;
    std::string message;
    std::string payload;  // XML after the first three fields
    bool login = false;   // it answers a login: LoginValidated in place of Result
};

/// `parameters`: by their exact names, texts or lists of texts; the credentials have been checked.
Result perform(const std::string& service, const std::string& operation, const Json& parameters,
               const Json& world, const Json& switches);

std::string escape(const std::string& text);

}  // namespace postern::tests::soap
