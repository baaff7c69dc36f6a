// The server's side of the SMTP dialogue as a state machine without I/O (RFC 5321 §3, §4.1.4).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

#include "relay/mail/message.h"
#include "relay/mail/reply.h"
#include "relay/reception/command.h"
#include "relay/reception/refusal.h"

namespace postern::relay {

constexpr std::size_t envelope_octets_max = 16 << 20;  // of one envelope in memory

struct ProtocolOptions {
    std::string hostname;
    std::uint64_t message_size = 0;       // bytes, offered as SIZE
    Rule size_rule = Rule::message_size;  // that refuses a larger one
    unsigned recipients = 1000;           // per message, then 452 4.5.3
    unsigned protocol_errors = 10;        // then 421
    bool offer_starttls = false;
    bool require_starttls = false;  // 530 to MAIL in clear text
};

/// Of one session. Whoever feeds it a line does what the Step says, tells it what came of that, and sends
/// the answer.
class ServerProtocol {
public:
    enum class Action : std::uint8_t {
        reply,          // send `answer`, read on
        ask_sender,     // decide about `address`, send that, tell `sender()`
        ask_recipient,  // decide about `address`, send that, tell `recipient()`
        ask_data,       // admission again, send what `data()` returns; on 354 read content, `content_done()`
        start_tls,      // send `answer`, do the handshake, tell `secured()`
        close,          // send `answer`, close
    };
    struct Step {
        Action action = Action::reply;
        Decision answer;
        Address address;  // that it is about; null when it is about none
    };

    explicit ServerProtocol(ProtocolOptions options, bool secure);

    Reply greeting() const;
    Step line(std::string_view line);
    Step line_too_long();
    /// What is answered to something refused that counts as an error: `refusal`, or 421 when it was one too
    /// many.
    Step error(Decision refusal, Address address = {});

    /// 250, or a refusal. `sent_as`: see Envelope.
    void sender(const Reply& decision, Address sent_as = {});
    /// 250, or a refusal. `instead`: where mail for the path goes really; null: to the path itself. A path
    /// that is in the envelope already is not added again.
    void recipient(const Reply& decision, Address instead = {});
    /// What the envelope takes in memory, about; and what it would with the recipient that is being decided.
    std::size_t envelope_octets() const { return envelope_octets_; }
    std::size_t envelope_octets_with_it() const;
    Reply data(Reply admission);  // 250 becomes 354
    /// The transaction is over, whatever came of it; the envelope is cleared (RFC 5321 §4.1.1.4).
    void content_done();
    void secured();  // after STARTTLS all that was said is forgotten (RFC 3207 §4.2)

    const Envelope& envelope() const { return envelope_; }
    /// When the content is there: nothing more is asked about it.
    Envelope take_envelope() { return std::move(envelope_); }
    const std::string& helo() const { return helo_; }
    bool extended() const { return extended_; }
    bool secure() const { return secure_; }
    bool in_transaction() const { return mail_; }
    std::uint64_t declared_size() const {
        return pending_.size.value_or(0);
    }  // of the MAIL that is being decided
    unsigned commands() const { return commands_; }

private:
    Step answer(Reply reply) const;
    Step close(Decision refusal) const { return Step{Action::close, std::move(refusal), {}}; }
    Step mail(Command& command);
    Step hello(const Command& command);
    void reset();

    ProtocolOptions options_;
    std::string helo_;
    Envelope envelope_;
    std::unordered_set<std::string> seen_;  // the forward-paths of the envelope
    std::size_t envelope_octets_ = 0;
    Command pending_;
    bool extended_ = false, secure_ = false, mail_ = false;
    unsigned errors_ = 0, commands_ = 0;
};

}  // namespace postern::relay
