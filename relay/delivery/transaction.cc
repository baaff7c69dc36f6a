#include "relay/delivery/transaction.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <unordered_map>

#include "relay/net/error.h"
#include "sync/base/ascii.h"

namespace postern::relay {

namespace {

constexpr std::size_t mechanisms_max = 50;

void add_mechanisms(std::string_view value, std::vector<std::string>& out) {
    while (!value.empty() && out.size() < mechanisms_max) {
        std::size_t end = value.find(' ');
        std::string name = base::lower(value.substr(0, end));
        for (char& c : name)
            if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
        if (!name.empty()) out.push_back(std::move(name));
        value = end == std::string_view::npos ? std::string_view() : value.substr(end + 1);
    }
}

/// The number behind `name` in the value of LIMITS; 0 when it is not there, or none.
unsigned limit_of(std::string_view value, std::string_view name) {
    std::string folded = ' ' + base::lower(value);
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
        std::string keyword = base::lower(line.substr(0, space));
        std::string_view value =
            space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
        if (keyword == "pipelining") out.pipelining = true;
        if (keyword == "8bitmime") out.eight_bit = true;
        if (keyword == "starttls") out.starttls = true;
        if (keyword == "dsn") out.dsn = true;
        if (keyword == "smtputf8") out.utf8 = true;
        if (keyword == "requiretls") out.require_tls = true;
        if (keyword == "auth") add_mechanisms(value, out.auth);
        // As servers had it before RFC 2554, and some have it still.
        if (keyword.starts_with("auth=")) add_mechanisms(std::string_view(line).substr(5), out.auth);
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

Transaction::Transaction(const Message& message, const std::vector<std::uint16_t>& recipients,
                         const Extensions& extensions, Options options)
    : message_(message),
      extensions_(extensions),
      options_(options),
      at_(options.reset ? Stage::rset : Stage::mail) {
    std::unordered_map<std::string, std::size_t> known;
    for (std::uint16_t index : recipients) {
        auto [same, is_new] = known.emplace(message.envelope.forward_paths[index].text(), recipients_.size());
        if (is_new) recipients_.push_back(Recipient{index, true, {}, Meaning::broken});
        asked_as_.push_back(same->second);
    }
    if (extensions_.size_limit > 0 && message_.size() > extensions_.size_limit) {
        // No need to ask: the server said at EHLO what it would take (RFC 1870 §6.2).
        Reply told{0,
                   {5, 3, 4},
                   "message of " + std::to_string(message_.size()) + " bytes is larger than the " +
                       std::to_string(extensions_.size_limit) + " this server takes"};
        refuse_all(told, Meaning::failed);
        for (auto& recipient : recipients_) recipient.outcome.reason = told.text;
        done_ = true;
        needs_reset_ = options.reset;
    }
}

std::vector<Outcome> Transaction::outcomes() const {
    std::vector<Outcome> out;
    out.reserve(asked_as_.size());
    for (std::size_t at : asked_as_) out.push_back(recipients_[at].outcome);
    return out;
}

std::vector<Meaning> Transaction::meanings() const {
    std::vector<Meaning> out;
    out.reserve(asked_as_.size());
    for (std::size_t at : asked_as_) out.push_back(recipients_[at].meaning);
    return out;
}

bool Transaction::has_parameters(const Recipient& recipient) const {
    if (!extensions_.dsn || options_.bare) return false;
    const RecipientOptions& options = message_.envelope.options_of(recipient.index);
    return options.notify.given || !options.original.empty();
}

bool Transaction::has_parameters() const {
    const Envelope& envelope = message_.envelope;
    const bool dsn = envelope.return_content != ReturnContent::unspecified || !envelope.envelope_id.empty();
    return !options_.bare && (extensions_.size || (extensions_.dsn && dsn));
}

std::string Transaction::mail_command() const {
    const Envelope& envelope = message_.envelope;
    bool rewritten = options_.rewritten && !envelope.sent_as.null();
    std::string out = "MAIL FROM:<" + (rewritten ? envelope.sent_as : envelope.reverse_path).text() + ">";
    if (extensions_.size && !options_.bare) out += " SIZE=" + std::to_string(message_.size());
    if (extensions_.eight_bit && envelope.body == BodyType::eight_bit) out += " BODY=8BITMIME";
    if (extensions_.utf8 && envelope.utf8) out += " SMTPUTF8";
    if (envelope.require_tls && extensions_.require_tls) out += " REQUIRETLS";
    if (extensions_.dsn && !options_.bare) {
        if (envelope.return_content != ReturnContent::unspecified)
            out += envelope.return_content == ReturnContent::full ? " RET=FULL" : " RET=HDRS";
        if (!envelope.envelope_id.empty()) out += " ENVID=" + envelope.envelope_id;
    }
    return out + "\r\n";
}

std::string Transaction::rcpt_command(const Recipient& recipient) const {
    std::string out = "RCPT TO:<" + message_.envelope.forward_paths[recipient.index].text() + ">";
    if (has_parameters(recipient)) {
        const RecipientOptions& options = message_.envelope.options_of(recipient.index);
        if (options.notify.given) out += " NOTIFY=" + notify_in_words(options.notify);
        if (!options.original.empty()) out += " ORCPT=" + options.original;
    }
    return out + "\r\n";
}

std::string Transaction::to_send() {
    if (written_ || done()) return {};
    written_ = true;
    if (extensions_.pipelining) {
        std::string out = at_ == Stage::rset ? "RSET\r\n" : "";
        out += mail_command();
        for (const auto& recipient : recipients_) out += rcpt_command(recipient);
        return out + "DATA\r\n";
    }
    if (at_ == Stage::rset) return "RSET\r\n";
    if (at_ == Stage::mail) return mail_command();
    if (at_ == Stage::rcpt) return rcpt_command(recipients_[recipient_]);
    return at_ == Stage::data ? "DATA\r\n" : "";
}

void Transaction::content_sent() { at_ = Stage::dot; }

Meaning Transaction::meaning(const Reply& reply, bool parameters) const {
    Before before = options_.before;
    before.recipients = accepted_;
    before.parameters = parameters;
    return meaning_of(at_, reply, before);
}

void Transaction::settle(Recipient& recipient, const Reply& reply, Meaning meaning) {
    if (!recipient.open) return;
    recipient.open = false;
    recipient.meaning = meaning;
    recipient.outcome.reply = reply;
    recipient.outcome.stage = std::max(at_, Stage::mail);  // RSET goes before MAIL, and is told as it
    if (meaning == Meaning::go_on) recipient.outcome.result = Outcome::Result::delivered;
    if (meaning == Meaning::failed) recipient.outcome.result = Outcome::Result::failed;
}

void Transaction::refuse_all(const Reply& reply, Meaning meaning) {
    for (auto& recipient : recipients_) settle(recipient, reply, meaning);
}

void Transaction::abandon(const std::string& reason, Meaning meaning) {
    for (auto& recipient : recipients_) {
        if (!recipient.open) continue;
        recipient.outcome.reason = reason;
        settle(recipient, Reply(), meaning);
    }
    end(false);
}

void Transaction::lost(const std::string& reason) { abandon(reason, meaning(Reply())); }

/// Takes back what was said of it.
void Transaction::reopen(Recipient& recipient) {
    recipient.open = true;
    recipient.outcome = Outcome();
}

void Transaction::doubt_group() {
    if (extensions_.pipelining && at_ <= Stage::data)
        std::for_each(recipients_.begin(), recipients_.end(), reopen);
}

void Transaction::garbled(const std::string& reason) {
    doubt_group();
    lost(reason);
}

void Transaction::unasked(std::string_view octets) {
    // This one may come at any time (RFC 5321 §3.8), and is met again at the next command.
    if (std::string_view("421").starts_with(octets.substr(0, 3))) return;
    const bool behind_dot = done_ && at_ == Stage::dot;
    for (Recipient& recipient : recipients_) {
        const Outcome& said = recipient.outcome;
        // The envelope's replies were in order when the content went; what was taken must not go twice; and
        // a refusal told twice is one.
        const bool stands = behind_dot && (delivered_ || said.stage != Stage::dot ||
                                           octets.front() == '0' + said.reply.code / 100);
        if (!stands) reopen(recipient);
    }
    abandon(net::make_error_code(net::Error::unasked).message(),
            options_.before.reused && !behind_dot ? Meaning::session : Meaning::broken);
}

/// Whatever did not end in success may have left an envelope at the server, which RSET clears.
void Transaction::end(bool usable) {
    usable_ = usable;
    needs_reset_ = usable && !delivered_;
    done_ = true;
}

/// Whether the session ends with it.
bool Transaction::ends(const Reply& reply, Meaning meaning) {
    // It is at another point than we are, and perhaps has been since the first of its replies to this group.
    const bool out_of_step = meaning == Meaning::broken || (meaning == Meaning::session && reply.code != 421);
    if (out_of_step) doubt_group();
    if (meaning == Meaning::broken) {
        static constexpr std::array<const char*, 6> asked{"RSET", "MAIL",        "RCPT",
                                                          "DATA", "the content", "the content"};
        const auto at = static_cast<std::size_t>(at_) - static_cast<std::size_t>(Stage::rset);
        abandon(std::string("the server broke the protocol: ") + asked[at] + " was answered " + reply.line(),
                meaning);
        return true;
    }
    if (reply.code != 421 && meaning != Meaning::session && at_ != Stage::content) return false;
    // Whom it had granted goes again without those that were too many.
    for (std::size_t at = 0; meaning == Meaning::too_many && at < recipient_; ++at)
        settle(recipients_[at], reply, Meaning::session);
    refuse_all(reply, meaning);
    end(false);
    return true;
}

/// What a reply means; nullopt when the session ends with it, and so the transaction.
std::optional<Meaning> Transaction::hear(const Reply& reply, bool parameters) {
    const Meaning said = meaning(reply, parameters);
    if (ends(reply, said)) return std::nullopt;
    if (!extensions_.pipelining) written_ = false;
    return said;
}

void Transaction::on_mail(const Reply& reply) {
    const auto said = hear(reply, has_parameters());
    if (!said) return;
    taken_ = *said == Meaning::go_on;
    mail_refused_ = !taken_;
    if (!taken_) refuse_all(reply, *said);
    if (!taken_ && !extensions_.pipelining) return end(true);
    at_ = Stage::rcpt;
}

void Transaction::on_recipient(const Reply& reply) {
    Recipient& recipient = recipients_[recipient_];
    // In a group the recipients' replies come although MAIL was refused.
    if (!mail_refused_ || reply.code == 421) {
        const auto said = hear(reply, has_parameters(recipient));
        if (!said) return;
        if (*said == Meaning::go_on)
            ++accepted_;
        else
            settle(recipient, reply, *said);
    }
    if (++recipient_ < recipients_.size()) return;
    at_ = Stage::data;
    if (accepted_ == 0 && !extensions_.pipelining) end(true);
}

void Transaction::on_data(const Reply& reply) {
    if (accepted_ == 0 && !reply.positive()) return on_moot(reply);
    const auto said = hear(reply);
    if (!said) return;
    if (*said == Meaning::go_on) {
        at_ = Stage::content;
        return;
    }
    refuse_all(reply, *said);
    end(true);
}

/// To the final dot; one that comes before it ends the session.
void Transaction::on_content(const Reply& reply) {
    if (accepted_ == 0) return on_moot(reply);
    const auto said = hear(reply);
    if (!said) return;
    delivered_ = *said == Meaning::go_on;
    refuse_all(reply, *said);
    end(true);
}

/// Nobody is left whom it could be about. Who now wants content is at another point than we are.
void Transaction::on_moot(const Reply& reply) {
    const bool go_ahead = reply.code >= 300 && reply.code < 400;
    end(reply.code != 421 && !go_ahead);
}

void Transaction::on_reply(const Reply& reply) {
    if (done_) return;
    answered_ = true;
    switch (at_) {
        case Stage::rset:
            if (hear(reply)) at_ = Stage::mail;
            return;
        case Stage::mail: return on_mail(reply);
        case Stage::rcpt: return on_recipient(reply);
        case Stage::data: return on_data(reply);
        default: return on_content(reply);
    }
}

}  // namespace postern::relay
