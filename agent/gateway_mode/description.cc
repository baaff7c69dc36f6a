// The description of the two operations that are served, for clients that ask for it before they call.
#include "agent/gateway_mode/soap.h"

namespace postern::agent::soap {

std::string service_description(std::string_view location) {
    constexpr std::string_view placeholder = "LOCATION";  // of config/gateway-mode.wsdl
    const std::string place = escaped(location);
    std::string xml;
    std::string_view rest = description_template();
    for (auto at = rest.find(placeholder); at != std::string_view::npos; at = rest.find(placeholder)) {
        xml.append(rest.substr(0, at)).append(place);
        rest.remove_prefix(at + placeholder.size());
    }
    return xml.append(rest);
}

}  // namespace postern::agent::soap
