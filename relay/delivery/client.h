// An SMTP session with a next hop: greeting, EHLO, TLS, transactions, QUIT.
#pragma once

#include <asio/any_io_executor.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include "relay/delivery/form.h"
#include "relay/delivery/meaning.h"
#include "relay/delivery/target.h"
#include "relay/delivery/transaction.h"
#include "relay/mail/message.h"
#include "relay/mail/stage.h"
#include "relay/net/connection.h"
#include "relay/settings.h"
#include "relay/tls_reports/session.h"
#include "sync/base/clock.h"

namespace postern::relay {

/// Why there is no session: the server's reply, or an error in words, and at which stage.
struct Refusal {
    Stage stage = Stage::none;
    Reply reply;  // code 0 when it was no reply
    std::string reason;
    std::error_code error{};  // of the connection, where there was one
    bool no_source = false;   // our own address cannot be used
    bool ours = false;        // we are short of descriptors or memory, which says nothing about the host
    Meaning meaning = Meaning::host;
    std::optional<TlsSession> tls{};  // where it is TLS that there is none of
};

/// Its connection lives on one loop, and whoever has it may be on another: by one coroutine at a time; what
/// may be called besides is abort() and abort_before_dot(). One thing: one session with one server, in the
/// order that SMTP has it.
class Client {
public:
    using Login = relay::Login;
    struct Options {
        Source source;  // where we call from, and our EHLO name
        net::TlsContext tls;
        std::chrono::seconds connect_timeout, command_timeout, data_timeout;  // as in DeliverySettings
        asio::any_io_executor files;                                          // where files are read
        std::optional<Login> login;
        /// Shorter ones where others wait, or another way is open; 0: connect_timeout, command_timeout.
        std::chrono::seconds connect_patience{0}, greeting_patience{0};
        /// What is known of the host: why its TLS does not work, "" when that is not known; and whether mail
        /// was ever taken over it.
        std::string tls_failed{};
        bool tls_works = false;
    };

    /// On `io`. nullptr with `refusal` set when no session can be had; never throws. Where TLS is
    /// opportunistic and fails, in the handshake or when the first EHLO behind it is not answered, a second
    /// attempt is made in clear text.
    static net::awaitable<std::unique_ptr<Client>> open(net::io_context& io, const base::Clock& clock,
                                                        net::Outside& outside, Target target,
                                                        const Options& options, Refusal& refusal);

    /// Runs one transaction; its outcomes are then complete. Does not throw on outside errors. When the
    /// content cannot be had the final dot is not sent, so that nobody has taken it, and the connection is of
    /// no more use.
    net::awaitable<std::optional<ContentFault>> run(Transaction& transaction, const Message& message,
                                                    Form content);
    /// One command outside a transaction, for a trial; code 0 with the text set when the connection failed.
    net::awaitable<Reply> command(std::string line);
    net::awaitable<void> quit();
    void abort();
    /// Unless all was sent, so that the server may have taken it.
    void abort_before_dot();

    const Extensions& extensions() const { return extensions_; }
    const std::string& name() const { return name_; }  // what the server calls itself in its greeting
    const Target& target() const { return target_; }
    const Source& source() const { return options_.source; }
    std::string tls() const;  // what was wanted and what was reached
    bool encrypted() const { return !connection_->tls().empty(); }
    bool verified() const { return encrypted() && connection_->unverified().empty(); }
    /// What meaning_of() wants to know of the session.
    Before before() const;
    bool gave_up_tls() const { return !fallback_.empty(); }
    Time opened() const { return opened_; }
    /// For reports about TLS.
    TlsSession tls_session() const;
    /// Why the server's certificate does not stand up to an MTA-STS policy that is only being tested; "" when
    /// there is none, or it does.
    std::string would_fail() const;
    net::awaitable<bool> stale();
    bool needs_reset = false;  // the last transaction left something open
    unsigned transactions = 0;

private:
    Client(net::io_context& io, std::shared_ptr<net::Connection> connection, Target target,
           const Options& options, Time opened);

    // On its loop.
    static net::awaitable<std::unique_ptr<Client>> open_there(net::io_context& io, const base::Clock& clock,
                                                              net::Outside& outside, Target target,
                                                              const Options& options, Refusal& refusal);
    static net::awaitable<std::unique_ptr<Client>> attempt(net::io_context& io, const base::Clock& clock,
                                                           net::Outside& outside, const Target& target,
                                                           const Options& options, Refusal& refusal);
    static net::awaitable<std::unique_ptr<Client>> start(net::io_context& io, const base::Clock& clock,
                                                         net::Outside& outside, const Target& target,
                                                         const Options& options, Refusal& refusal);
    net::awaitable<std::optional<ContentFault>> exchange(Transaction& transaction, const Message& message,
                                                         Form content);
    net::awaitable<Reply> command_there(std::string line);
    net::awaitable<void> quit_there();
    net::awaitable<bool> stale_there();
    net::awaitable<bool> hello(Refusal& refusal);
    net::awaitable<bool> secure(Refusal& refusal);
    net::awaitable<bool> log_in(Refusal& refusal);
    /// `only`: no reply to a further command is on its way, that could be taken for this one.
    net::awaitable<std::error_code> reply(Reply& out, std::chrono::seconds timeout, bool only = true);
    /// Sends one command (with its line end), and reads the reply to it.
    net::awaitable<std::error_code> ask(std::string_view line, Reply& answer);
    void refuse_unasked(Transaction& transaction);

    net::io_context& io_;
    std::shared_ptr<net::Connection> connection_;
    Target target_;
    Options options_;
    Extensions extensions_;
    std::string name_;
    std::string fallback_;         // why this is clear text although TLS was offered
    long failed_certificate_ = 0;  // what was wrong with it then
    bool took_ = false;
    /// The final dot may be out, and no answer to it is there. The connection's loop alone touches it.
    const std::shared_ptr<bool> behind_dot_ = std::make_shared<bool>(false);
    Time opened_;
};

}  // namespace postern::relay
