#include "relay/security/policy.h"

namespace postern::relay {

namespace {

const char* word(ClientTls tls) {
    switch (tls) {
        case ClientTls::off: return "off";
        case ClientTls::opportunistic: return "opportunistic";
        case ClientTls::required: return "required";
        case ClientTls::verify: return "verify";
        case ClientTls::dane: return "dane";
        case ClientTls::implicit: return "implicit";
    }
    return "";
}

}  // namespace

std::string HostPolicy::text() const {
    return origin.empty() ? word(tls) : std::string(word(tls)) + " (" + origin + ')';
}

}  // namespace postern::relay
