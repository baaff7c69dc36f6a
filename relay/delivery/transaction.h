// The client's side of one mail transaction as a state machine without I/O (RFC 5321 §3.3, RFC 2920).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/message.h"
#include "relay/mail/reply.h"
#include "relay/queue/queue.h"

namespace postern::relay {

/// What a server offered in its reply to EHLO.
struct Extensions {
    bool pipelining = false, eight_bit = false, starttls = false, size = false, dsn = false, utf8 = false,
         require_tls = false;
    std::uint64_t size_limit = 0;   // bytes, 0 for none
    std::vector<std::string> auth;  // mechanisms, upper case, at most 50
    // RFC 9422, 0 for no limit.
    unsigned recipients_max = 0;    // of a transaction
    unsigned transactions_max = 0;  // of a session
};
Extensions parse_extensions(const Reply& ehlo);

/// Alternate between sending `to_send()`, then the content when `wants_content()`, and feeding one reply with
/// `on_reply()`, until `done()`.
class Transaction {
public:
    /// `reset`: RSET goes first, because the one before left something open.
    struct Options {
        bool reset = false;
        bool rewritten = true;  // the reverse-path is told as Envelope::sent_as has it, if it does
    };
    Transaction(const Message& message, std::vector<std::uint16_t> recipients, const Extensions& extensions,
                Options options);

    bool done() const { return at_ == At::done; }
    std::string to_send();  // "" when a reply is expected first
    bool wants_content() const { return at_ == At::content; }
    /// The content and its final dot are on their way. Nothing but the dot, when no recipient was accepted
    /// although the server asks for content (RFC 2920 §3.1).
    void content_sent();
    bool discard() const { return accepted_ == 0; }

    void on_reply(Reply reply);
    /// The connection failed; `reason` in words. Whoever has no outcome yet is deferred.
    void lost(const std::string& reason);

    const char* stage() const;                   // where it is, or was when it was lost
    bool answered() const { return answered_; }  // at least one reply came
    bool usable() const { return usable_; }      // the connection can carry another transaction
    bool needs_reset() const { return needs_reset_; }
    std::vector<Outcome>& outcomes() { return outcomes_; }  // one per recipient

private:
    enum class At : std::uint8_t { rset, mail, rcpt, data, content, dot, done };

    void refuse_all(const Reply& reply, const char* stage);
    void settle(std::size_t recipient, const Reply& reply, const char* stage);
    void broken(const std::string& reason);
    void next_recipient();
    std::string mail_command() const;
    std::string rcpt_command(std::size_t recipient) const;

    const Message& message_;
    std::vector<std::uint16_t> recipients_;  // indexes into Envelope::forward_paths
    Extensions extensions_;
    Options options_;
    std::vector<Outcome> outcomes_;
    std::vector<bool> open_;     // has no outcome yet
    std::size_t recipient_ = 0;  // whose reply is next
    std::size_t accepted_ = 0;
    At at_ = At::mail;
    bool written_ = false;  // the command(s) whose replies are expected are out
    bool mail_refused_ = false, usable_ = true, needs_reset_ = false, answered_ = false;
};

}  // namespace postern::relay
