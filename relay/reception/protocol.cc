#include "relay/reception/protocol.h"

#include "relay/reception/command_parser.h"
#include "sync/base/ascii.h"

namespace postern::relay {

ServerProtocol::ServerProtocol(ProtocolOptions options, bool secure)
    : options_(std::move(options)), secure_(secure) {}

Reply ServerProtocol::greeting() const { return Reply{220, {}, options_.hostname + " ESMTP postern"}; }

ServerProtocol::Step ServerProtocol::answer(Reply reply) const {
    Step out;
    out.answer.reply = std::move(reply);
    return out;
}

ServerProtocol::Step ServerProtocol::error(Decision refusal, Address address) {
    if (++errors_ > options_.protocol_errors)
        return close(refuse(Rule::errors, options_.hostname + " too many errors, closing"));
    return Step{Action::reply, std::move(refusal), std::move(address)};
}

ServerProtocol::Step ServerProtocol::line_too_long() { return error(refuse(Rule::line_length)); }

ServerProtocol::Step ServerProtocol::hello(const Command& command) {
    reset();
    helo_ = command.argument;
    extended_ = command.verb == Verb::ehlo;
    if (!extended_) return answer(Reply{250, {}, options_.hostname});
    std::string text = options_.hostname + "\nPIPELINING\nSIZE " + std::to_string(options_.message_size);
    if (options_.offer_starttls && !secure_) text += "\nSTARTTLS";
    text += "\nENHANCEDSTATUSCODES\n8BITMIME\nDSN\nSMTPUTF8";
    if (secure_) text += "\nREQUIRETLS";  // offered inside TLS only (RFC 8689 §2)
    return answer(Reply{250, {}, std::move(text)});
}

ServerProtocol::Step ServerProtocol::mail(Command& command) {
    if (helo_.empty()) return error(refuse(Rule::sequence, "say EHLO first"));
    if (mail_) return error(refuse(Rule::sequence, "a transaction is open; RSET ends it"));
    if (options_.require_starttls && !secure_) return error(refuse(Rule::starttls_first));
    if (command.require_tls && !secure_) return error(refuse(Rule::requiretls));
    auto about = [&command](Decision refusal) {
        return Step{Action::reply, std::move(refusal), std::move(command.address)};
    };
    if (command.beyond_ascii && !command.utf8) return about(refuse(Rule::sender_utf8));
    if (command.size && options_.message_size > 0 && *command.size > options_.message_size)
        return about(refuse(options_.size_rule,
                            "message larger than " + std::to_string(options_.message_size) + " bytes"));
    pending_ = command;
    return Step{Action::ask_sender, {}, command.address};
}

ServerProtocol::Step ServerProtocol::line(std::string_view line) {
    ++commands_;
    Parsed parsed = parse_command(line);
    Command& command = parsed.command;
    if (command.verb == Verb::foreign)
        return close(refuse(Rule::other_protocol, options_.hostname + " this is an SMTP server"));
    if (parsed.fault) return error(std::move(*parsed.fault));

    switch (command.verb) {
        case Verb::helo:
        case Verb::ehlo: return hello(command);
        case Verb::mail: return mail(command);
        case Verb::rcpt:
            if (!mail_) return error(refuse(Rule::sequence, "MAIL comes first"));
            if (envelope_.forward_paths.size() >= options_.recipients)
                return Step{Action::reply, refuse(Rule::recipients), std::move(command.address)};
            if (command.beyond_ascii && !envelope_.utf8)
                return Step{Action::reply, refuse(Rule::recipient_utf8), std::move(command.address)};
            if (command.address.domain.empty()) command.address.domain = base::lower(options_.hostname);
            pending_ = command;
            if (envelope_octets_with_it() > envelope_octets_max)
                return Step{Action::reply, refuse(Rule::envelope_size), std::move(command.address)};
            return Step{Action::ask_recipient, {}, command.address};
        case Verb::data:
            if (!mail_) return error(refuse(Rule::sequence, "MAIL comes first"));
            if (envelope_.forward_paths.empty()) return error(refuse(Rule::no_recipients));
            return Step{Action::ask_data, {}, {}};
        case Verb::rset: reset(); return answer(Reply{250, {2, 0, 0}, "ok"});
        case Verb::noop: return answer(Reply{250, {2, 0, 0}, "ok"});
        case Verb::vrfy:
            if (command.beyond_ascii && !command.utf8)
                return Step{
                    Action::reply, refuse(Rule::recipient_utf8, "an address in UTF-8 needs SMTPUTF8"), {}};
            return answer(Reply{252, {2, 5, 0}, "cannot verify, but RCPT will tell"});
        case Verb::help: return answer(Reply{214, {2, 0, 0}, "RFC 5321"});
        case Verb::quit:
            return Step{
                Action::close, answer(Reply{221, {2, 0, 0}, options_.hostname + " closing"}).answer, {}};
        case Verb::starttls:
            if (secure_) return error(refuse(Rule::sequence, "TLS is already active"));
            if (!options_.offer_starttls) return error(refuse(Rule::no_starttls));
            if (mail_) return error(refuse(Rule::sequence, "not within a transaction"));
            return Step{Action::start_tls, answer(Reply{220, {2, 0, 0}, "ready to start TLS"}).answer, {}};
        case Verb::foreign:
        case Verb::unknown: break;
    }
    return error(refuse(Rule::command));
}

void ServerProtocol::sender(const Reply& decision, Address sent_as) {
    if (!decision.positive()) return;
    mail_ = true;
    envelope_ = Envelope();
    envelope_.reverse_path = std::move(pending_.address);
    envelope_.sent_as = std::move(sent_as);
    envelope_.body = pending_.body;
    envelope_.return_content = pending_.return_content;
    envelope_.envelope_id = std::move(pending_.envelope_id);
    envelope_.utf8 = pending_.utf8;
    envelope_.require_tls = pending_.require_tls;
}

/// Its names are there twice: in the envelope, and in the set that tells whether they are.
std::size_t ServerProtocol::envelope_octets_with_it() const {
    constexpr std::size_t beside = sizeof(Address) + sizeof(RecipientOptions) + 64;
    return envelope_octets_ + beside + 2 * pending_.address.text().size() + pending_.options.original.size();
}

void ServerProtocol::recipient(const Reply& decision, Address instead) {
    if (!decision.positive()) return;
    Address& path = instead.null() ? pending_.address : instead;
    if (!seen_.insert(path.text()).second) return;  // once is enough
    envelope_octets_ = envelope_octets_with_it();
    auto& options = envelope_.options;
    if (!options.empty() || pending_.options != RecipientOptions()) {
        options.resize(envelope_.forward_paths.size());
        options.push_back(std::move(pending_.options));
    }
    envelope_.forward_paths.push_back(std::move(path));
}

Reply ServerProtocol::data(Reply admission) {
    if (!admission.positive()) return admission;
    return Reply{354, {}, "end data with <CR><LF>.<CR><LF>"};
}

void ServerProtocol::content_done() { reset(); }

void ServerProtocol::secured() {
    reset();
    secure_ = true;
    helo_.clear();
    extended_ = false;
}

void ServerProtocol::reset() {
    mail_ = false;
    seen_ = {};
    envelope_ = Envelope();
    envelope_octets_ = 0;
}

}  // namespace postern::relay
