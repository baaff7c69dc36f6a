// The SOAP side of the double: what svcXxx.asmx below /Services/ does with a request, as a pure function.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace postern::tests::soap {

using Json = nlohmann::json;

struct Request {
    std::string method;
    std::vector<std::string> parts;  // of the path, in lower case
    bool wsdl = false;               // "?wsdl" was asked for
    std::string content_type, action, body;
};

struct Answer {
    int status = 200;
    std::string text;
    std::string type = "text/xml; charset=utf-8";
    bool login_failed = false;
};

/// The request's name in logs and switches: "services/svcuseradmin.asmx/getusers", in lower case; "" when it
/// is none for these services.
std::string target(const Request& request);

Answer answer(const Request& request, const Json& world, const Json& switches);

}  // namespace postern::tests::soap
