#include "relay/delivery/transaction.h"

#include <charconv>

namespace postern::relay {

namespace {

constexpr std::size_t mechanisms_max = 50;

void add_mechanisms(std::string_view value, std::vector<std::string>& out) {
    while (!value.empty() && out.size() < mechanisms_max) {
        std::size_t end = value.find(' ');
        std::string name = lower(value.substr(0, end));
        for (char& c : name)
            if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
        if (!name.empty()) out.push_back(std::move(name));
        value = end == std::string_view::npos ? std::string_view() : value.substr(end + 1);
    }
}

/// The number behind `name` in the value of LIMITS; 0 when it is not there, or none.
unsigned limit_of(std::string_view value, std::string_view name) {
    std::string folded = ' ' + lower(value);
    std::size_t at = folded.find(' ' + std::string(name));
    if (at == std::string::npos) return 0;
    const char* from = folded.data() + at + 1 + name.size();
    unsigned out = 0;
    auto [end, error] = std::from_chars(from, folded.data() + folded.size(), out);
    bool whole = end == folded.data() + folded.size() || *end == ' ';
    return error == std::errc() && whole ? out : 0;
}

std::string notify_in_words(const Notify& notify) {
    std::string out;
    for (auto& [wanted, word] :
         {std::pair(notify.success, "SUCCESS"), {notify.failure, "FAILURE"}, {notify.delay, "DELAY"}})
        if (wanted) out += (out.empty() ? "" : ",") + std::string(word);
    return out.empty() ? "NEVER" : out;
}

}  // namespace

Extensions parse_extensions(const Reply& ehlo) {
    Extensions out;
    std::string_view rest = ehlo.text;
    for (bool first = true; !rest.empty(); first = false) {
        std::size_t end = rest.find('\n');
        std::string_view line = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
        if (first) continue;  // the server's name
        std::size_t space = line.find(' ');
        std::string keyword = lower(line.substr(0, space));
        std::string_view value =
            space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
        if (keyword == "pipelining") out.pipelining = true;
        if (keyword == "8bitmime") out.eight_bit = true;
        if (keyword == "starttls") out.starttls = true;
        if (keyword == "dsn") out.dsn = true;
        if (keyword == "smtputf8") out.utf8 = true;
        if (keyword == "requiretls") out.require_tls = true;
        if (keyword == "auth") add_mechanisms(value, out.auth);
        if (keyword == "limits") {
            out.recipients_max = limit_of(value, "rcptmax=");
            out.transactions_max = limit_of(value, "mailmax=");
        }
        if (keyword == "size") {
            out.size = true;
            std::from_chars(value.data(), value.data() + value.size(), out.size_limit);
        }
    }
    return out;
}

Transaction::Transaction(const Message& message, std::vector<std::uint16_t> recipients,
                         const Extensions& extensions, Options options)
    : message_(message),
      recipients_(std::move(recipients)),
      extensions_(extensions),
      options_(options),
      outcomes_(recipients_.size()),
      open_(recipients_.size(), true),
      at_(options.reset ? At::rset : At::mail) {
    if (extensions_.size_limit > 0 && message_.size() > extensions_.size_limit) {
        // No need to ask: the server said at EHLO what it would take (RFC 1870 §6.2).
        refuse_all(Reply{552,
                         {5, 3, 4},
                         "message of " + std::to_string(message_.size()) + " bytes is larger than the " +
                             std::to_string(extensions_.size_limit) + " this server takes"},
                   "mail");
        at_ = At::done;
        needs_reset_ = options.reset;
    }
}

const char* Transaction::stage() const {
    switch (at_) {
        case At::rset:
        case At::mail: return "mail";
        case At::rcpt: return "rcpt";
        case At::data: return "data";
        case At::content: return "content";
        case At::dot: return "dot";
        case At::done: break;
    }
    return "done";
}

std::string Transaction::mail_command() const {
    const Envelope& envelope = message_.envelope;
    bool rewritten = options_.rewritten && !envelope.sent_as.null();
    std::string out = "MAIL FROM:<" + (rewritten ? envelope.sent_as : envelope.reverse_path).text() + ">";
    if (extensions_.size) out += " SIZE=" + std::to_string(message_.size());
    if (extensions_.eight_bit && envelope.body == BodyType::eight_bit) out += " BODY=8BITMIME";
    if (extensions_.utf8 && envelope.utf8) out += " SMTPUTF8";
    if (envelope.require_tls && extensions_.require_tls) out += " REQUIRETLS";
    if (extensions_.dsn) {
        if (envelope.return_content != ReturnContent::unspecified)
            out += envelope.return_content == ReturnContent::full ? " RET=FULL" : " RET=HDRS";
        if (!envelope.envelope_id.empty()) out += " ENVID=" + envelope.envelope_id;
    }
    return out + "\r\n";
}

std::string Transaction::rcpt_command(std::size_t recipient) const {
    std::size_t at = recipients_[recipient];
    std::string out = "RCPT TO:<" + message_.envelope.forward_paths[at].text() + ">";
    if (extensions_.dsn) {
        const RecipientOptions& options = message_.envelope.options_of(at);
        if (options.notify.given) out += " NOTIFY=" + notify_in_words(options.notify);
        if (!options.original.empty()) out += " ORCPT=" + options.original;
    }
    return out + "\r\n";
}

std::string Transaction::to_send() {
    if (written_ || done()) return {};
    written_ = true;
    if (extensions_.pipelining) {
        std::string out = at_ == At::rset ? "RSET\r\n" : "";
        out += mail_command();
        for (std::size_t at = 0; at < recipients_.size(); ++at) out += rcpt_command(at);
        return out + "DATA\r\n";
    }
    switch (at_) {
        case At::rset: return "RSET\r\n";
        case At::mail: return mail_command();
        case At::rcpt: return rcpt_command(recipient_);
        case At::data: return "DATA\r\n";
        case At::content:
        case At::dot:
        case At::done: break;
    }
    return {};
}

void Transaction::content_sent() { at_ = At::dot; }

void Transaction::settle(std::size_t recipient, const Reply& reply, const char* stage) {
    if (!open_[recipient]) return;
    open_[recipient] = false;
    Outcome& outcome = outcomes_[recipient];
    outcome.reply = reply;
    outcome.stage = stage;
    if (reply.code >= 200 && reply.code < 300)
        outcome.result = Outcome::Result::delivered;
    else
        outcome.result = reply.permanent() ? Outcome::Result::failed : Outcome::Result::deferred;
}

void Transaction::refuse_all(const Reply& reply, const char* stage) {
    for (std::size_t at = 0; at < recipients_.size(); ++at) settle(at, reply, stage);
}

void Transaction::lost(const std::string& reason) {
    usable_ = false;
    for (std::size_t at = 0; at < recipients_.size(); ++at) {
        if (!open_[at]) continue;
        open_[at] = false;
        outcomes_[at].reason = reason;
        outcomes_[at].stage = stage();
    }
    at_ = At::done;
}

void Transaction::broken(const std::string& reason) { lost("the server broke the protocol: " + reason); }

void Transaction::next_recipient() {
    if (++recipient_ < recipients_.size()) {
        at_ = At::rcpt;
    } else if (accepted_ > 0 || extensions_.pipelining) {
        at_ = At::data;
    } else {
        at_ = At::done;
        needs_reset_ = true;
    }
    if (!extensions_.pipelining) written_ = false;
}

void Transaction::on_reply(Reply reply) {
    answered_ = true;
    if (reply.code == 421) {  // the server is closing, whatever it was asked (RFC 5321 §3.8)
        refuse_all(reply, stage());
        usable_ = false;
        at_ = At::done;
        return;
    }
    bool go_ahead = reply.code >= 300 && reply.code < 400;
    switch (at_) {
        case At::rset:
            if (!reply.positive()) return broken("RSET was answered " + reply.line());
            at_ = At::mail;
            if (!extensions_.pipelining) written_ = false;
            return;
        case At::mail:
            if (go_ahead) return broken("MAIL was answered " + reply.line());
            if (!reply.positive()) {
                mail_refused_ = true;
                refuse_all(reply, "mail");
                if (!extensions_.pipelining) {
                    at_ = At::done;
                    return;
                }
            }
            at_ = At::rcpt;
            recipient_ = 0;
            if (!extensions_.pipelining) written_ = false;
            return;
        case At::rcpt:
            if (go_ahead) return broken("RCPT was answered " + reply.line());
            // It has lost track of the session, which is no verdict about the recipient.
            if (reply.code == 503 && !mail_refused_) return broken("RCPT was answered " + reply.line());
            if (reply.positive() && !mail_refused_) {
                ++accepted_;
            } else if (!reply.positive()) {
                // 552 to RCPT means too many recipients, which is no verdict about this one (RFC 5321
                // §4.5.3.1.10).
                if (reply.code == 552) reply.code = 452;
                settle(recipient_, reply, "rcpt");
            }
            next_recipient();
            return;
        case At::data:
            if (go_ahead) {
                at_ = At::content;
                return;
            }
            if (reply.positive()) return broken("DATA was answered " + reply.line());
            refuse_all(reply, "data");
            at_ = At::done;
            needs_reset_ = true;
            return;
        case At::dot:
            if (go_ahead) return broken("the content was answered " + reply.line());
            refuse_all(reply, "dot");
            at_ = At::done;
            return;
        case At::content:
        case At::done: return;
    }
}

}  // namespace postern::relay
