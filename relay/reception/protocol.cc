#include "relay/reception/protocol.h"

namespace postern::relay {

ServerProtocol::ServerProtocol(ProtocolOptions options, bool secure)
    : options_(std::move(options)), secure_(secure) {}

Reply ServerProtocol::greeting() const { return Reply{220, {}, options_.hostname + " ESMTP postern"}; }

ServerProtocol::Step ServerProtocol::error(Reply reply) {
    if (++errors_ > options_.protocol_errors)
        return Step{
            Action::close, Reply{421, {4, 7, 0}, options_.hostname + " too many errors, closing"}, {}};
    return answer(std::move(reply));
}

ServerProtocol::Step ServerProtocol::line_too_long() { return error(Reply{500, {5, 5, 6}, "line too long"}); }

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
    if (helo_.empty()) return error(Reply{503, {5, 5, 1}, "say EHLO first"});
    if (mail_) return error(Reply{503, {5, 5, 1}, "a transaction is open; RSET ends it"});
    if (options_.require_starttls && !secure_) return error(Reply{530, {5, 7, 0}, "issue STARTTLS first"});
    if (command.require_tls && !secure_)
        return error(Reply{530, {5, 7, 10}, "REQUIRETLS needs TLS; issue STARTTLS first"});
    if (command.beyond_ascii && !command.utf8)
        return answer(Reply{550, {5, 6, 7}, "an address in UTF-8 needs SMTPUTF8"});
    if (command.size && options_.message_size > 0 && *command.size > options_.message_size)
        return answer(
            Reply{552, {5, 3, 4}, "message larger than " + std::to_string(options_.message_size) + " bytes"});
    pending_ = command;
    return Step{Action::ask_sender, {}, command.address};
}

ServerProtocol::Step ServerProtocol::line(std::string_view line) {
    ++commands_;
    Parsed parsed = parse_command(line);
    Command& command = parsed.command;
    if (command.verb == Verb::foreign)
        return Step{Action::close, Reply{421, {4, 7, 0}, options_.hostname + " this is an SMTP server"}, {}};
    if (parsed.fault) return error(std::move(*parsed.fault));

    switch (command.verb) {
        case Verb::helo:
        case Verb::ehlo: return hello(command);
        case Verb::mail: return mail(command);
        case Verb::rcpt:
            if (!mail_) return error(Reply{503, {5, 5, 1}, "MAIL comes first"});
            if (envelope_.forward_paths.size() >= options_.recipients)
                return answer(
                    Reply{452, {4, 5, 3}, "too many recipients; send the rest in another transaction"});
            if (command.beyond_ascii && !envelope_.utf8)
                return answer(Reply{553, {5, 6, 7}, "an address in UTF-8 needs SMTPUTF8 at MAIL"});
            if (command.address.domain.empty()) command.address.domain = lower(options_.hostname);
            pending_ = command;
            return Step{Action::ask_recipient, {}, command.address};
        case Verb::data:
            if (!mail_) return error(Reply{503, {5, 5, 1}, "MAIL comes first"});
            if (envelope_.forward_paths.empty()) return error(Reply{554, {5, 5, 1}, "no valid recipients"});
            return Step{Action::ask_data, {}, {}};
        case Verb::rset: reset(); return answer(Reply{250, {2, 0, 0}, "ok"});
        case Verb::noop: return answer(Reply{250, {2, 0, 0}, "ok"});
        case Verb::vrfy:
            if (command.beyond_ascii && !command.utf8)
                return answer(Reply{553, {5, 6, 7}, "an address in UTF-8 needs SMTPUTF8"});
            return answer(Reply{252, {2, 5, 0}, "cannot verify, but RCPT will tell"});
        case Verb::help: return answer(Reply{214, {2, 0, 0}, "RFC 5321"});
        case Verb::quit:
            return Step{Action::close, Reply{221, {2, 0, 0}, options_.hostname + " closing"}, {}};
        case Verb::starttls:
            if (secure_) return error(Reply{503, {5, 5, 1}, "TLS is already active"});
            if (!options_.offer_starttls) return error(Reply{502, {5, 5, 1}, "STARTTLS is not offered here"});
            if (mail_) return error(Reply{503, {5, 5, 1}, "not within a transaction"});
            return Step{Action::start_tls, Reply{220, {2, 0, 0}, "ready to start TLS"}, {}};
        case Verb::foreign:
        case Verb::unknown: break;
    }
    return error(Reply{500, {5, 5, 2}, "command not recognized"});
}

Reply ServerProtocol::sender(Reply decision, Address sent_as) {
    if (decision.positive()) {
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
    return decision;
}

Reply ServerProtocol::recipient(Reply decision, Address instead) {
    if (!decision.positive()) return decision;
    Address& path = instead.null() ? pending_.address : instead;
    if (!seen_.insert(path.text()).second) return decision;  // once is enough
    auto& options = envelope_.options;
    if (!options.empty() || pending_.options != RecipientOptions()) {
        options.resize(envelope_.forward_paths.size());
        options.push_back(std::move(pending_.options));
    }
    envelope_.forward_paths.push_back(std::move(path));
    return decision;
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
    seen_.clear();
    envelope_ = Envelope();
}

}  // namespace postern::relay
