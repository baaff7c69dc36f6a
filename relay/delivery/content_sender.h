// A message's content on its way to a host: trace field, octets, tail, final dot.
#pragma once

#include <asio/any_io_executor.hpp>
#include <chrono>
#include <optional>
#include <string_view>
#include <system_error>

#include "relay/delivery/form.h"
#include "relay/mail/message.h"
#include "relay/net/connection.h"
#include "relay/queue/content.h"

namespace postern::relay {

inline constexpr std::string_view final_dot = ".\r\n";

struct SendingTerms {
    asio::any_io_executor files;   // where files are read
    std::chrono::seconds timeout;  // for each piece
    bool& behind_dot;              // set before the final dot goes out
};

/// Why it was not sent whole: then there was no final dot either.
struct Unsent {
    std::error_code error;              // of the connection
    std::optional<ContentFault> fault;  // of the content
    explicit operator bool() const { return error || fault; }
};

/// Takes the file out of `content`, where it has one.
net::awaitable<Unsent> send_content(net::Connection& connection, SendingTerms terms, const Message& message,
                                    Form& content);

}  // namespace postern::relay
