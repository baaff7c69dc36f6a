// The client's side of one mail transaction as a state machine without I/O (RFC 5321 §3.3, RFC 2920).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/delivery/meaning.h"
#include "relay/mail/message.h"
#include "relay/mail/reply.h"
#include "relay/queue/job.h"

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
/// `on_reply()`, until `done()`. One thing: which reply is to which command, and so what became of whom, is
/// one order, and where it is lost all of it is in doubt.
class Transaction {
public:
    struct Options {
        bool reset = false;     // RSET goes first, because the one before left something open
        bool rewritten = true;  // the reverse-path is told as Envelope::sent_as has it, if it does
        bool bare = false;      // without DSN parameters and SIZE, which the server offers and does not take
        Before before;          // of the session; the rest is known here
    };
    Transaction(const Message& message, const std::vector<std::uint16_t>& recipients,
                const Extensions& extensions, Options options);

    bool done() const { return done_; }
    std::string to_send();  // "" when a reply is expected first
    bool wants_content() const { return at_ == Stage::content && !done_; }
    /// The content and its final dot are on their way. Nothing but the dot, when no recipient was accepted
    /// although the server asks for content (RFC 2920 §3.1).
    void content_sent();
    bool discard() const { return accepted_ == 0; }

    void on_reply(const Reply& reply);
    /// The connection failed; `reason` in words. Whoever has no outcome yet is deferred.
    void lost(const std::string& reason);
    /// The same when what came is no reply: those before it in the same group are in doubt too.
    void garbled(const std::string& reason);
    /// Nothing is being waited for, and these octets (at least the first) have come. Which reply was to which
    /// command is then not known.
    void unasked(std::string_view octets);
    /// All that was asked is answered: what comes now is unasked.
    bool at_rest() const { return done_ ? usable_ : !written_ || at_ == Stage::content; }

    Stage stage() const { return at_; }          // where it is, or was when it ended
    bool answered() const { return answered_; }  // at least one reply came
    bool taken() const { return taken_; }        // MAIL was
    bool usable() const { return usable_; }      // the connection can carry another transaction
    bool needs_reset() const { return needs_reset_; }
    /// One per recipient. What is deferred may be worth another attempt at once: `meanings` says so.
    std::vector<Outcome> outcomes() const;
    std::vector<Meaning> meanings() const;

private:
    /// Addresses that are the same get the message once.
    struct Recipient {
        std::uint16_t index;  // into Envelope::forward_paths
        bool open = true;     // has no outcome yet
        Outcome outcome;
        Meaning meaning = Meaning::broken;
    };

    Meaning meaning(const Reply& reply, bool parameters = false) const;
    bool ends(const Reply& reply, Meaning meaning);
    void refuse_all(const Reply& reply, Meaning meaning);
    void settle(Recipient& recipient, const Reply& reply, Meaning meaning);
    void abandon(const std::string& reason, Meaning meaning);
    static void reopen(Recipient& recipient);
    void doubt_group();
    void end(bool usable);
    std::optional<Meaning> hear(const Reply& reply, bool parameters = false);
    void on_mail(const Reply& reply);
    void on_recipient(const Reply& reply);
    void on_data(const Reply& reply);
    void on_content(const Reply& reply);
    void on_moot(const Reply& reply);
    std::string mail_command() const;
    std::string rcpt_command(const Recipient& recipient) const;
    bool has_parameters(const Recipient& recipient) const;
    bool has_parameters() const;

    const Message& message_;
    Extensions extensions_;
    Options options_;
    std::vector<Recipient> recipients_;
    std::vector<std::size_t> asked_as_;  // by recipient of the job: which of recipients_ it is
    std::size_t recipient_ = 0;          // whose reply is next
    unsigned accepted_ = 0;
    Stage at_ = Stage::mail;
    bool done_ = false;
    bool written_ = false;  // the command(s) whose replies are expected are out
    bool mail_refused_ = false, taken_ = false, delivered_ = false, usable_ = true, needs_reset_ = false,
         answered_ = false;
};

}  // namespace postern::relay
