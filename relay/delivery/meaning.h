// What a server's reply, or its silence, says, and about whom: the message, its recipient, the session, TLS
// or the host. The one table that transactions, sessions and the choice of a host go by; pure.
#pragma once

#include <cstdint>

#include "relay/mail/reply.h"
#include "relay/mail/stage.h"

namespace postern::relay {

/// What went before, as far as it matters.
struct Before {
    bool reused = false;        // the session has carried a transaction
    bool took = false;          // and taken the MAIL of one
    unsigned recipients = 0;    // granted in this transaction
    bool parameters = false;    // the command has some that can be left out
    bool unproven_tls = false;  // in TLS that nobody demands and that has carried no mail to this host yet
    bool gave_up_tls = false;   // in clear text only because TLS failed
};

enum class Meaning : std::uint8_t {
    go_on,          // as hoped; behind the dot: delivered
    failed,         // a verdict for good, about whom it was said of
    deferred,       // a verdict for now
    too_many,       // the recipients granted are enough for one transaction: the others go in another at once
    bare,           // not with these parameters: at once without them
    session,        // nothing but that this session is over: at once over a fresh one
    clear_text,     // nothing but that TLS does not work with this host: at once without
    broken,         // no verdict, and this session can carry no more: later
    host,           // this host does not want us now: another, or later
    host_for_good,  // it takes no mail at all, or none of ours, and when all say so that is a verdict
};

/// `reply` with code 0: the connection failed instead. Success is go_on; 421 always ends the session,
/// whatever it means.
Meaning meaning_of(Stage stage, const Reply& reply, const Before& before);

}  // namespace postern::relay
