// From the settings of a primary to those of the HTTP client that asks it.
#pragma once

#include "sync/primary/http.h"
#include "sync/settings.h"

namespace postern::sync {

/// Throws std::invalid_argument when `settings.url` is none.
BaseUrl base_url(const PrimarySettings& settings);
HttpSettings http_settings(const PrimarySettings& settings);

}  // namespace postern::sync
