#include "relay/delivery/client.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "relay/delivery/dot_stuffing.h"

namespace postern::relay {

namespace {

constexpr std::size_t reply_line_max = 2048;  // RFC 5321 §4.5.3.1.5 asks for 512
constexpr std::size_t piece = 128 * 1024;     // of a file sent at once
constexpr std::string_view final_dot = ".\r\n";
constexpr net::Error malformed_reply = net::Error::line_too_long;

class File {
public:
    explicit File(const std::filesystem::path& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
    ~File() {
        if (fd_ >= 0) ::close(fd_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    int fd() const { return fd_; }

private:
    int fd_;
};

}  // namespace

Client::Client(std::shared_ptr<net::Connection> connection, Target target, const Options& options)
    : connection_(std::move(connection)), target_(std::move(target)), options_(options) {}

net::awaitable<std::error_code> Client::reply(Reply& out, std::chrono::seconds timeout) {
    // One deadline for the whole reply: a server that drips lines does not get a new one for each.
    connection_->deadline(timeout);
    ReplyParser parser;
    for (;;) {
        std::string_view line;
        if (auto error = co_await connection_->read_line(line, reply_line_max)) co_return error;
        switch (parser.feed(line)) {
            case ReplyParser::Step::more: break;
            case ReplyParser::Step::complete: out = parser.take(); co_return std::error_code();
            case ReplyParser::Step::malformed: co_return make_error_code(malformed_reply);
        }
    }
}

net::awaitable<bool> Client::hello(Refusal& refusal) {
    auto timeout = options_.delivery.command_timeout;
    Reply answer;
    refusal.stage = "ehlo";
    for (const char* verb : {"EHLO ", "HELO "}) {
        std::string line = verb + options_.hostname + "\r\n";
        connection_->deadline(timeout);
        std::error_code error = co_await connection_->write(line);
        if (!error) error = co_await reply(answer, timeout);
        if (error) {
            refusal.reason = net::describe(error);
            co_return false;
        }
        if (answer.positive()) {
            extensions_ = verb[0] == 'E' ? parse_extensions(answer) : Extensions();
            co_return true;
        }
        if (!answer.permanent()) break;
    }
    refusal.reply = answer;
    co_return false;
}

net::awaitable<std::unique_ptr<Client>> Client::attempt(net::io_context& io, const Target& target,
                                                        const Options& options, Refusal& refusal) {
    refusal = Refusal{"connect", {}, {}};
    std::error_code error;
    auto connection =
        co_await net::Connection::connect(io, target.endpoint, options.delivery.connect_timeout, error);
    if (!connection) {
        refusal.reason = net::describe(error);
        co_return nullptr;
    }
    std::unique_ptr<Client> client(new Client(std::move(connection), target, options));
    auto timeout = options.delivery.command_timeout;
    Reply greeting;
    refusal.stage = "greeting";
    error = co_await client->reply(greeting, timeout);
    if (error || greeting.code != 220) {
        refusal.reply = greeting;
        if (error) refusal.reason = net::describe(error);
        co_return nullptr;
    }
    if (!co_await client->hello(refusal)) co_return nullptr;

    if (target.tls != ClientTls::off && client->extensions_.starttls) {
        refusal.stage = "tls";
        client->connection_->deadline(timeout);
        error = co_await client->connection_->write("STARTTLS\r\n");
        Reply ready;
        if (!error) error = co_await client->reply(ready, timeout);
        if (!error && ready.code != 220) {
            refusal.reply = ready;
            co_return nullptr;
        }
        if (!error) {
            client->connection_->deadline(options.delivery.connect_timeout);
            error = co_await client->connection_->start_tls_client(options.tls, target.host,
                                                                   target.tls == ClientTls::verify);
        }
        if (error) {
            refusal.reason =
                error == net::Error::tls_failed ? client->connection_->tls_failure() : net::describe(error);
            co_return nullptr;
        }
        // What was said in clear text does not count any more (RFC 3207 §4.2).
        client->extensions_ = Extensions();
        if (!co_await client->hello(refusal)) co_return nullptr;
    } else if (target.tls == ClientTls::required || target.tls == ClientTls::verify) {
        refusal.stage = "tls";
        refusal.reason = "TLS is required and the server does not offer STARTTLS";
        co_return nullptr;
    }
    refusal = Refusal();
    co_return client;
}

net::awaitable<std::unique_ptr<Client>> Client::open(net::io_context& io, Target target,
                                                     const Options& options, Refusal& refusal) {
    auto client = co_await attempt(io, target, options, refusal);
    if (client || target.tls != ClientTls::opportunistic || refusal.stage != "tls") co_return client;
    Target clear = target;
    clear.tls = ClientTls::off;
    co_return co_await attempt(io, clear, options, refusal);
}

net::awaitable<std::error_code> Client::send_file(const Message& message, const std::filesystem::path& path) {
    File file(path);
    content_damaged = true;  // unless the last octet proves otherwise
    if (file.fd() < 0) co_return std::make_error_code(std::errc::no_such_file_or_directory);
    std::string buffer(piece, '\0');
    bool line_start = true;
    std::uint32_t sum = 0;
    for (std::uint64_t left = message.content.size; left > 0;) {
        ssize_t got = ::read(file.fd(), buffer.data(), std::min<std::uint64_t>(left, buffer.size()));
        if (got <= 0) co_return std::make_error_code(std::errc::bad_message);
        left -= static_cast<std::uint64_t>(got);
        std::string_view octets(buffer.data(), static_cast<std::size_t>(got));
        sum = checksum(octets, sum);
        connection_->deadline(options_.delivery.command_timeout);
        std::error_code error;
        if (message.content.dots) {
            std::string stuffed = stuff_dots(octets, line_start);
            error = co_await connection_->write(stuffed);
        } else {
            error = co_await connection_->write(octets);
        }
        if (error) {
            content_damaged = false;
            co_return error;
        }
    }
    if (sum != message.content.checksum) co_return std::make_error_code(std::errc::bad_message);
    content_damaged = false;
    co_return co_await connection_->write(final_dot);
}

net::awaitable<std::error_code> Client::send_content(const Message& message, const ContentSource& source) {
    connection_->deadline(options_.delivery.command_timeout);
    if (!source.bytes) {
        if (auto error = co_await connection_->write(message.content.trace)) co_return error;
        co_return co_await send_file(message, source.file);
    }
    std::string stuffed;
    std::string_view octets = *source.bytes;
    if (message.content.dots) {
        bool line_start = true;
        stuffed = stuff_dots(octets, line_start);
        octets = stuffed;
    }
    // The final dot goes out with the last of the content: apart from it, it would wait for an
    // acknowledgement.
    std::array<asio::const_buffer, 3> parts{asio::buffer(message.content.trace), asio::buffer(octets),
                                            asio::buffer(final_dot)};
    co_return co_await connection_->write(std::span<const asio::const_buffer>(parts));
}

net::awaitable<void> Client::run(Transaction& transaction, const Message& message, ContentSource content) {
    auto timeout = options_.delivery.command_timeout;
    ++transactions;
    while (!transaction.done()) {
        std::error_code error;
        if (std::string commands = transaction.to_send(); !commands.empty()) {
            // A reply nobody asked for would be taken for the answer to what is asked next.
            if (!connection_->buffered().empty()) {
                transaction.lost("the server sent a reply that nothing had asked for");
                break;
            }
            connection_->deadline(timeout);
            error = co_await connection_->write(commands);
        }
        if (!error && transaction.wants_content()) {
            if (transaction.discard())
                error = co_await connection_->write(final_dot);
            else
                error = co_await send_content(message, content);
            if (!error) transaction.content_sent();
        }
        Reply answer;
        if (!error) {
            bool dot = std::string_view(transaction.stage()) == "dot";
            error = co_await reply(answer, dot ? options_.delivery.data_timeout : timeout);
        }
        if (error)
            transaction.lost(error == malformed_reply ? "the server's reply cannot be understood"
                                                      : net::describe(error));
        else
            transaction.on_reply(std::move(answer));
    }
    needs_reset = transaction.needs_reset();
}

net::awaitable<void> Client::quit() {
    connection_->deadline(std::chrono::seconds(5));
    if (auto error = co_await connection_->write("QUIT\r\n"); !error) {
        // The answer is waited for, so that the server sees an orderly end, but not for long.
        Reply ignored;
        co_await reply(ignored, std::chrono::seconds(5));
    }
    connection_->close();
}

}  // namespace postern::relay
