// What the HTTP client brings, as a back end says it: a reply that only shows that the url is wrong is none.
#pragma once

#include "sync/primary/http.h"
#include "sync/primary/primary.h"

namespace postern::sync {

/// Fault::interrupted, unreachable or unreadable.
Result<HttpReply> answer(HttpClient& client, HttpRequest request);

}  // namespace postern::sync
