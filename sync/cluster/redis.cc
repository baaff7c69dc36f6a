#include "sync/cluster/redis.h"

#include <array>
#include <stdexcept>

#include "sync/base/secret.h"
#include "sync/base/words.h"
#include "sync/primary/url.h"

namespace postern::sync {

namespace {

constexpr std::array<Scheme, 2> schemes{{{"redis", 6379, false}, {"rediss", 6379, true}}};
constexpr std::size_t piece = 64u << 10, words_max = 200;
constexpr unsigned most_databases = 1u << 16;

RedisUrl parsed(const std::string& url) {
    auto out = RedisUrl::parse(url);
    if (!out) throw std::invalid_argument(out.error());
    return std::move(*out);
}

BaseUrl base_of(const RedisUrl& url) { return {url.tls, url.host, url.port, {}}; }

StreamSettings stream_settings(const RedisSettings& settings) {
    StreamSettings out;
    out.ca_file = settings.ca_file;
    out.verify_tls = settings.verify_tls;
    return out;
}

}  // namespace

tl::expected<RedisUrl, std::string> RedisUrl::parse(std::string_view url) {
    const auto not_one = [](std::string_view why) {
        return tl::make_unexpected(
            std::string(why) + ": write it as \"redis://host:6379/0\", or \"rediss://host:6379/0\" for TLS");
    };
    if (url.find('@') != std::string_view::npos)
        return tl::make_unexpected(
            std::string("names a user before the \"@\": give username and password_file instead"));
    const auto base = BaseUrl::parse(url, schemes);
    if (!base) return not_one("is no URL of a Redis or Valkey");
    RedisUrl out{base->tls, base->host, base->port, 0};
    std::string_view path = base->prefix;
    if (!path.empty()) path.remove_prefix(1);
    if (!path.empty() && (!base::parse_number(path, out.database) || out.database >= most_databases))
        return not_one("what stands behind the host is no number of a database");
    return out;
}

Redis::Redis(RedisSettings settings, const base::Clock& clock, std::stop_token stop)
    : settings_(std::move(settings)),
      url_(parsed(settings_.url)),
      stream_(base_of(url_), stream_settings(settings_), clock, std::move(stop)) {}

void Redis::close() {
    stream_.close();
    replies_.reset();
}

tl::expected<void, std::string> Redis::connect(base::Moment deadline) {
    if (const auto opened = stream_.open(deadline); !opened) return tl::make_unexpected(opened.error().words);
    replies_.emplace();
    ++connections_;
    std::vector<RedisCommand> first;
    std::optional<base::Secret> password;
    if (!settings_.password_file.empty()) {
        auto read = base::Secret::read(settings_.password_file);
        if (!read) return tl::make_unexpected("cluster.password_file: " + read.error().why);
        password.emplace(std::move(*read));
        first.push_back({"AUTH"});
        if (!settings_.username.empty()) first.back().push_back(settings_.username);
        first.back().push_back(password->text());
    }
    if (url_.database != 0) first.push_back({"SELECT", std::to_string(url_.database)});
    first.push_back({"CLIENT", "SETNAME", "postern"});
    const auto answers = exchange(first, deadline);
    for (auto& command : first)
        for (auto& word : command) base::wipe(word);
    if (!answers) return tl::make_unexpected(answers.error());
    for (std::size_t at = 0; at < answers->size(); ++at) {
        const auto& answer = (*answers)[at];
        // What nobody needs to be allowed.
        if (answer.kind != RedisValue::Kind::error || at + 1 == answers->size()) continue;
        return tl::make_unexpected(where() +
                                   (password && at == 0 ? " refuses the password" : " has no such database") +
                                   ": \"" + answer.text.substr(0, words_max) + '"');
    }
    return {};
}

Redis::Answers Redis::exchange(const std::vector<RedisCommand>& commands, base::Moment deadline) {
    std::string octets;
    for (const auto& command : commands) {
        std::string one = to_octets(command);
        octets += one;
        base::wipe(one);
    }
    const auto written = stream_.write(octets, deadline);
    base::wipe(octets);
    if (!written) return tl::make_unexpected(written.error().words);
    std::vector<RedisValue> answers;
    std::string in(piece, '\0');
    while (true) {
        while (answers.size() < commands.size()) {
            auto answer = replies_->take();
            if (!answer) break;
            answers.push_back(std::move(*answer));
        }
        if (answers.size() == commands.size()) return answers;
        if (replies_->failed())
            return tl::make_unexpected("what answers at " + where() +
                                       " is no Redis or Valkey, or says too much");
        const auto got = stream_.read(in.data(), in.size(), deadline);
        if (!got) return tl::make_unexpected(got.error().words);
        if (*got == 0)
            return tl::make_unexpected("the connection to " + where() + " ended before all was answered");
        replies_->feed({in.data(), *got});
    }
}

Redis::Answers Redis::ask(const std::vector<RedisCommand>& commands, base::Moment deadline) {
    Answers out = std::vector<RedisValue>();
    if (connected() && !stream_.idle()) close();  // it ended meanwhile
    if (!connected())
        if (const auto ready = connect(deadline); !ready) out = tl::make_unexpected(ready.error());
    if (out) out = exchange(commands, deadline);
    if (!out) close();
    return out;
}

}  // namespace postern::sync
