// How far the delivery of a message got, or at what it ended.
#pragma once

#include <cstdint>
#include <string_view>

namespace postern::relay {

/// In the order of a session; the later ones are what a server's reply is to, or was due to. Events, the
/// queue's pages and the spool have its text.
enum class Stage : std::uint8_t {
    none,         // ""
    by_operator,  // "operator": an administrator wanted it so
    destination,  // known to be down, so nothing was tried
    dns,          // no host was found
    egress,       // no address of ours may be used
    connect,
    greeting,
    ehlo,
    tls,
    auth,
    rset,  // before a further transaction; told as "mail"
    mail,
    rcpt,
    data,
    content,  // the final dot was not sent
    dot,
};

const char* text_of(Stage stage);
/// What a text stands for; `none` for one that is not among them.
Stage stage_of(std::string_view text);

}  // namespace postern::relay
