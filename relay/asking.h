// What others do for relay while it runs: the directory is asked, and told who has mail; other gateways are
// asked what they counted.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace postern::relay {

/// Is told of each sender that a primary has mail of.
using NoticeSender = std::function<void(std::string_view local_part, std::string_view domain)>;

/// Asks the primary about one mailbox; `done` is called once, on any thread, after what was learned is
/// published.
using AskDirectory = std::function<void(const std::string& local_part, const std::string& domain,
                                        std::function<void(bool answered)> done)>;

/// Has the other gateways told what senders have used here, and asked about it; `done` is called once, on any
/// thread, after their answers were heard, or when there will be none.
using AskGateways = std::function<void(std::function<void()> done)>;

}  // namespace postern::relay
