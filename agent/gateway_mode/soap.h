// The older generation of the primary's web services, as its gateway mode uses it: SOAP 1.1 and 1.2 over
// HTTP. Pure functions over bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

namespace postern::agent::soap {

enum class Version : std::uint8_t { v1_1, v1_2 };

/// One call; what the request does not say is empty.
struct Call {
    Version version = Version::v1_1;
    std::string operation;            // at most 64 characters, without its namespace
    std::string user, password;       // AuthUserName, AuthPassword; at most 200 characters each
    std::vector<std::string> wanted;  // reqStats of RequestStatus; at most 64
};

/// The error says in words why this is no call. Namespaces are told apart for the envelope only; no document
/// type is taken.
tl::expected<Call, std::string> parse_call(std::string_view xml);

/// Content-Type of requests and replies.
std::string_view media_type(Version version);

/// GetSpoolMessageCount; more than an xs:int holds is answered with the largest one.
std::string spool_message_count(Version version, std::uint64_t messages);

/// RequestStatus: the pairs as "key=value".
std::string request_status(Version version, const std::vector<std::pair<std::string, std::string>>& pairs);

/// The refusal of an operation in its own shape: Result is false, ResultCode -1.
std::string failure(const Call& call, std::string_view message);

/// A fault of the caller, to be sent with HTTP status 500.
std::string fault(Version version, std::string_view text);

/// What svcServerAdmin.asmx?wsdl gives; `location` is the address to send calls to.
std::string service_description(std::string_view location);

/// The text of config/gateway-mode.wsdl, with LOCATION where the address belongs.
std::string_view description_template();

/// `text` as character data or attribute value; characters XML 1.0 does not allow become '?'.
std::string escaped(std::string_view text);

}  // namespace postern::agent::soap
