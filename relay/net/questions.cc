#include "relay/net/questions.h"

#include "relay/mail/address.h"
#include "sync/base/ascii.h"

namespace postern::relay::net {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t each_asker = 50, line = 20'000, remembered = 20'000;
constexpr std::chrono::hours good_for{24};  // RFC 8767 §5: one to three days
/// For an answer before one from memory is given (RFC 8767 §5), and for the second kind of address.
constexpr std::chrono::milliseconds stale_after{1800}, moment{1000};
constexpr std::chrono::milliseconds look_again{500};  // for descriptors
constexpr std::chrono::seconds renewed_every{5};      // at most, because of servers that were away

std::string key(const std::string& name, RecordType type) {
    return std::to_string(static_cast<int>(type)) + ' ' + name;
}

DnsAnswer unanswered(std::string why) {
    DnsAnswer answer;
    answer.silent = true;
    answer.why = std::move(why);
    return answer;
}

}  // namespace

void Remembered::keep(const std::string& question, const DnsAnswer& answer, base::Moment now) {
    if (auto place = places_.find(question); place != places_.end()) {
        place->second->answer = answer;
        place->second->at = now;
        entries_.splice(entries_.begin(), entries_, place->second);
        return;
    }
    if (entries_.size() >= most_) {
        places_.erase(entries_.back().question);
        entries_.pop_back();
    }
    entries_.push_front(Entry{question, answer, now});
    places_[question] = entries_.begin();
}

const DnsAnswer* Remembered::find(const std::string& question, base::Moment now) {
    auto place = places_.find(question);
    return place == places_.end() || now - place->second->at > good_for ? nullptr : &place->second->answer;
}

void Remembered::forget(const std::string& question) {
    auto place = places_.find(question);
    if (place == places_.end()) return;
    entries_.erase(place->second);
    places_.erase(place);
}

void Remembered::clear() {
    places_.clear();
    entries_.clear();
}

Questions::Questions(io_context& io, const base::Clock& clock, Outside& outside, const DnsSettings& settings)
    : io_(io),
      clock_(clock),
      outside_(outside),
      settings_(settings),
      service_(outside.names(io, settings)),
      lacking_(io, clock),
      turns_(service_->at_once(), each_asker, line),
      remembered_(remembered) {}

void Questions::start(std::string asker, const std::string& name, RecordType type, Done done) {
    const std::uint64_t number = ++last_;
    auto& place = questions_[number];
    place =
        std::make_unique<Question>(io_, clock_, std::move(asker), base::lower(name), type, std::move(done));
    if (remembered_.find(key(place->name, type), clock_.now()) != nullptr) {
        place->stale.expires_after(stale_after);
        place->stale.async_wait([weak = weak_from_this(), number](std::error_code error) {
            auto self = weak.lock();
            if (error || !self) return;
            self->away_ = true;
            self->finish(number, unanswered("the name servers did not answer in time"));
        });
    }
    line_up(number, *place);
    next();
}

void Questions::line_up(std::uint64_t number, Question& question) {
    if (turns_.push(question.asker, number))
        return limit(number, question, "too many names are being looked up");
    asio::post(io_, [weak = weak_from_this(), number] {
        if (auto self = weak.lock()) self->finish(number, unanswered("too many names are being looked up"));
    });
}

/// Sets the end of a wait. Once a question was asked it stays as it is.
void Questions::limit(std::uint64_t number, Question& question, const char* why) {
    if (question.asked) return;
    question.why = why;
    question.timer.expires_after(settings_.timeout);
    question.timer.async_wait([weak = weak_from_this(), number](std::error_code error) {
        auto self = weak.lock();
        if (error || !self) return;
        auto found = self->questions_.find(number);
        if (found == self->questions_.end()) return;
        self->away_ = self->away_ || found->second->asked;
        self->finish(number, unanswered(found->second->why));
    });
}

void Questions::next() {
    while (auto turn = turns_.next()) {
        auto& [asker, number] = *turn;
        auto found = questions_.find(number);
        if (found == questions_.end()) {  // nobody waits for it any more
            turns_.done(asker);
            continue;
        }
        limit(number, *found->second, "the name servers did not answer in time");
        found->second->asked = true;
        found->second->put = clock_.now();
        // The place is taken until the library gives the question up, which is when its sockets are free.
        service_->ask(
            found->second->name, found->second->type,
            [weak = weak_from_this(), by = std::weak_ptr(service_), asker, number](DnsAnswer answer) {
                auto self = weak.lock();
                if (!self || by.lock() != self->service_) return;
                self->turns_.done(asker);
                self->answered(number, std::move(answer));
                self->next();
            });
    }
}

void Questions::answered(std::uint64_t number, DnsAnswer answer) {
    auto found = questions_.find(number);
    if (found == questions_.end()) return;
    const auto now = clock_.now();
    const bool failed = answer.status == Lookup::transient && !answer.bogus;
    const bool at_once = now - found->second->put < moment;
    if (answer.lacking || (failed && (recovering_ || (away_ && at_once)))) {
        found->second->why = std::move(answer.why);
        return recover(answer.lacking ? now : renewed_ + renewed_every);
    }
    const std::string question = key(found->second->name, found->second->type);
    if (failed)
        away_ = away_ || !at_once;
    else if (remembered_.find(question, now) == nullptr)  // nor does the library have it in its memory
        away_ = false;
    if (answer.status == Lookup::found)
        remembered_.keep(question, answer, now);
    else if (answer.status != Lookup::transient)
        remembered_.forget(question);
    if (answer.bogus && suspect_ && suspect_())
        suspects_.emplace_back(number, std::move(answer));
    else
        finish(number, std::move(answer));
}

/// What was found meanwhile without anything to ask with, the library takes for failures of the name servers
/// and keeps for up to a minute. And while it is not sure whether a server that was silent is back, it fails
/// at once most of what it is asked, unasked. So it is replaced, at `earliest`.
void Questions::recover(base::Moment earliest) {
    if (std::exchange(recovering_, true)) return;
    lacking_.expires_at(std::max(earliest, clock_.now() + look_again));
    lacking_.async_wait([weak = weak_from_this()](std::error_code error) {
        auto self = weak.lock();
        if (error || !self) return;
        self->recovering_ = false;
        try {
            self->replace(self->outside_.names(self->io_, self->settings_));
        } catch (const std::exception&) {
            if (!self->questions_.empty()) self->recover({});
        }
    });
}

void Questions::proceed(std::string why) {
    why_bogus_ = std::move(why);
    for (auto& [number, answer] : std::exchange(suspects_, {})) finish(number, std::move(answer));
}

void Questions::finish(std::uint64_t number, DnsAnswer answer) {
    auto found = questions_.find(number);
    if (found == questions_.end()) return;
    const std::unique_ptr<Question> question = std::move(found->second);
    questions_.erase(found);
    if (answer.status == Lookup::transient && !answer.bogus)
        if (const auto* known = remembered_.find(key(question->name, question->type), clock_.now()))
            answer = *known;
    if (answer.bogus && !why_bogus_.empty()) answer.why = why_bogus_;
    question->done(std::move(answer));
}

awaitable<DnsAnswer> Questions::ask(std::string asker, std::string name, RecordType type) {
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(DnsAnswer)>(
        [this, &asker, &name, type](auto handler) {
            auto shared = std::make_shared<decltype(handler)>(std::move(handler));
            start(std::move(asker), name, type,
                  [shared](DnsAnswer answer) { std::move (*shared)(std::move(answer)); });
        },
        asio::use_awaitable);
}

awaitable<std::tuple<DnsAnswer, DnsAnswer>> Questions::ask_addresses(std::string asker, std::string name) {
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(DnsAnswer, DnsAnswer)>(
        [this, &asker, &name](auto handler) {
            struct Pair {
                Pair(decltype(handler) waiting_, io_context& io, const base::Clock& clock)
                    : waiting(std::move(waiting_)), patience(io, clock) {}
                void end() {
                    if (std::exchange(over, true)) return;
                    patience.cancel();
                    std::move(waiting)(std::move(answers[0]), std::move(answers[1]));
                }
                decltype(handler) waiting;
                Timer patience;
                DnsAnswer answers[2] = {unanswered("the name servers did not answer in time"),
                                        unanswered("the name servers did not answer in time")};
                int missing = 2;
                bool over = false;
            };
            auto pair = std::make_shared<Pair>(std::move(handler), io_, clock_);
            auto take = [pair](std::size_t which) {
                return [pair, which](DnsAnswer&& answer) {
                    if (pair->over) return;
                    pair->answers[which] = std::move(answer);
                    if (--pair->missing == 0) return pair->end();
                    if (pair->answers[which].status != Lookup::found) return;
                    pair->patience.expires_after(moment);
                    pair->patience.async_wait([pair](std::error_code error) {
                        if (!error) pair->end();
                    });
                };
            };
            start(asker, name, RecordType::aaaa, take(0));
            start(asker, name, RecordType::a, take(1));
        },
        asio::use_awaitable);
}

void Questions::reload(const DnsSettings& settings) {
    auto other = outside_.names(io_, settings);
    settings_ = settings;
    remembered_.clear();
    suspects_.clear();
    for (auto& [number, question] : questions_) question->asked = false;
    replace(std::move(other));
}

void Questions::replace(std::shared_ptr<NameService> service) {
    lacking_.cancel();
    recovering_ = away_ = false;
    renewed_ = clock_.now();
    // Not here: this may be one of its own answers.
    asio::post(io_, [former = std::exchange(service_, std::move(service))] { former->close(); });
    turns_ = Turns<std::uint64_t>(service_->at_once(), each_asker, line);
    for (auto& [number, question] : questions_) line_up(number, *question);
    next();
}

void Questions::close() {
    // Waiting coroutines hold this object and it holds their handlers: what is still open is let go here.
    auto open = std::move(questions_);
    questions_.clear();
    suspects_.clear();
    suspect_ = nullptr;
    lacking_.cancel();
    service_->close();
}

}  // namespace postern::relay::net
