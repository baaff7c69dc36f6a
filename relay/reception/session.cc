#include "relay/reception/session.h"

#include <fcntl.h>
#include <unistd.h>

#include "relay/mail/trace.h"
#include "relay/mail/utf8.h"

namespace postern::relay {

namespace {

constexpr std::size_t inline_max = 256 * 1024;  // larger content goes to a file of its own
constexpr std::size_t progress_octets =
    64 * 1024;                         // to come within accept.timeout: slower clients are cut off
constexpr std::size_t hops_max = 100;  // RFC 5321 §6.3
constexpr std::size_t replies_max = 16 * 1024;

ProtocolOptions options(const Reception& reception, ListenerTls tls) {
    const Settings& settings = *reception.settings();
    ProtocolOptions out;
    out.hostname = settings.hostname;
    out.message_size = settings.queue.message_size;
    out.recipients = settings.accept.recipients;
    out.protocol_errors = settings.accept.protocol_errors;
    out.offer_starttls =
        reception.tls() != nullptr && (tls == ListenerTls::opportunistic || tls == ListenerTls::required);
    out.require_starttls = tls == ListenerTls::required;
    return out;
}

}  // namespace

/// The content while it comes in: in memory, then in a file when it grows.
struct Session::Body {
    DataReader reader;
    std::string octets;  // not yet written to the file
    std::filesystem::path file;
    int fd = -1;
    std::uint32_t sum = 0;
    std::size_t hops = 0;
    bool first = true, tls_optional = false;
    std::string message_id;
    bool headless = false;  // it begins with a blank, which would continue a header field in front of it
    std::error_code error;  // of the file

    ~Body() {
        if (fd >= 0) ::close(fd);
    }
    Body() = default;
    Body(const Body&) = delete;
    Body& operator=(const Body&) = delete;

    void look() {
        if (!std::exchange(first, false)) return;
        hops = count_received(octets);
        tls_optional = says_tls_optional(octets);
        message_id = message_id_of(octets);
        headless = octets.starts_with(' ') || octets.starts_with('\t');
    }
    void spill() {
        look();
        if (fd < 0 && !error) fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 && !error) error = {errno, std::generic_category()};
        for (std::string_view rest = octets; !error && !rest.empty();) {
            ssize_t wrote = ::write(fd, rest.data(), rest.size());
            if (wrote > 0)
                rest.remove_prefix(static_cast<std::size_t>(wrote));
            else if (errno != EINTR)
                error = {errno, std::generic_category()};
        }
        sum = checksum(octets, sum);
        octets.clear();
    }
    void discard() {
        if (fd < 0) return;
        ::close(fd);
        fd = -1;
        std::error_code ignored;
        std::filesystem::remove(file, ignored);
    }
};

Session::Session(Reception& reception, std::shared_ptr<net::Connection> connection, ListenerTls tls)
    : reception_(reception),
      connection_(std::move(connection)),
      tls_(tls),
      settings_(reception.settings()),
      protocol_(options(reception, tls), tls == ListenerTls::implicit),
      client_(connection_->peer()) {
    if (const PrimarySettings* primary = primary_of(*settings_, client_)) {
        primary_ = primary->name;
        expect(true);
    }
}

void Session::expect(bool message) {
    if (message == expected_ || (message && primary_.empty())) return;
    expected_ = message;
    reception_.spool().arriving(message ? 1 : -1);
}

void Session::end() {
    expect(false);
    connection_->close();
    reception_.observer().on(event::SessionClosed{client_, protocol_.commands(), messages_});
}

void Session::leave() {
    if (at_prompt_) connection_->interrupt();
}

net::awaitable<void> Session::run() {
    if (tls_ == ListenerTls::implicit && !co_await secure(false)) co_return;
    send(protocol_.greeting());
    for (;;) {
        // Replies of a pipelined group go out together, when nothing more of it is at hand (RFC 2920 §3.2).
        bool more = connection_->buffered().find('\n') != std::string_view::npos;
        if (!replies_.empty() && (!more || replies_.size() > replies_max)) {
            connection_->deadline(settings_->accept.timeout);
            std::error_code error = co_await connection_->write(replies_);
            replies_.clear();
            if (error) co_return;
        }
        if (reception_.stopping()) {
            ServerProtocol::Step bye{ServerProtocol::Action::close,
                                     Reply{421, {4, 3, 2}, settings_->hostname + " is shutting down"},
                                     {}};
            co_await obey(std::move(bye));
            co_return;
        }
        std::string_view line;
        connection_->deadline(settings_->accept.timeout);
        at_prompt_ = true;
        std::error_code error = co_await connection_->read_line(line, command_line_max);
        at_prompt_ = false;
        if (error == net::Error::line_too_long) {
            if (!co_await obey(protocol_.line_too_long())) co_return;
            continue;
        }
        if (error && reception_.stopping()) continue;
        if (error == net::Error::timed_out) {
            ServerProtocol::Step bye{
                ServerProtocol::Action::close,
                Reply{421, {4, 4, 2}, settings_->hostname + " waited too long for a command"},
                {}};
            co_await obey(std::move(bye));
            co_return;
        }
        if (error) co_return;
        if (!co_await obey(protocol_.line(line))) co_return;
    }
}

net::awaitable<bool> Session::secure(bool command_before) {
    connection_->deadline(std::min(settings_->accept.timeout, std::chrono::seconds(60)));
    std::error_code error = co_await connection_->start_tls_server(reception_.tls());
    if (error) co_return false;
    if (command_before) protocol_.secured();
    co_return true;
}

net::awaitable<bool> Session::obey(ServerProtocol::Step step) {
    using Action = ServerProtocol::Action;
    switch (step.action) {
        case Action::reply:
            if (!protocol_.in_transaction() && messages_ > 0) expect(false);
            send(step.reply);
            co_return true;
        case Action::ask_sender: {
            settings_ = reception_.settings();
            Reply answer = co_await answer_mail(step.address, protocol_.declared_size());
            send(answer);
            co_return true;
        }
        case Action::ask_recipient: send(answer_recipient(step.address)); co_return true;
        case Action::ask_data: co_return co_await receive();
        case Action::start_tls: {
            replies_ += step.reply.wire();
            std::string reply = std::exchange(replies_, {});
            connection_->deadline(settings_->accept.timeout);
            if (co_await connection_->write(reply)) co_return false;
            co_return co_await secure(true);
        }
        case Action::close: {
            if (step.reply.code != 0) replies_ += step.reply.wire();
            std::string reply = std::exchange(replies_, {});
            connection_->deadline(std::chrono::seconds(10));
            co_await connection_->write(reply);
            co_return false;
        }
    }
    co_return false;
}

void Session::refused(const Decision& decision, const Address& sender, const std::string& recipient) {
    event::Refused what;
    std::string from = sender.text();
    what.client = client_;
    what.helo = protocol_.helo();
    what.from = from;
    what.recipient = recipient;
    what.reply = decision.reply;
    what.rule = decision.rule;
    what.reason = decision.reason;
    what.directory_age = decision.directory_age;
    what.monitored = decision.monitored;
    reception_.observer().on(what);
}

net::awaitable<Decision> Session::judge_sender_now(Address address, std::uint64_t size) {
    Decision decision;
    decision.reply = reception_.admission(size);
    decision.rule = "accept.minimum_free";
    if (!decision.reply.positive()) co_return decision;
    const PrimarySettings* primary = primary_of(*settings_, client_);
    primary_ = primary != nullptr ? primary->name : std::string();
    decision =
        judge_sender(*settings_, *reception_.directory(), primary, address, std::chrono::system_clock::now());
    if (decision.ask && co_await reception_.ask(address))
        decision = judge_sender(*settings_, *reception_.directory(), primary, address,
                                std::chrono::system_clock::now());
    co_return decision;
}

/// The answer to MAIL.
net::awaitable<Reply> Session::answer_mail(Address address, std::uint64_t size) {
    Decision decision = co_await judge_sender_now(address, size);
    Address sent_as;
    if (decision.reply.positive() && decision.rewrite) {
        if (const auto& srs = reception_.srs()) {
            sent_as = srs->rewrite(address, std::chrono::system_clock::now()).value_or(Address());
        } else {
            decision.rule = "accept.foreign_sender";
            decision.reason = "reverse-paths cannot be rewritten at present";
            decision.reply = Reply{451, {4, 3, 0}, decision.reason + ", try again later"};
        }
    }
    if (decision.reply.positive()) {
        expect(true);
        if (!primary_.empty() && !address.null()) reception_.notice(address.domain);
    }
    if (!decision.reply.positive() || decision.monitored) refused(decision, address, {});
    co_return protocol_.sender(std::move(decision.reply), std::move(sent_as));
}

/// The answer to RCPT.
Reply Session::answer_recipient(const Address& address) {
    const PrimarySettings* primary = primary_of(*settings_, client_);
    const Address& sender = protocol_.envelope().reverse_path;
    ReturnDecision judged;
    std::optional<ReturnDecision> back;
    if (reception_.srs())
        back = judge_return(*reception_.srs(), primary, sender, address, std::chrono::system_clock::now());
    if (back)
        judged = std::move(*back);
    else
        judged.decision = judge_recipient(primary, client_, address);
    if (!judged.decision.reply.positive()) refused(judged.decision, sender, address.text());
    return protocol_.recipient(std::move(judged.decision.reply), std::move(judged.origin));
}

/// What is put right for a primary is refused from anybody else.
bool Session::strict() const {
    return primary_.empty() || settings_->accept.bare_newline == BareNewline::refuse;
}

/// For the Received field: RFC 3848, RFC 6531 §3.7.3.
const char* Session::protocol_name() const {
    if (!protocol_.extended()) return "SMTP";
    if (protocol_.envelope().utf8) return protocol_.secure() ? "UTF8SMTPS" : "UTF8SMTP";
    return protocol_.secure() ? "ESMTPS" : "ESMTP";
}

/// DATA: admission, 354, the content, and the reply that takes responsibility for it or does not.
net::awaitable<bool> Session::receive() {
    Reply ready = protocol_.data(reception_.admission(0));
    if (ready.code != 354) {
        send(ready);
        co_return true;
    }
    replies_ += ready.wire();
    std::string reply = std::exchange(replies_, {});
    connection_->deadline(settings_->accept.timeout);
    if (co_await connection_->write(reply)) co_return false;

    Body body;
    MessageId id = reception_.spool().new_id();
    body.file = reception_.spool().content_file(id);
    if (!co_await read_body(body)) {
        body.discard();
        co_return false;
    }
    body.look();
    Reply answer;
    std::uint64_t limit = settings_->queue.message_size;
    if (limit > 0 && body.reader.size() > limit)
        answer = Reply{552, {5, 3, 4}, "message larger than " + std::to_string(limit) + " bytes"};
    else if (body.reader.bare_newlines() && strict())
        answer = Reply{554, {5, 6, 0}, "lines must end with CRLF; the message has a CR or LF alone"};
    else if (body.reader.nuls() && strict())
        answer = Reply{554, {5, 6, 0}, "the message has NUL in it (RFC 5322 section 4)"};
    else if (body.hops > hops_max)
        answer =
            Reply{554,
                  {5, 4, 6},
                  "the message has passed more than " + std::to_string(hops_max) + " hosts: a mail loop"};
    if (answer.code == 0) {
        answer = co_await store(body, id);
    } else {
        Decision decision{answer,
                          answer.code == 552
                              ? "queue.message_size"
                              : (answer.status.subject == 4 ? "RFC 5321 6.3" : "accept.bare_newline"),
                          answer.text,
                          {},
                          false};
        refused(decision, protocol_.envelope().reverse_path, {});
    }
    if (!answer.positive()) body.discard();
    expect(false);
    protocol_.content_done();
    send(answer);
    co_return true;
}

/// False when the connection ended before the content did.
net::awaitable<bool> Session::read_body(Body& body) {
    std::uint64_t limit = settings_->queue.message_size;
    std::size_t since_deadline = progress_octets;
    while (!body.reader.complete()) {
        if (since_deadline >= progress_octets) {
            connection_->deadline(settings_->accept.timeout);
            since_deadline = 0;
        }
        if (co_await connection_->fill()) co_return false;
        std::size_t used = body.reader.feed(connection_->buffered(), body.octets);
        connection_->consume(used);
        since_deadline += used;
        if (limit > 0 && body.reader.size() > limit) {
            body.look();
            body.octets.clear();  // read to its end, kept no longer
            body.discard();
        } else if (body.octets.size() > inline_max) {
            body.spill();
        }
    }
    co_return true;
}

net::awaitable<Reply> Session::store(Body& body, MessageId id) {
    auto begun = std::chrono::steady_clock::now();
    auto stored = std::make_shared<Stored>();
    Message& message = stored->message;
    message.id = id;
    message.envelope = protocol_.envelope();
    message.envelope.client = client_;
    message.envelope.helo = protocol_.helo();
    message.envelope.primary = primary_;
    // REQUIRETLS overrules the header field (RFC 8689 §4.1).
    message.envelope.tls_optional = body.tls_optional && !message.envelope.require_tls;
    Content& content = message.content;
    content.size = body.reader.size();
    content.dots = body.reader.dots();
    if (body.fd >= 0 || body.error) {
        body.spill();
        if (body.error) {
            bool full = body.error == std::errc::no_space_on_device;
            co_return full ? Reply{452, {4, 3, 1}, "not enough space to store the message"}
                           : Reply{451, {4, 3, 0}, "the message could not be stored"};
        }
        content.file = body.file;
        content.checksum = body.sum;
    } else {
        content.checksum = checksum(body.octets);
        content.bytes = std::make_shared<const std::string>(std::move(body.octets));
    }

    Hop hop;
    std::string tls = connection_->tls(), only;
    if (message.envelope.forward_paths.size() == 1) only = message.envelope.forward_paths.front().text();
    // Our field stays in ASCII, so that it never keeps a message from a host without SMTPUTF8.
    if (!is_ascii(only)) only.clear();
    hop.helo = message.envelope.helo;
    hop.client = client_;
    hop.hostname = settings_->hostname;
    hop.with = protocol_name();
    hop.tls = tls;
    hop.recipient = only;
    content.trace = received_field(hop, id, std::chrono::system_clock::now());
    if (body.headless)
        content.trace += "\r\n";  // no header, as its sender meant it or not: all of it is body

    std::string text = id.text();
    stored->told = [&observer = reception_.observer(), stored = stored.get(), text, tls, begun,
                    message_id = body.message_id] {
        const Message& message = stored->message;
        std::string from = message.envelope.reverse_path.text();
        event::Accepted what;
        what.id = text;
        what.from = from;
        what.recipients = message.envelope.forward_paths.size();
        what.size = message.size();
        what.message_id = message_id;
        what.client = message.envelope.client;
        what.helo = message.envelope.helo;
        what.primary = message.envelope.primary;
        what.tls = tls;
        what.commit =
            std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begun);
        observer.on(what);
    };

    expect(false);
    std::error_code error = co_await commit(stored);
    if (error) {
        co_return error == std::errc::no_space_on_device
            ? Reply{452, {4, 3, 1}, "not enough space to store the message"}
            : Reply{451, {4, 3, 0}, "the message could not be stored"};
    }
    ++messages_;
    co_return Reply{250, {2, 0, 0}, "ok, queued as " + text};
}

/// Resumes when the message is on disk, or cannot be.
net::awaitable<std::error_code> Session::commit(StoredPtr stored) {
    struct Outcome {  // a bare error_code would be thrown
        std::error_code error;
    };
    Outcome outcome = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Outcome)>(
        [this, &stored](auto handler) {
            auto shared = std::make_shared<decltype(handler)>(std::move(handler));
            reception_.spool().accept(
                stored, [shared](std::error_code error) { std::move (*shared)(Outcome{error}); });
        },
        asio::use_awaitable);
    co_return outcome.error;
}

}  // namespace postern::relay
