#include "tests/simulation/client.h"

#include <optional>
#include <utility>
#include <vector>

#include "relay/limits.h"
#include "tests/simulation/talk.h"

namespace postern::simulation {

namespace {

std::string content_of(Random& random, std::uint64_t number, const std::string& from, std::size_t most) {
    std::string out = "From: <" + from + ">\r\nMessage-ID: <" + std::to_string(number) +
                      "@company.example>\r\nSubject: simulated\r\n\r\n";
    // Of large ones many are in a file of their own.
    const std::size_t size = most > relay::limits::inline_content && random.one_in(3)
                                 ? random.between(relay::limits::inline_content, most)
                             : random.one_in(8) ? random.pick(most)
                                                : random.pick(2000);
    while (out.size() < size) {
        const auto length = random.one_in(10) ? random.pick(900) : random.pick(70);
        if (random.one_in(9)) out += '.';
        for (std::uint64_t at = 0; at < length; ++at) out += static_cast<char>('a' + (at * 7 + number) % 26);
        out += "\r\n";
    }
    return out;
}

/// The code of a whole reply; none when the gateway has gone.
awaitable<std::optional<int>> reply(Talk& talk) {
    for (;;) {
        const auto line = co_await talk.line();
        if (!line || line->size() < 3) co_return std::nullopt;
        if (line->size() == 3 || (*line)[3] == ' ') co_return std::stoi(line->substr(0, 3));
    }
}

awaitable<std::optional<int>> ask(Talk& talk, std::string line) {
    if (!co_await talk.say(line + "\r\n")) co_return std::nullopt;
    co_return co_await reply(talk);
}

/// False when the connection is of no more use.
awaitable<bool> send_one(Talk& talk, Ledger& ledger, Random& random, Traffic traffic, std::uint64_t number) {
    const std::string from = "user" + std::to_string(random.pick(5)) + "@company.example";
    Mail& mail = ledger.begin(number, from, content_of(random, number, from, traffic.size_max));
    mail.told = Told::refused;  // until the whole of it is on its way
    auto code = co_await ask(talk, "MAIL FROM:<" + from + ">");
    if (!code || *code != 250) co_return code&&* code != 421;
    const std::uint64_t recipients = random.one_in(3) ? random.between(1, 9) : 1;
    bool any = false;
    for (std::uint64_t at = 0; at < recipients; ++at) {
        const std::string site = random.one_in(40)
                                     ? "nowhere.example"
                                     : "site" + std::to_string(random.pick(traffic.sites)) + ".example";
        const std::string to = 'r' + std::to_string(number) + '-' + std::to_string(at) + '@' + site;
        mail.legs[to].taken = false;
        code = co_await ask(talk, "RCPT TO:<" + to + ">");
        if (!code || *code == 421) co_return false;
        mail.legs[to].taken = *code == 250;
        any = any || *code == 250;
    }
    if (!any) co_return true;
    code = co_await ask(talk, "DATA");
    if (!code || *code != 354) co_return code&&* code != 421;
    mail.told = Told::nothing;
    if (!co_await talk.say(stuffed(mail.content))) co_return false;
    code = co_await reply(talk);
    if (!code) co_return false;
    mail.told = *code == 250 ? Told::taken : Told::refused;
    ledger.note("told " + std::to_string(number) + ": " + std::to_string(*code));
    co_return *code != 421;
}

}  // namespace

awaitable<void> send(io_context& io, const base::Clock& clock, Outside& outside, Ledger& ledger,
                     Traffic traffic) {
    auto [socket, wire] =
        outside.call("192.0.2.10", fate_of(traffic.seed, 1'000'000 + traffic.number, traffic.mood));
    if (!wire) co_return;
    wire.reset();
    Random random(traffic.seed, "traffic", traffic.number);
    Talk talk(io, clock, std::move(socket), std::chrono::minutes(12));
    auto code = co_await reply(talk);
    if (!code || *code != 220) co_return;
    code = co_await ask(talk, "EHLO mail.company.example");
    if (!code || *code != 250) co_return;
    for (unsigned at = 0; at < traffic.messages; ++at) {
        if (!co_await send_one(talk, ledger, random, traffic, traffic.number * 100 + at + 1)) co_return;
        if (random.one_in(3)) co_await talk.pause(std::chrono::milliseconds(random.between(0, 3000)));
    }
    co_await ask(talk, "QUIT");
}

}  // namespace postern::simulation
