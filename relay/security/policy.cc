#include "relay/security/policy.h"

namespace postern::relay {

std::string_view in_words(ClientTls tls) {
    switch (tls) {
        case ClientTls::off: return "off";
        case ClientTls::opportunistic: return "opportunistic";
        case ClientTls::required: return "required";
        case ClientTls::verify: return "verify";
        case ClientTls::dane: return "dane";
        case ClientTls::implicit: return "implicit";
    }
    return {};
}

std::string HostPolicy::text() const {
    std::string out(in_words(tls));
    return origin.empty() ? out : out + " (" + origin + ')';
}

}  // namespace postern::relay
