#include "tests/simulation/receiver.h"

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "tests/simulation/talk.h"

namespace postern::simulation {

namespace {

using std::chrono::milliseconds;

enum class Step : std::uint8_t { greeting, hello, mail, rcpt, data, content };

/// What a server in a bad mood says: now and then, or of some sender, for a while or for good.
constexpr std::array<const char*, 8> for_now{"421 4.3.2 shutting down",
                                             "450 4.2.0 greylisted, come again",
                                             "451 4.3.0 local trouble",
                                             "452 4.3.1 no room",
                                             "451-4.7.1 too fast\r\n451 4.7.1 later",
                                             "450 4.2.1 mailbox busy",
                                             "454 4.7.0 not now",
                                             "451 try again"};
constexpr std::array<const char*, 6> for_good{
    "550 5.1.1 no such user", "554 5.7.1 spam",
    "552 5.2.2 mailbox full", "550-5.7.1 we do\r\n550 5.7.1 not want this",
    "553 5.1.3 bad address",  "550 no"};
constexpr std::array<const char*, 6> garbage{"hello",  "25O ok",    "999 what",
                                             "\1\2\3", "354 go on", "150 wait"};
constexpr std::array<const char*, 3> half_answers{"2", "250-and it goes on", "220 again\r\n220 and again"};

class Conversation {
public:
    Conversation(io_context& io, const base::Clock& clock, Socket socket, Random random, Mood mood,
                 std::string from)
        : talk(io, clock, std::move(socket), std::chrono::minutes(5)),
          random_(random),
          mood_(mood),
          from_(std::move(from)) {}

    /// What it says at this step instead of what is asked for; "" where all is well.
    std::string complaint(Step step) {
        const bool rarely = random_.one_in(150);
        switch (mood_) {
            case Mood::busy: return random_.one_in(4) ? pick(for_now) : "";
            case Mood::strict:
                if (step == Step::greeting || step == Step::hello) return "";
                return random_.one_in(4) ? pick(for_good) : "";
            case Mood::hostile:
                if (!random_.one_in(6)) return "";
                // What says yes to a recipient, or to the content, would be believed.
                if (step <= Step::hello && random_.one_in(2)) return pick(half_answers);
                return pick(garbage);
            case Mood::listing:
                if (step != Step::mail || !from_.ends_with("1")) return "";
                return "554 5.7.1 Service unavailable; client [" + from_ + "] blocked using bl.example";
            default: return rarely ? pick(for_now) : "";
        }
    }
    /// False when the session is over.
    awaitable<bool> answer(Step step, std::string usual) {
        if (mood_ == Mood::slow) co_await talk.pause(milliseconds(random_.between(0, 20'000)));
        if (random_.one_in(20)) co_await talk.pause(milliseconds(random_.between(0, 900)));
        if (mood_ == Mood::hostile && random_.one_in(25)) {
            // Nothing more is said.
            co_await talk.pause(std::chrono::minutes(random_.between(1, 40)));
            co_return false;
        }
        const std::string instead = complaint(step);
        taken = instead.empty();
        const std::string said = (taken ? usual : instead) + "\r\n";
        if (!co_await talk.say(said)) co_return false;
        co_return !instead.starts_with("421") && !(mood_ == Mood::hostile && random_.one_in(30));
    }

    Talk talk;
    bool taken = false;  // the last answer was the usual one

private:
    template <std::size_t Count>
    std::string pick(const std::array<const char*, Count>& from) {
        return from[random_.pick(Count)];
    }

    Random random_;
    const Mood mood_;
    const std::string from_;
};

std::string path_in(const std::string& line) {
    const auto begin = line.find('<'), end = line.find('>', begin);
    return begin == std::string::npos || end == std::string::npos ? ""
                                                                  : line.substr(begin + 1, end - begin - 1);
}

std::string upper(std::string text) {
    for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    return text;
}

awaitable<void> converse(Conversation& now, Ledger& ledger, Role role, std::shared_ptr<Passage> passage) {
    if (!co_await now.answer(Step::greeting, "220 mx.example ESMTP")) co_return;
    std::vector<std::string> recipients;
    bool sender = false;
    while (auto line = co_await now.talk.line()) {
        const std::string command = upper(line->substr(0, 4));
        bool goes_on = true;
        if (command == "EHLO" || command == "HELO") {
            goes_on = co_await now.answer(
                Step::hello,
                "250-mx.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 50000000");
        } else if (command == "MAIL") {
            goes_on = co_await now.answer(Step::mail, "250 2.1.0 ok");
            sender = now.taken;
            recipients.clear();
        } else if (command == "RCPT") {
            goes_on = sender ? co_await now.answer(Step::rcpt, "250 2.1.5 ok")
                             : co_await now.talk.say("503 5.5.1 MAIL first\r\n");
            if (sender && now.taken) recipients.push_back(path_in(*line));
        } else if (command == "DATA") {
            if (recipients.empty()) {
                goes_on = co_await now.talk.say("503 5.5.1 no recipients\r\n");
                continue;
            }
            goes_on = co_await now.answer(Step::data, "354 go ahead");
            if (!goes_on || !now.taken) {
                if (!goes_on) co_return;
                continue;
            }
            auto content = co_await read_content(now.talk);
            if (!content) co_return;
            const std::string refusal = now.complaint(Step::content);
            ledger.note("a receiver has " + std::to_string(number_in(*content)) + " for " +
                        std::to_string(recipients.size()) + ": " + refusal);
            if (refusal.empty()) {
                const std::string taken = "250 2.0.0 taken\r\n";
                const auto number = number_in(*content);
                if (role == Role::archive) {
                    ledger.archived(*content);
                } else if (role == Role::primary &&
                           number_in(content->substr(0, content->find("\r\n\r\n"))) == 0) {
                    for (const auto& one : recipients) ledger.reported(one, *content);
                } else {
                    ledger.received(number, recipients, *content,
                                    passage->expect(now.talk.said() + taken.size()));
                }
                goes_on = co_await now.talk.say(taken);
            } else {
                goes_on = co_await now.talk.say(refusal + "\r\n");
            }
            sender = false;
            recipients.clear();
        } else if (command == "RSET") {
            sender = false;
            recipients.clear();
            goes_on = co_await now.talk.say("250 2.0.0 ok\r\n");
        } else if (command == "QUIT") {
            co_await now.talk.say("221 2.0.0 bye\r\n");
            co_return;
        } else {
            goes_on = co_await now.talk.say("500 5.5.1 what?\r\n");
        }
        if (!goes_on) co_return;
    }
}

}  // namespace

Host receiver(io_context& io, const base::Clock& clock, Outside& outside, Ledger& ledger, std::uint64_t seed,
              std::string address, Role role) {
    return [=, &io, &clock, &outside, &ledger](Socket socket, std::shared_ptr<Wire> wire,
                                               std::uint64_t number, std::string from) -> awaitable<void> {
        Conversation now(io, clock, std::move(socket), Random(seed, "receiver", number),
                         outside.mood(address), std::move(from));
        auto passage = wire->passage();
        wire.reset();
        co_await converse(now, ledger, role, std::move(passage));
    };
}

}  // namespace postern::simulation
