#include "relay/delivery/client.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "relay/delivery/content_sender.h"
#include "relay/delivery/sasl.h"
#include "relay/limits.h"
#include "relay/net/elsewhere.h"
#include "relay/net/on_loop.h"
#include "sync/base/file_fault.h"
#include "sync/base/secret.h"

namespace postern::relay {

namespace {

constexpr std::size_t reply_line_max = 2048;  // RFC 5321 §4.5.3.1.5 asks for 512; the rest of it is not kept
constexpr std::chrono::seconds last_word{2};  // for a reply that is there already
constexpr int auth_steps_max = 10;

}  // namespace

Client::Client(net::io_context& io, std::shared_ptr<net::Connection> connection, Target target,
               const Options& options, Time opened)
    : io_(io),
      connection_(std::move(connection)),
      target_(std::move(target)),
      options_(options),
      opened_(opened) {}

net::awaitable<std::error_code> Client::reply(Reply& out, std::chrono::seconds timeout, bool only) {
    // One deadline for the whole reply: a server that drips lines does not get a new one for each.
    connection_->deadline(timeout);
    ReplyParser parser;
    std::string line;
    for (std::size_t octets = 0; octets <= limits::reply;) {
        if (auto error = co_await connection_->fill()) co_return error;
        std::string_view came = connection_->buffered();
        const std::size_t end = came.find('\n');
        const bool whole = end != std::string_view::npos;
        came = came.substr(0, whole ? end + 1 : end);
        octets += came.size();
        line += came.substr(0, reply_line_max - std::min(line.size(), reply_line_max));
        connection_->consume(came.size());
        if (!whole) continue;
        while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
        const auto step = parser.feed(line);
        line.clear();
        if (step == ReplyParser::Step::complete) {
            out = parser.take();
            co_return std::error_code();
        }
        const bool nothing = step == ReplyParser::Step::stray && (!only || connection_->buffered().empty());
        if (step == ReplyParser::Step::malformed || nothing) break;
    }
    co_return make_error_code(net::Error::not_understood);
}

net::awaitable<std::error_code> Client::ask(std::string_view line, Reply& answer) {
    // It would be taken for the answer; 421 is one to any command (RFC 5321 §3.8).
    if (const std::string unasked = connection_->unread(3); !std::string_view("421").starts_with(unasked))
        co_return make_error_code(net::Error::unasked);
    connection_->deadline(options_.command_timeout);
    if (auto error = co_await connection_->write(line)) co_return error;
    co_return co_await reply(answer, options_.command_timeout);
}

Before Client::before() const {
    Before out;
    out.reused = transactions > 0;
    out.took = took_;
    out.unproven_tls = target_.policy->tls == ClientTls::opportunistic && encrypted() && !options_.tls_works;
    out.gave_up_tls = gave_up_tls();
    return out;
}

net::awaitable<bool> Client::hello(Refusal& refusal) {
    refusal = Refusal{Stage::ehlo, {}, {}};
    for (const char* verb : {"EHLO ", "HELO "}) {
        Reply answer;
        const std::error_code error = co_await ask(verb + options_.source.hostname + "\r\n", answer);
        refusal.meaning = meaning_of(Stage::ehlo, answer, before());
        if (refusal.meaning == Meaning::go_on) {
            extensions_ = verb[0] == 'E' ? parse_extensions(answer) : Extensions();
            co_return true;
        }
        if (error) {
            // What EHLO was told stands, where HELO is told nothing.
            if (refusal.reply.code != 0) refusal.meaning = Meaning::host;
            refusal.reason = net::describe(error);
            co_return false;
        }
        refusal.reply = std::move(answer);
        if (!refusal.reply.permanent() || refusal.reply.code == 521) break;
    }
    co_return false;
}

/// attempt(), and what is thrown is a refusal like any other.
net::awaitable<std::unique_ptr<Client>> Client::start(net::io_context& io, const base::Clock& clock,
                                                      net::Outside& outside, const Target& target,
                                                      const Options& options, Refusal& refusal) {
    try {
        co_return co_await attempt(io, clock, outside, target, options, refusal);
    } catch (const std::exception& fault) {
        const auto* system = dynamic_cast<const std::system_error*>(&fault);
        refusal.reason = fault.what();
        refusal.meaning = Meaning::host;
        refusal.ours = dynamic_cast<const std::bad_alloc*>(&fault) != nullptr ||
                       (system != nullptr && base::is_passing(net::of_system(system->code())));
    }
    co_return nullptr;
}

net::awaitable<std::unique_ptr<Client>> Client::attempt(net::io_context& io, const base::Clock& clock,
                                                        net::Outside& outside, const Target& target,
                                                        const Options& options, Refusal& refusal) {
    refusal = Refusal{Stage::connect, {}, {}};
    std::error_code error;
    auto patience = options.connect_patience.count() > 0 ? options.connect_patience : options.connect_timeout;
    auto connection = co_await net::Connection::connect(io, clock, outside, target.endpoint,
                                                        options.source.address, patience, error);
    if (!connection) {
        refusal.reason = net::describe(error);
        refusal.error = error;
        refusal.ours = base::is_passing(net::of_system(error));
        refusal.no_source = error == net::Error::no_such_address;
        if (refusal.no_source) refusal.reason = options.source.address + ": " + refusal.reason;
        co_return nullptr;
    }
    std::unique_ptr<Client> client(new Client(io, std::move(connection), target, options, clock.steady()));
    bool implicit = target.policy->tls == ClientTls::implicit;
    if (implicit && !co_await client->secure(refusal)) co_return nullptr;
    Reply greeting;
    refusal = Refusal{Stage::greeting, {}, {}};
    patience = options.greeting_patience.count() > 0
                   ? std::min(options.greeting_patience, options.command_timeout)
                   : options.command_timeout;
    error = co_await client->reply(greeting, patience);
    refusal.meaning = meaning_of(Stage::greeting, greeting, client->before());
    if (refusal.meaning != Meaning::go_on) {
        refusal.reply = std::move(greeting);
        refusal.error = error;
        if (error) refusal.reason = net::describe(error);
        co_return nullptr;
    }
    client->name_ = greeting.text.substr(0, greeting.text.find_first_of(" \n"));
    if (!co_await client->hello(refusal)) co_return nullptr;
    ClientTls wanted = target.policy->tls;
    if (!implicit && wanted != ClientTls::off) {
        if (client->extensions_.starttls) {
            if (!co_await client->secure(refusal)) co_return nullptr;
            // What was said in clear text does not count any more (RFC 3207 §4.2).
            client->extensions_ = Extensions();
            if (!co_await client->hello(refusal)) co_return nullptr;
        } else if (wanted != ClientTls::opportunistic) {
            refusal = Refusal{Stage::tls, {}, {}};
            refusal.reason =
                "TLS policy " + target.policy->text() + ", and the server does not offer STARTTLS";
            refusal.tls = client->tls_session();
            refusal.tls->why = "the server does not offer STARTTLS";
            co_return nullptr;
        }
    }
    if (options.login && !co_await client->log_in(refusal)) co_return nullptr;
    refusal = Refusal();
    co_return client;
}

/// STARTTLS, unless TLS is implicit, and the handshake.
net::awaitable<bool> Client::secure(Refusal& refusal) {
    const HostPolicy& policy = *target_.policy;
    refusal = Refusal{Stage::tls, {}, {}};
    refusal.meaning = meaning_of(Stage::tls, Reply(), before());
    std::error_code error;
    if (policy.tls != ClientTls::implicit) {
        Reply ready;
        error = co_await ask("STARTTLS\r\n", ready);
        if (!error && ready.code != 220) {
            refusal.reply = ready;
            refusal.tls = tls_session();
            refusal.tls->why = ready.line();
            co_return false;
        }
    }
    if (!error) {
        net::PeerProof proof;
        proof.host = target_.host;
        proof.names = policy.names;
        proof.tlsa = policy.tlsa;
        if (policy.tls == ClientTls::dane)
            proof.by = net::PeerProof::By::dane;
        else if (policy.tls == ClientTls::verify || policy.tls == ClientTls::implicit)
            proof.by = net::PeerProof::By::name;
        connection_->deadline(options_.connect_timeout);
        error = co_await connection_->start_tls_client(options_.tls, std::move(proof));
    }
    if (!error) co_return true;
    refusal.reason = error == net::Error::tls_failed ? connection_->tls_failure() : net::describe(error);
    refusal.tls = tls_session();
    refusal.tls->why = refusal.reason;
    if (policy.tls != ClientTls::opportunistic) refusal.reason += "; TLS policy " + policy.text();
    co_return false;
}

net::awaitable<bool> Client::log_in(Refusal& refusal) {
    const Login& login = *options_.login;
    refusal = Refusal{Stage::auth, {}, {}};
    if (!login.insecure && !verified()) {
        refusal.reason = "the password is not told to a server that has not proven who it is (" +
                         (encrypted() ? connection_->unverified() : std::string("no TLS")) + ")";
        co_return false;
    }
    auto mechanism = choose_mechanism(extensions_.auth);
    if (!mechanism) {
        refusal.reason = "the server offers no AUTH mechanism that we know";
        for (const auto& name : extensions_.auth) refusal.reason += ' ' + name;
        co_return false;
    }
    auto read = [file = login.password_file] { return base::Secret::read(file); };
    const auto password = co_await net::elsewhere(options_.files, read);
    if (!password) {
        refusal.reason = password.error().why;
        refusal.ours = base::is_passing(password.error().error);
        co_return false;
    }
    Sasl sasl(*mechanism, login.user, password->text());
    std::string line = sasl.start();
    for (int step = 0; step < auth_steps_max; ++step) {
        line += "\r\n";
        Reply answer;
        const std::error_code error = co_await ask(line, answer);
        OPENSSL_cleanse(line.data(), line.size());
        if (error) {
            refusal.reason = net::describe(error);
            co_return false;
        }
        if (answer.code != 334) {
            if (answer.code == 235 && sasl.finished(answer.text)) co_return true;
            refusal.reply = answer;
            refusal.reason = answer.code == 235 ? "the server has not proven that it knows the password"
                                                : "the server refuses user " + login.user;
            if (const std::string doubt = password->doubt(); !doubt.empty())
                refusal.reason += "; the password in " + login.password_file.string() + ' ' + doubt;
            co_return false;
        }
        auto response = sasl.respond(answer.text);
        line = response ? *response : "*";
        if (!response) refusal.reason = response.error();
    }
    refusal.reason = "AUTH does not come to an end";
    co_return false;
}

std::string Client::tls() const {
    std::string reached = connection_->tls();
    if (reached.empty())
        reached = fallback_.empty() ? "clear text" : "clear text (" + fallback_ + ")";
    else
        reached += verified() ? ", verified" : ", not verified";
    return target_.policy->text() + ": " + reached;
}

TlsSession Client::tls_session() const {
    TlsSession out;
    out.host = target_.host;
    out.receiving = connection_->peer();
    out.helo = name_;
    out.sending = connection_->own();
    out.offered = !fallback_.empty() || extensions_.starttls || target_.policy->tls == ClientTls::implicit;
    out.encrypted = encrypted();
    // Of a handshake that failed it is not known to be of no matter.
    out.certificate = fallback_.empty() ? connection_->certificate_fault() : failed_certificate_;
    out.why = fallback_;
    if (!out.encrypted && !out.offered) out.why = "the server does not offer STARTTLS";
    return out;
}

std::string Client::would_fail() const {
    if (!target_.policy->would_bar.empty()) return target_.policy->would_bar + ", which is being tested";
    if (!target_.policy->testing || verified()) return {};
    return target_.policy->text() + " would not allow " + target_.text() + ": " +
           (encrypted() ? connection_->unverified() : std::string("it offers no TLS"));
}

net::awaitable<std::unique_ptr<Client>> Client::open(net::io_context& io, const base::Clock& clock,
                                                     net::Outside& outside, Target target,
                                                     const Options& options, Refusal& refusal) {
    co_return co_await net::on_loop(io, open_there(io, clock, outside, std::move(target), options, refusal));
}

net::awaitable<std::unique_ptr<Client>> Client::open_there(net::io_context& io, const base::Clock& clock,
                                                           net::Outside& outside, Target target,
                                                           const Options& options, Refusal& refusal) {
    const bool optional = target.policy->tls == ClientTls::opportunistic;
    std::string why = optional ? options.tls_failed : std::string();
    if (why.empty()) {
        auto client = co_await start(io, clock, outside, target, options, refusal);
        if (client || !optional || refusal.meaning != Meaning::clear_text) co_return client;
        why = refusal.reason.empty() ? refusal.reply.line() : refusal.reason;
        if (why.empty()) why = "TLS failed";
    }
    auto failed = std::move(refusal.tls);
    auto clear = std::make_shared<HostPolicy>(*target.policy);
    clear->tls = ClientTls::off;
    HostPolicyPtr wanted = std::exchange(target.policy, std::move(clear));
    auto client = co_await start(io, clock, outside, target, options, refusal);
    // That it does not want us in clear text either says no more than that TLS failed.
    if (!client) {
        refusal.meaning = Meaning::host;
        refusal.reason += (refusal.reason.empty() ? "in clear text, because TLS failed: "
                                                  : ", in clear text, because TLS failed: ") +
                          why;
        refusal.tls = std::move(failed);
        co_return nullptr;
    }
    client->target_.policy = std::move(wanted);
    client->fallback_ = std::move(why);
    if (failed) client->failed_certificate_ = failed->certificate;
    co_return client;
}

net::awaitable<Reply> Client::command(std::string line) {
    co_return co_await net::on_loop(io_, command_there(std::move(line)));
}

net::awaitable<Reply> Client::command_there(std::string line) {
    line += "\r\n";
    Reply answer;
    const std::error_code error = co_await ask(line, answer);
    if (error) answer = Reply{0, {}, net::describe(error)};
    co_return answer;
}

net::awaitable<std::optional<ContentFault>> Client::run(Transaction& transaction, const Message& message,
                                                        Form content) {
    ++transactions;
    std::optional<ContentFault> fault;
    try {
        fault = co_await net::on_loop(io_, exchange(transaction, message, std::move(content)));
    } catch (const std::exception& what) {
        transaction.lost(what.what());
    }
    took_ = took_ || transaction.taken();
    needs_reset = transaction.needs_reset();
    co_return fault;
}

void Client::refuse_unasked(Transaction& transaction) {
    if (!transaction.at_rest()) return;
    if (const std::string octets = connection_->unread(3); !octets.empty()) transaction.unasked(octets);
}

net::awaitable<std::optional<ContentFault>> Client::exchange(Transaction& transaction, const Message& message,
                                                             Form content) {
    const auto timeout = options_.command_timeout;
    const SendingTerms terms{options_.files, timeout, *behind_dot_};
    *behind_dot_ = false;
    while (!transaction.done()) {
        refuse_unasked(transaction);
        if (transaction.done()) break;
        Unsent unsent;
        if (std::string commands = transaction.to_send(); !commands.empty()) {
            connection_->deadline(timeout);
            unsent.error = co_await connection_->write(commands);
        }
        if (!unsent && transaction.wants_content()) {
            if (transaction.discard())
                unsent.error = co_await connection_->write(final_dot);
            else
                unsent = co_await send_content(*connection_, terms, message, content);
            if (!unsent) transaction.content_sent();
        }
        if (unsent.fault) {
            transaction.lost(unsent.fault->why);
            co_return std::move(unsent.fault);
        }
        // Who does not read on has often said why.
        Reply answer;
        const bool last = transaction.stage() == Stage::dot;
        const auto patience = unsent ? last_word : last ? options_.data_timeout : timeout;
        auto error = co_await reply(answer, patience, last || !extensions_.pipelining);
        if (error == net::Error::not_understood && !unsent)
            transaction.garbled(net::describe(error));
        else if (error)
            transaction.lost(net::describe(unsent ? unsent.error : error));
        else
            transaction.on_reply(answer);
    }
    *behind_dot_ = false;
    refuse_unasked(transaction);
    co_return std::nullopt;
}

void Client::abort() {
    asio::dispatch(io_, [connection = connection_] { connection->close(); });
}

void Client::abort_before_dot() {
    asio::dispatch(io_, [connection = connection_, behind_dot = behind_dot_] {
        if (!*behind_dot) connection->close();
    });
}

net::awaitable<bool> Client::stale() { co_return co_await net::on_loop(io_, stale_there()); }

net::awaitable<bool> Client::stale_there() { co_return connection_->stale(); }

net::awaitable<void> Client::quit() { co_await net::on_loop(io_, quit_there()); }

net::awaitable<void> Client::quit_there() {
    connection_->deadline(std::chrono::seconds(5));
    if (auto error = co_await connection_->write("QUIT\r\n"); !error) {
        // The answer is waited for, so that the server sees an orderly end, but not for long.
        Reply ignored;
        co_await reply(ignored, std::chrono::seconds(5));
    }
    connection_->close();
}

}  // namespace postern::relay
