#include "sync/primary/connection_settings.h"

#include <algorithm>
#include <stdexcept>

namespace postern::sync {

BaseUrl base_url(const PrimarySettings& settings) {
    std::optional<BaseUrl> url = BaseUrl::parse(settings.url);
    if (!url) throw std::invalid_argument("not an http or https URL: " + settings.url);
    return *url;
}

HttpSettings http_settings(const PrimarySettings& settings) {
    HttpSettings http;
    http.ca_file = settings.ca_file;
    http.verify_tls = settings.verify_tls;
    http.gap = settings.gap;
    http.total = settings.patience;
    http.connect = std::min(http.connect, settings.patience / 2);
    return http;
}

}  // namespace postern::sync
