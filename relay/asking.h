// What whoever reads the directory does for relay: it is asked, and told who has mail.
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

}  // namespace postern::relay
