#include "sync/cluster/redis.h"

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <utility>

#include "sync/base/secret.h"
#include "sync/cluster/redis_url.h"
#include "sync/primary/url.h"
#include "sync/primary/words.h"
#include "sync/trouble.h"

namespace postern::sync {

namespace {

constexpr std::size_t some = 1024;  // octets of what a server says first
constexpr std::size_t telling = 8;  // octets of a password that show it
constexpr char alert = 21;          // the content type of what a TLS server says to who does not speak it

RedisUrl url_of(const RedisSettings& settings) {
    auto url = RedisUrl::parse(settings.url);
    if (!url) throw std::invalid_argument("the url of a Redis server " + url.error());
    return *url;
}

BaseUrl base_of(const RedisUrl& url) { return {url.tls, url.host, url.port, {}}; }

StreamSettings stream_settings(const RedisSettings& settings) {
    StreamSettings stream;
    stream.ca_file = settings.ca_file;
    stream.verify_tls = settings.verify_tls;
    return stream;
}

/// A server's words without the password: some repeat what they do not understand.
std::string safe(std::string_view words, std::string_view password) {
    const auto shows = [start = password.substr(0, telling)](std::string_view text) {
        return !start.empty() && text.find(start) != text.npos;
    };
    if (shows(words)) words = words.substr(0, words.find(' '));
    return shows(words) ? "(its words repeat the password)" : one_line(words);
}

std::vector<RedisCommand> first_commands(const std::string& username, std::string_view password,
                                         unsigned database) {
    std::vector<RedisCommand> commands;
    if (!password.empty()) {
        RedisCommand& auth = commands.emplace_back();
        auth.reserve(3);  // what is moved leaves a copy behind
        auth.emplace_back("AUTH");
        if (!username.empty()) auth.push_back(username);
        auth.emplace_back(password);
    }
    if (database != 0) commands.push_back({"SELECT", std::to_string(database)});
    commands.push_back({"CLIENT", "SETNAME", "postern"});
    return commands;
}

/// The name is for whoever looks at the server: that it cannot be set is no reason to do without one.
bool bearable(const RedisCommand& command, std::string_view error) {
    return command.front() == "CLIENT" && (error.starts_with("NOPERM ") || error.starts_with("ERR unknown "));
}

}  // namespace

Redis::Redis(RedisSettings settings, const base::Clock& clock, std::stop_token stop)
    : settings_(std::move(settings)),
      tls_(url_of(settings_).tls),
      database_(url_of(settings_).database),
      stream_(base_of(url_of(settings_)), stream_settings(settings_), clock, std::move(stop)) {}

void Redis::close() {
    stream_.close();
    connected_ = false;
}

std::string Redis::no_redis(std::string_view says) const {
    return "what answers at " + where() + " is no Redis server" +
           (says.empty() ? std::string() : ": it says \"" + std::string(says) + "\"");
}

Stream::Result<void> Redis::exchange(std::string_view request, RedisReplyReader& reader,
                                     base::Moment deadline) {
    const auto failed = [](Trouble trouble, std::string words) {
        return tl::make_unexpected(StreamFailure{StreamFault::transport, std::move(words), trouble});
    };
    if (auto written = stream_.write(request, deadline); !written) return written;
    std::array<char, 16384> in;  // as much as a record of TLS has
    for (;;) {
        const auto got = stream_.read(in.data(), in.size(), deadline);
        if (!got) return tl::make_unexpected(got.error());
        if (*got == 0)
            return failed(Trouble::closed, where() + " ended the connection without a whole answer");
        if (first_words_.size() < some) first_words_.append(in.data(), std::min(*got, some));
        switch (reader.feed({in.data(), *got})) {
            case RedisReplyReader::Step::more: break;
            case RedisReplyReader::Step::complete: return {};
            case RedisReplyReader::Step::malformed:
                return failed(Trouble::other,
                              "the answer of " + where() + " cannot be understood: " + reader.words());
            case RedisReplyReader::Step::too_large:
                return failed(Trouble::too_large,
                              "the answer of " + where() + " is too large: " + reader.words());
        }
    }
}

/// What a sign-in came to that was not answered as a Redis server does.
std::string Redis::why_not(const StreamFailure& failure, const std::string& unread,
                           std::string_view password) const {
    if (first_words_.empty() && failure.trouble == Trouble::closed && !tls_)
        return where() +
               " ended the connection without a word: if it speaks TLS, its url begins with rediss://";
    if (unread.empty()) return failure.words;
    if (first_words_.front() == alert)
        return "what answers at " + where() + " speaks TLS: its url begins with rediss://";
    // Only a whole line: of a part nobody knows whether a password is in it.
    const std::size_t end = first_words_.find('\n');
    std::string_view line = std::string_view(first_words_).substr(0, end == first_words_.npos ? 0 : end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return no_redis(safe(line, password));
}

Redis::Result<void> Redis::sign_in(std::string_view password, base::Moment deadline) {
    std::vector<RedisCommand> commands = first_commands(settings_.username, password, database_);
    std::string request = redis_request(commands);
    RedisReplyReader reader(commands.size());
    const auto exchanged = exchange(request, reader, deadline);
    base::wipe(request);
    if (!password.empty()) base::wipe(commands.front().back());
    // A server that has too many connections, or wants none from here, says so in the first answer and ends.
    const std::vector<RedisValue> answers = reader.take();
    for (std::size_t i = 0; i < answers.size(); ++i) {
        const RedisValue& answer = answers[i];
        if (answer.kind == RedisValue::Kind::text && answer.text == "OK") continue;
        if (answer.kind != RedisValue::Kind::error)
            return tl::make_unexpected(no_redis(safe(answer.text, password)));
        if (!bearable(commands[i], answer.text))
            return tl::make_unexpected(where() + " refuses " + commands[i].front() + ": " +
                                       safe(answer.text, password));
    }
    if (exchanged) return {};
    return tl::make_unexpected(answers.empty() ? why_not(exchanged.error(), reader.words(), password)
                                               : exchanged.error().words);
}

Redis::Result<void> Redis::connect(base::Moment deadline) {
    close();
    first_words_.clear();
    std::optional<base::Secret> password;
    if (!settings_.password_file.empty()) {
        auto read = base::Secret::read(settings_.password_file);
        if (!read) return tl::make_unexpected(read.error().why);
        password.emplace(std::move(*read));
    }
    if (const auto opened = stream_.open(deadline); !opened) return tl::make_unexpected(opened.error().words);
    ++connections_;
    return sign_in(password ? std::string_view(password->text()) : "", deadline);
}

Redis::Result<std::vector<RedisValue>> Redis::ask(const std::vector<RedisCommand>& commands,
                                                  base::Moment deadline) {
    if (!connected_ || !stream_.idle()) {
        if (const Result<void> made = connect(deadline); !made) {
            close();
            return tl::make_unexpected(made.error());
        }
    }
    connected_ = false;  // until the answers are there
    RedisReplyReader reader(commands.size());
    if (!commands.empty()) {
        if (const auto exchanged = exchange(redis_request(commands), reader, deadline); !exchanged) {
            close();
            return tl::make_unexpected(exchanged.error().words);
        }
    }
    connected_ = true;
    return reader.take();
}

}  // namespace postern::sync
