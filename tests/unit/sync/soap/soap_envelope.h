// SOAP replies for tests, made by hand.
#pragma once

#include <string>

#include "sync/soap/soap_reply.h"

namespace postern::tests {

inline std::string envelope(const std::string& content) {
    return "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
           "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" "
           "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soap:Body>" +
           content + "</soap:Body></soap:Envelope>";
}

inline std::string result(const std::string& operation, const std::string& fields) {
    return envelope("<" + operation + "Response xmlns=\"http://tempuri.org/\"><" + operation + "Result>" +
                    fields + "</" + operation + "Result></" + operation + "Response>");
}

inline std::string good(const std::string& operation, const std::string& payload) {
    return result(operation, "<Result>true</Result><ResultCode>0</ResultCode><Message />" + payload);
}

inline std::string bad(const std::string& operation, const std::string& message, int code = -1) {
    return result(operation, "<Result>false</Result><ResultCode>" + std::to_string(code) +
                                 "</ResultCode><Message>" + message + "</Message>");
}

inline sync::soap::Reply reply(std::string body, int status = 200) {
    return {status, std::move(body), std::nullopt};
}

}  // namespace postern::tests
