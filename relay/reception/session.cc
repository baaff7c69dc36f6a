#include "relay/reception/session.h"

#include <algorithm>

#include "relay/limits.h"
#include "relay/mail/trace.h"
#include "relay/net/elsewhere.h"
#include "relay/queue/record.h"
#include "relay/reception/acceptance_event.h"
#include "relay/reception/companions.h"
#include "relay/reception/places.h"
#include "relay/reception/sender_limits.h"
#include "sync/base/ascii.h"
#include "sync/base/clock.h"
#include "sync/base/file_fault.h"
#include "sync/base/utf8.h"

namespace postern::relay {

namespace {

constexpr std::size_t progress_octets =
    64 * 1024;  // to come within accept.timeout: slower clients are cut off
constexpr std::size_t replies_max = 16 * 1024;
// A client that waits as RFC 5321 §4.5.3.2.6 asks is still there: what it then resent would be mail twice.
constexpr std::chrono::minutes disk_patience{10};
constexpr std::size_t farewell_octets = 1 << 20;  // that are still read from a client that is hung up on
constexpr std::chrono::seconds farewell{5};

ProtocolOptions options(const SessionContext& context, ListenerTls tls, bool stranger) {
    const Settings& settings = *context.settings;
    ProtocolOptions out;
    out.hostname = settings.hostname;
    out.message_size = size_limit(settings, stranger);
    out.size_rule =
        out.message_size == settings.queue.message_size ? Rule::message_size : Rule::stranger_size;
    out.recipients =
        stranger ? std::min(settings.accept.recipients, stranger_recipients_max) : settings.accept.recipients;
    out.protocol_errors = settings.accept.protocol_errors;
    out.offer_starttls =
        context.tls != nullptr && (tls == ListenerTls::opportunistic || tls == ListenerTls::required);
    out.require_starttls = tls == ListenerTls::required;
    return out;
}

Decision accepted(Reply reply) {
    Decision out;
    out.reply = std::move(reply);
    return out;
}

Decision not_stored(const std::error_code& error) {
    Rule rule = Rule::not_stored;
    if (short_of_room(error)) rule = base::is_passing(error) ? Rule::shortage : Rule::no_space;
    Decision out = refuse(rule);
    out.reason = base::file_fault("the spool", error);
    return out;
}

}  // namespace

Session::Session(SessionContext& context, std::shared_ptr<net::Connection> connection, ListenerTls tls)
    : context_(context),
      connection_(std::move(connection)),
      tls_(tls),
      settings_(context.settings),
      client_(connection_->peer()),
      from_screening_(screens(*settings_, client_)),
      envelope_memory_(context.commons.memory),
      account_(context.commons.volume, context.clock),
      protocol_(options(context, tls, !from_screening_ && primary_of(*settings_, client_) == nullptr),
                tls == ListenerTls::implicit) {
    if (const PrimarySettings* primary = primary_of(*settings_, client_)) {
        primary_ = primary->name;
        expect(true);
    }
}

void Session::expect(bool message) {
    if (message == expected_ || (message && stranger())) return;
    expected_ = message;
    context_.spool.arriving(message ? 1 : -1);
}

void Session::end() {
    expect(false);
    context_.commons.refusals.close(tally_, client_, protocol_.helo(), context_.clock.now());
    connection_->close();
    context_.observer.on(event::SessionClosed{client_, protocol_.commands(), messages_});
}

void Session::leave() {
    if (at_prompt_) connection_->interrupt();
}

net::awaitable<void> Session::run() {
    if (tls_ == ListenerTls::implicit && !co_await secure(false)) co_return;
    say(accepted(protocol_.greeting()));
    for (;;) {
        // Replies of a pipelined group go out together, when nothing more of it is at hand (RFC 2920 §3.2).
        bool more = connection_->buffered().find('\n') != std::string_view::npos;
        if (!replies_.empty() && (!more || replies_.size() > replies_max)) {
            if (!co_await send_replies(settings_->accept.timeout)) co_return;
        }
        if (context_.stopping) {
            Decision bye = refuse(Rule::shutdown, settings_->hostname + " is shutting down");
            co_await leave_with(std::move(bye));
            co_return;
        }
        std::string_view line;
        connection_->deadline(settings_->accept.timeout);
        at_prompt_ = true;
        std::error_code error = co_await connection_->read_line(line, limits::command_line);
        at_prompt_ = false;
        if (error == net::Error::line_too_long) {
            if (!co_await obey(protocol_.line_too_long())) co_return;
            continue;
        }
        if (error && context_.stopping) continue;
        if (error == net::Error::timed_out) {
            Decision bye = refuse(Rule::timeout, settings_->hostname + " waited too long for a command");
            co_await leave_with(std::move(bye));
            co_return;
        }
        if (error) co_return;
        if (!co_await obey(protocol_.line(line))) co_return;
        if (protocol_.in_transaction()) continue;
        envelope_memory_.give_back();
        account_.give_back();
    }
}

net::awaitable<bool> Session::secure(bool command_before) {
    connection_->deadline(std::min(settings_->accept.timeout, std::chrono::seconds(60)));
    std::error_code error = co_await connection_->start_tls_server(context_.tls);
    if (error) co_return false;
    if (command_before) protocol_.secured();
    co_return true;
}

/// The one way out for every reply. What refuses, or would, is told with its rule.
void Session::say(const Decision& decision, const Address& sender, const std::string& recipient,
                  Stage stage) {
    replies_ += decision.reply.wire();
    if (decision.reply.positive() && !decision.monitored) return;
    event::Refused what;
    std::string from = sender.text();
    what.client = client_;
    what.helo = protocol_.helo();
    what.from = from;
    what.recipient = recipient;
    what.reply = decision.reply;
    what.rule = text_of(decision.rule).name;
    what.reason = decision.reason;
    what.directory_age = decision.directory_age;
    what.monitored = decision.monitored;
    what.stage = text_of(stage);
    context_.commons.refusals.tell_of(what, decision.rule, stranger(), &tally_, context_.clock.now());
}

net::awaitable<bool> Session::send_replies(std::chrono::seconds deadline) {
    std::string replies = std::exchange(replies_, {});
    connection_->deadline(deadline);
    std::error_code error = co_await connection_->write(replies);
    co_return !error;
}

net::awaitable<void> Session::leave_with(Decision last) {
    say(last, protocol_.envelope().reverse_path);
    co_await send_replies(std::chrono::seconds(10));
}

net::awaitable<bool> Session::obey(ServerProtocol::Step step) {
    using Action = ServerProtocol::Action;
    switch (step.action) {
        case Action::reply:
            if (!protocol_.in_transaction()) {
                if (messages_ > 0) expect(false);
                say(step.answer, step.address);
            } else {
                say(step.answer, protocol_.envelope().reverse_path, step.address.text());
            }
            co_return true;
        case Action::ask_sender: {
            settings_ = context_.settings;
            std::uint64_t size = protocol_.declared_size();
            Decision decision = co_await answer_mail(step.address, size);
            std::string no_recipient;
            co_return co_await answer(std::move(decision), step.address, std::move(no_recipient),
                                      Stage::mail);
        }
        case Action::ask_recipient: {
            auto answered = answer_recipient(step.address, true);
            // What is granted may be taken by other sessions before it is taken here.
            for (const auto until = context_.clock.now() + limits::other_gateways; !answered;)
                answered = answer_recipient(step.address, co_await context_.ask_gateways(until));
            Decision decision = std::move(*answered);
            std::string recipient = step.address.text();
            Address sender = protocol_.envelope().reverse_path;
            co_return co_await answer(std::move(decision), std::move(sender), std::move(recipient),
                                      Stage::rcpt);
        }
        case Action::ask_data: co_return co_await receive();
        case Action::start_tls:
            say(step.answer);
            if (!co_await send_replies(settings_->accept.timeout)) co_return false;
            co_return co_await secure(true);
        case Action::close: co_await leave_with(std::move(step.answer)); co_return false;
    }
    co_return false;
}

/// What a stranger is refused counts as an error of his: nothing can be tried for long.
net::awaitable<bool> Session::answer(Decision decision, Address sender, std::string recipient, Stage stage) {
    if (!decision.reply.positive() && stranger()) {
        ServerProtocol::Step step = protocol_.error(std::move(decision));
        if (step.action == ServerProtocol::Action::close) {
            co_await leave_with(std::move(step.answer));
            co_return false;
        }
        decision = std::move(step.answer);
    }
    say(decision, sender, recipient, stage);
    co_return true;
}

net::awaitable<Decision> Session::judge_sender_now(Address address, std::uint64_t size) {
    const PrimarySettings* primary = primary_of(*settings_, client_);
    primary_ = primary != nullptr ? primary->name : std::string();
    from_screening_ = screens(*settings_, client_);
    Decision decision = context_.admission(size, stranger());
    // What comes back from screening was judged before it went there.
    if (!decision.reply.positive() || from_screening_) co_return decision;
    decision =
        judge_sender(*settings_, *context_.directory, primary, address, context_.clock.wall(), client_);
    if (!decision.ask) co_return decision;
    const bool answered = co_await context_.ask(address);
    decision =
        judge_sender(*settings_, *context_.directory, primary, address, context_.clock.wall(), client_);
    if (!answered) not_answered(*settings_, decision);
    co_return decision;
}

/// The answer to MAIL.
net::awaitable<Decision> Session::answer_mail(Address address, std::uint64_t size) {
    const auto srs = context_.srs;  // of the settings by which it is judged
    Decision decision = co_await judge_sender_now(address, size);
    Address sent_as;
    if (decision.reply.positive() && decision.rewrite)
        sent_as = srs->rewrite(address, context_.clock.wall()).value_or(Address());
    if (decision.reply.positive()) {
        expect(true);
        if (!primary_.empty() && !address.null() && context_.commons.notice_sender)
            context_.commons.notice_sender(address.mailbox(), address.domain);
    }
    protocol_.sender(decision.reply, std::move(sent_as));
    co_return decision;
}

/// The answer to RCPT; none where other gateways should be asked first, if that `may_ask`.
std::optional<Decision> Session::answer_recipient(const Address& address, bool may_ask) {
    if (from_screening_) return answer_returned();
    const PrimarySettings* primary = primary_of(*settings_, client_);
    const Address& sender = protocol_.envelope().reverse_path;
    const Caller caller{*settings_, *context_.directory, context_.srs.get(), primary, client_};
    RecipientDecision judged = decide_recipient(caller, sender, address, context_.clock.wall());
    if (primary == nullptr && judged.decision.reply.positive()) {
        const bool report = judged.addressee == RecipientDecision::Addressee::author;
        const std::string whom =
            report ? base::lower(judged.instead.text()) : "postmaster " + network_of(client_);
        if (!context_.commons.from_strangers.take(whom, context_.clock.now()))
            judged.decision = refuse(report ? Rule::reports_often : Rule::postmaster_often);
    }
    if (primary != nullptr && judged.decision.reply.positive()) {
        bool tell = false;
        charge(judged.instead.null() ? address : judged.instead, judged.decision, may_ask ? &tell : nullptr);
        if (tell) return std::nullopt;
    }
    if (judged.decision.reply.positive() && !envelope_memory_.grow_to(protocol_.envelope_octets_with_it()))
        judged.decision = refuse(Rule::memory);
    protocol_.recipient(judged.decision.reply, std::move(judged.instead));
    return std::move(judged.decision);
}

/// The same of mail that was judged, and counted, before it went to be screened.
Decision Session::answer_returned() {
    Decision decision = accepted(Reply{250, {2, 1, 5}, "ok"});
    if (!envelope_memory_.grow_to(protocol_.envelope_octets_with_it())) decision = refuse(Rule::memory);
    protocol_.recipient(decision.reply);
    return decision;
}

void Session::charge(const Address& recipient, Decision& decision, bool* tell) {
    const auto sender = charged_for(*context_.directory, protocol_.envelope().reverse_path, primary_,
                                    recipient, context_.clock.wall());
    if (!sender) return;
    const bool monitored = !settings_->accept.enforce;
    account_.charge(*sender, recipient, monitored, decision, tell);
}

/// For the Received field: RFC 3848, RFC 6531 §3.7.3.
const char* Session::protocol_name() const {
    if (!protocol_.extended()) return "SMTP";
    if (protocol_.envelope().utf8) return protocol_.secure() ? "UTF8SMTPS" : "UTF8SMTP";
    return protocol_.secure() ? "ESMTPS" : "ESMTP";
}

/// DATA: admission, 354, the content, and the reply that takes responsibility for it or does not.
net::awaitable<bool> Session::receive() {
    const Address sender = protocol_.envelope().reverse_path;
    Decision ready = context_.admission(0, stranger());
    ready.reply = protocol_.data(std::move(ready.reply));
    say(ready, sender, {}, Stage::data);
    if (!ready.reply.positive()) co_return true;
    if (!co_await send_replies(settings_->accept.timeout)) co_return false;

    MessageId id = context_.spool.new_id();
    Incoming content(context_.spool.disk(), context_.spool.content_file(id), context_.commons.memory);
    std::error_code broken = co_await read_content(content);
    if (broken || !content.reader().complete()) {
        discard(content);
        if (broken && broken != net::Error::timed_out) co_return false;
        if (broken) {
            Decision bye = refuse(Rule::timeout, settings_->hostname + " waited too long for the message");
            co_await leave_with(std::move(bye));
        } else {
            say(too_large(*settings_, stranger()), sender, {}, Stage::dot);
            Decision bye = refuse(Rule::endless);
            co_await leave_with(std::move(bye));
            co_await connection_->drain(farewell_octets, farewell);
        }
        co_return false;
    }
    const DataReader& read = content.reader();
    Decision answer = judge_content(*settings_, stranger(),
                                    {read.size(), read.bare_newlines(), read.nuls(), content.header().hops});
    if (answer.reply.positive()) answer = co_await store(content, id);
    if (!answer.reply.positive()) discard(content);
    expect(false);
    protocol_.content_done();
    say(answer, sender, {}, Stage::dot);
    co_return true;
}

/// Its file, if there is one, goes whenever the disk allows it.
void Session::discard(Incoming& content) {
    if (auto writer = content.forget())
        asio::post(context_.commons.files, [writer = std::move(writer)] { writer->discard(); });
}

/// An error when the connection ended before the content did. Without one it is complete, or a stranger's
/// that does not end.
net::awaitable<std::error_code> Session::read_content(Incoming& content) {
    const std::uint64_t limit = size_limit(*settings_, stranger());
    std::size_t since_deadline = progress_octets;
    while (!content.reader().complete()) {
        if (since_deadline >= progress_octets) {
            connection_->deadline(settings_->accept.timeout);
            since_deadline = 0;
        }
        if (std::error_code error = co_await connection_->fill()) co_return error;
        std::size_t used = content.feed(connection_->buffered());
        connection_->consume(used);
        since_deadline += used;
        if (limit > 0 && content.reader().size() > limit) discard(content);
        if (stranger() && content.received() > stranger_size_max + stranger_excess_max) break;
        if (!content.full()) continue;
        co_await write_down(content);
        since_deadline = progress_octets;  // it was us who took the time
    }
    co_return std::error_code();
}

/// What is held of the content goes to its file, and the client is not read from meanwhile.
net::awaitable<void> Session::write_down(Incoming& content) {
    auto piece = content.piece();
    connection_->deadline(disk_patience);
    content.written(co_await net::elsewhere(context_.commons.files, piece));
}

/// The content as the spool takes it. An error of its file.
net::awaitable<std::error_code> Session::take_content(Incoming& incoming, Stored& stored) {
    Content& content = stored.message.content;
    content.size = incoming.size();
    content.dots = incoming.reader().dots();
    if (incoming.in_file()) {
        if (!incoming.error()) co_await write_down(incoming);
        if (incoming.error()) co_return incoming.error();
        content.file = incoming.writer().file();
        content.checksum = incoming.writer().checksum();
        stored.written = incoming.writer().take();
    } else {
        std::string octets = incoming.take_octets();
        content.checksum = checksum(octets);
        content.bytes = std::make_shared<const std::string>(std::move(octets));
    }
    co_return std::error_code();
}

std::string Session::trace_field(const Message& message) const {
    std::string only;
    if (message.envelope.forward_paths.size() == 1) only = message.envelope.forward_paths.front().text();
    // Our field stays in ASCII, so that it never keeps a message from a host without SMTPUTF8.
    if (!base::is_ascii(only)) only.clear();
    const std::string tls = connection_->tls();
    Hop hop;
    hop.helo = message.envelope.helo;
    hop.client = client_;
    hop.hostname = settings_->hostname;
    hop.with = protocol_name();
    hop.tls = tls;
    hop.recipient = only;
    return received_field(hop, message.id, context_.clock.wall());
}

net::awaitable<Decision> Session::store(Incoming& incoming, MessageId id) {
    const base::Moment begun = context_.clock.now();
    auto stored = std::make_shared<Stored>();
    Message& message = stored->message;
    message.id = id;
    message.envelope = protocol_.take_envelope();
    message.envelope.client = client_;
    message.envelope.helo = protocol_.helo();
    message.envelope.primary = primary_;
    // REQUIRETLS overrules the header field (RFC 8689 §4.1).
    message.envelope.tls_optional = incoming.header().tls_optional && !message.envelope.require_tls;
    std::error_code error = co_await take_content(incoming, *stored);
    if (error) co_return not_stored(error);
    message.content.trace = trace_field(message);
    if (incoming.header().missing)
        message.content.trace += "\r\n";  // no header, as its sender meant it or not: all of it is body
    VolumeAnswer volume;
    if (from_screening_)
        restore_envelope(context_, message, incoming.header());
    else
        volume = account_.restrain(message, incoming.header().subject);
    if (volume.change) tell_unusual(context_.observer, *volume.change);
    stored->told = [&context = context_, stored = stored.get(), tls = connection_->tls(), begun,
                    message_id = incoming.header().message_id] {
        tell_accepted(context, *stored, tls, message_id, begun);
    };

    stored->companion = journal_report_on(context_, message, incoming.header());
    const auto copy = stored->companion ? stored->companion->message.content.file : std::filesystem::path();
    expect(false);
    connection_->deadline(disk_patience);
    context_.commons.room.taken(stored->companion ? 2 * message.size() : message.size());
    if (!copy.empty()) error = co_await link(message.content.file, copy);
    if (!error) error = co_await commit(stored);
    if (error) {
        if (!copy.empty())
            asio::post(context_.commons.files, [&disk = context_.spool.disk(), copy] { disk.remove(copy); });
        account_.not_kept(volume);
        co_return not_stored(error);
    }
    if (!from_screening_) account_.keep(volume, incoming.header().subject);
    ++messages_;
    co_return accepted(Reply{250, {2, 0, 0}, "ok, queued as " + id.text()});
}

net::awaitable<std::error_code> Session::link(std::filesystem::path file, std::filesystem::path name) {
    auto work = [&disk = context_.spool.disk(), file = std::move(file), name = std::move(name)] {
        return disk.link(file, name);
    };
    co_return co_await net::elsewhere(context_.commons.files, work);
}

/// Resumes when the message is on disk, or cannot be.
net::awaitable<std::error_code> Session::commit(StoredPtr stored) {
    struct Outcome {  // a bare error_code would be thrown
        std::error_code error;
    };
    Outcome outcome = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Outcome)>(
        [this, &stored](auto handler) {
            auto shared = std::make_shared<decltype(handler)>(std::move(handler));
            context_.spool.accept(
                stored, [shared](std::error_code error) { std::move (*shared)(Outcome{error}); },
                context_.loop);
        },
        asio::use_awaitable);
    co_return outcome.error;
}

}  // namespace postern::relay
