// The questions to the name servers: in fair turns, each with an end, and answered from memory where the name
// servers are away.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "relay/net/asio.h"
#include "relay/net/outside.h"
#include "relay/net/timer.h"
#include "relay/net/turns.h"

namespace postern::relay::net {

/// Answers that were good once, those asked for last. RFC 8767: better than none while name servers are away.
/// Only what was found, until it is denied: a denial that is over may be over for a reason.
class Remembered {
public:
    explicit Remembered(std::size_t most) : most_(most) {}

    void keep(const std::string& question, const DnsAnswer& answer, base::Moment now);
    /// Null when there is none, or none younger than a day.
    const DnsAnswer* find(const std::string& question, base::Moment now);
    /// The name servers say that there is no such thing any more.
    void forget(const std::string& question);
    void clear();

private:
    struct Entry {
        std::string question;
        DnsAnswer answer;
        base::Moment at;
    };
    std::size_t most_;
    std::list<Entry> entries_;  // the freshest in front
    std::unordered_map<std::string, std::list<Entry>::iterator> places_;
};

/// Used from the thread of its io_context. An asker is whatever questions are asked for: a message's id.
/// One thing: whether a question waits, is asked anew or is answered from memory follows from how all the
/// others fare.
class Questions : public std::enable_shared_from_this<Questions> {
public:
    /// Throws std::runtime_error when a setting cannot be used.
    Questions(io_context& io, const base::Clock& clock, Outside& outside, const DnsSettings& settings);

    /// `name` is ASCII. Ends within DnsSettings::timeout once it is asked, and waits at most that long
    /// before. Where this machine lacks descriptors or memory to ask with it is asked again when there are
    /// some, within its time; so is what fails at once after name servers were silent.
    awaitable<DnsAnswer> ask(std::string asker, std::string name, RecordType type);
    /// AAAA and A, at the same time. Where one of them is found the other is waited for only a moment.
    awaitable<std::tuple<DnsAnswer, DnsAnswer>> ask_addresses(std::string asker, std::string name);

    /// `suspect` is called when an answer does not validate. Where it gives true the answer waits, within its
    /// time, for proceed() or reload().
    void suspect_with(std::function<bool()> suspect) { suspect_ = std::move(suspect); }
    /// Lets what waits go on. From now on `why` is the reason of answers that do not validate, unless it is
    /// "".
    void proceed(std::string why);

    /// Other name servers: what is under way is asked anew, of them. Throws as the constructor does, and
    /// changes nothing then.
    void reload(const DnsSettings& settings);
    /// Drops the questions under way: what waits for them is destroyed where it stands.
    void close();

private:
    using Done = std::function<void(DnsAnswer)>;
    struct Question {
        Question(io_context& io, const base::Clock& clock, std::string asker_, std::string name_,
                 RecordType type_, Done done_)
            : asker(std::move(asker_)),
              name(std::move(name_)),
              type(type_),
              done(std::move(done_)),
              timer(io, clock),
              stale(io, clock) {}
        std::string asker, name;
        RecordType type;
        Done done;
        bool asked = false;  // its end is set
        base::Moment put{};
        std::string why;  // when that comes without an answer
        Timer timer;      // the end, of the wait for its turn and then of that for the answer
        Timer stale;      // the time to answer from memory
    };

    void start(std::string asker, const std::string& name, RecordType type, Done done);
    void line_up(std::uint64_t number, Question& question);
    void next();
    void limit(std::uint64_t number, Question& question, const char* why);
    void replace(std::shared_ptr<NameService> service);
    void recover(base::Moment earliest);
    void answered(std::uint64_t number, DnsAnswer answer);
    void finish(std::uint64_t number, DnsAnswer answer);

    io_context& io_;
    const base::Clock& clock_;
    Outside& outside_;
    DnsSettings settings_;
    std::shared_ptr<NameService> service_;
    Timer lacking_;  // the next look whether there is something to ask with again
    bool recovering_ = false;
    bool away_ = false;  // what was asked last in vain is younger than the last answer
    base::Moment renewed_{};
    Turns<std::uint64_t> turns_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Question>> questions_;
    Remembered remembered_;
    std::function<bool()> suspect_;
    std::string why_bogus_;
    std::vector<std::pair<std::uint64_t, DnsAnswer>> suspects_;  // that wait for proceed()
    std::uint64_t last_ = 0;
};

}  // namespace postern::relay::net
