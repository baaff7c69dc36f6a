#include "sync/smtp/smtp.h"

#include <algorithm>
#include <random>
#include <stdexcept>

namespace postern::sync {

using smtp::Existence;
using smtp::Reply;
using smtp::ReplyReader;

namespace {

constexpr auto step = std::chrono::seconds(10);   // for a command and its reply
constexpr auto whole = std::chrono::seconds(30);  // for a question
constexpr auto test_lasts = std::chrono::hours(6);
constexpr int service_closing = 421;

BaseUrl mail_url(const PrimarySettings& settings) {
    auto url = BaseUrl::parse(settings.url, mail_schemes);
    if (!url) throw std::invalid_argument("not the url of a mail server: " + settings.url);
    return *url;
}

StreamSettings stream_settings(const PrimarySettings& settings) {
    StreamSettings stream;
    stream.ca_file = settings.ca_file;
    stream.verify_tls = settings.verify_tls && mail_url(settings).tls;
    stream.silence = step;
    return stream;
}

tl::unexpected<Failure> failed(Fault fault, std::string words, Trouble trouble = Trouble::other) {
    return tl::make_unexpected(Failure{fault, std::move(words), {}, trouble});
}

std::string invented_name() {
    std::random_device random;
    return "no-such-user-" + std::to_string(random()) + "-" + std::to_string(random());
}

}  // namespace

Smtp::Smtp(PrimarySettings settings, const base::Clock& clock, std::stop_token stop)
    : settings_(std::move(settings)),
      clock_(clock),
      stream_(mail_url(settings_), stream_settings(settings_), clock, std::move(stop)),
      tls_(mail_url(settings_).tls) {}

Result<Reply> Smtp::reply(base::Moment deadline) {
    const auto until = std::min(deadline, clock_.now() + step);
    ReplyReader reader;
    std::array<char, 4096> in;
    for (;;) {
        const auto got = stream_.read(in.data(), in.size(), until);
        if (!got) return tl::make_unexpected(failure_of(got.error()));
        if (*got == 0)
            return failed(Fault::unreachable, stream_.where() + " ended the connection without a reply",
                          Trouble::closed);
        switch (reader.feed({in.data(), *got})) {
            case ReplyReader::Step::more: break;
            case ReplyReader::Step::complete: return reader.take();
            case ReplyReader::Step::malformed:
                return failed(Fault::unreachable, "what answers at " + stream_.where() + " is no mail server",
                              Trouble::not_http);
        }
    }
}

Result<Reply> Smtp::say(std::string_view command, base::Moment deadline) {
    const auto written =
        stream_.write(std::string(command) + "\r\n", std::min(deadline, clock_.now() + step));
    if (!written) return tl::make_unexpected(failure_of(written.error()));
    Result<Reply> answer = reply(deadline);
    if (answer && answer->code == service_closing)
        return failed(Fault::busy, "the primary ends the connection: " + answer->words(), Trouble::busy);
    return answer;
}

/// EHLO; its answer.
Result<Reply> Smtp::greet(base::Moment deadline) {
    Result<Reply> answer = say("EHLO " + settings_.hostname, deadline);
    if (answer && !answer->positive())
        return failed(Fault::busy, "the primary refuses EHLO: " + answer->words(), Trouble::busy);
    return answer;
}

/// A connection on which mail could begin, in TLS where that is offered and works; the answer to EHLO.
Result<Reply> Smtp::open(base::Moment deadline) {
    if (const auto opened = stream_.open(deadline); !opened)
        return tl::make_unexpected(failure_of(opened.error()));
    Result<Reply> greeting = reply(deadline);
    if (!greeting) return greeting;
    if (!greeting->positive())
        return failed(Fault::busy, "the primary does not want to talk: " + greeting->words(), Trouble::busy);
    Result<Reply> offer = greet(deadline);
    if (!offer || tls_ || clear_ || !offer->offers("STARTTLS")) return offer;
    Result<Reply> begin = say("STARTTLS", deadline);
    if (!begin) return begin;
    if (begin->positive()) {
        const auto secured = stream_.start_tls(deadline);
        if (secured) return greet(deadline);
        if (secured.error().fault == StreamFault::cancelled)
            return tl::make_unexpected(failure_of(secured.error()));
    }
    clear_ = true;  // an answer in clear text is worth more than none
    return open(deadline);
}

void Smtp::leave(base::Moment deadline) {
    [[maybe_unused]] const auto nobody_waits = stream_.write("QUIT\r\n", deadline);
    stream_.close();
}

/// What the server says of one recipient; the connection is closed again.
Result<Reply> Smtp::recipient(std::string_view path) {
    const auto deadline = clock_.now() + whole;
    ++requests_;
    Result<Reply> answer = open(deadline);
    if (answer) answer = say("MAIL FROM:<>", deadline);
    if (answer && !answer->positive())
        answer = failed(Fault::busy, "the primary takes no mail without a sender: " + answer->words(),
                        Trouble::busy);
    if (answer) answer = say("RCPT TO:" + std::string(path), deadline);
    if (answer) {
        leave(deadline);
    } else {
        stream_.close();
    }
    return answer;
}

Result<bool> Smtp::exists(std::string_view local_part, std::string_view domain) {
    const std::string path = smtp::path(local_part, domain);
    if (path.empty()) return failed(Fault::refused, "an address that no command can carry");
    const Result<Reply> answer = recipient(path);
    if (!answer) return tl::make_unexpected(answer.error());
    switch (smtp::judge(*answer)) {
        case Existence::exists: return true;
        case Existence::absent: return false;
        case Existence::unknown: break;
    }
    return failed(Fault::refused,
                  "the primary says neither that it is there nor that it is not: " + answer->words());
}

Result<std::vector<ListedDomain>> Smtp::domains() {
    const auto deadline = clock_.now() + whole;
    ++requests_;
    const Result<Reply> opened = open(deadline);
    if (!opened) {
        stream_.close();
        return tl::make_unexpected(opened.error());
    }
    leave(deadline);
    std::vector<ListedDomain> named;
    for (const std::string& name : settings_.own) named.push_back(listed_domain(name));
    sort_once(named);
    return named;
}

Result<DomainReading> Smtp::read(const DomainRecord& known) {
    DomainReading reading;
    reading.listed = false;
    reading.domain_aliases = DomainNames();
    Test& test = tests_[known.spelling];
    // A loss is looked at anew: what is remembered would be the same answer again.
    if (clock_.now() >= test.lasts || known.options.suspicion) {
        const Result<bool> taken = exists(invented_name(), known.spelling);
        if (!taken && taken.error().ends_round()) return tl::make_unexpected(taken.error());
        if (!taken) {
            reading.options = tl::make_unexpected(taken.error());
            return reading;
        }
        test = {*taken, clock_.now() + test_lasts};
    }
    reading.options = DomainOptions{{}, test.takes_all ? "*" : "", {}};
    return reading;
}

Result<std::optional<Kind>> Smtp::look_up(const std::string& local_part, const std::string& domain,
                                          base::Moment until) {
    if (std::find(settings_.own.begin(), settings_.own.end(), domain) == settings_.own.end())
        return failed(Fault::refused, "not one of the domains that the settings name");
    if (clock_.now() >= until) return failed(Fault::unreachable, "no complete answer in time");
    return exists(local_part, domain).map([](bool there) {
        return there ? std::optional(Kind::user) : std::optional<Kind>();
    });
}

}  // namespace postern::sync
