#include "relay/shared.h"

#include "relay/parts.h"
#include "relay/volume/news.h"
#include "sync/base/encoding.h"
#include "sync/base/words.h"

namespace postern::relay {

namespace {

constexpr std::string_view released_fact = "sender.released", dropped_fact = "sender.dropped",
                           expected_fact = "sender.expected", forgotten_fact = "egress.forgotten";

base::Fact fact(std::string_view kind, std::initializer_list<std::string> words) {
    base::Fact out{std::string(kind), {}};
    for (const auto& word : words)
        out.text += (out.text.empty() ? "" : " ") + base::percent_encoded(word, "@+:.");
    return out;
}

std::int64_t milliseconds(base::Time at) {
    return std::chrono::floor<std::chrono::milliseconds>(at.time_since_epoch()).count();
}

/// Milliseconds since 1970; nullopt when they are none.
std::optional<base::Time> take_time(std::string_view& text) {
    std::int64_t out = 0;
    if (!base::parse_number(base::take_part(text), out) || out <= 0 || out > std::int64_t{1} << 43)
        return std::nullopt;
    return base::Time(std::chrono::milliseconds(out));
}

/// The next word, "" when it is none.
std::string take_word(std::string_view& text) {
    return base::percent_decoded(base::take_part(text)).value_or(std::string());
}

}  // namespace

void Shared::reach(const base::Company& company) {
    parts_.volume.tally.reach(company);
    parts_.volume.watch.tell_others(company.shares);
}

std::vector<base::CountQuestion> Shared::questions(bool urgent, std::size_t most) {
    return parts_.volume.tally.questions(urgent, most, parts_.clock.steady());
}

void Shared::heard(const base::CountAnswer& answer) {
    parts_.volume.tally.heard(answer, parts_.clock.steady());
}

void Shared::tell_counts_again() { parts_.volume.tally.tell_all_again(); }

std::vector<base::Fact> Shared::news(std::size_t octets) {
    std::vector<base::Fact> out;
    parts_.volume.watch.news(out, octets);
    auto egress = parts_.delivery_loops.first().ask([this] {
        std::vector<base::Fact> some;
        egress_.take(some, parts_.delivery.workplace().sources.pool(), parts_.clock.wall());
        return some;
    });
    std::move(egress.begin(), egress.end(), std::back_inserter(out));
    return out;
}

std::vector<base::Fact> Shared::all_news(bool histories) {
    auto out = parts_.delivery_loops.first().ask([this] {
        std::vector<base::Fact> all;
        EgressNews::all(all, parts_.delivery.workplace().sources.pool());
        return all;
    });
    const base::Time now = parts_.clock.steady();
    parts_.volume.watch.all_news(out, histories, now, parts_.clock.wall());
    for (const auto& one : parts_.volume.watch.decisions(now)) {
        const base::Time at = parts_.clock.on_the_wall(one.at);
        out.push_back(one.released ? released(one.who, at) : dropped(one.who, at));
    }
    for (const auto& one : parts_.volume.tally.mailings_told(now))
        if (one.announced != 0) out.push_back(expected(one));
    return out;
}

bool Shared::hear(const std::string& gateway, const base::Fact& fact) {
    if (fact.kind.starts_with("volume.")) {
        if (const auto change =
                parts_.volume.watch.hear(gateway, fact, parts_.clock.steady(), parts_.clock.wall()))
            tell_unusual(observer_, *change);
        return true;
    }
    if (fact.kind == egress_fact || fact.kind == egress_over_fact) {
        // Waited for, so that whoever tells very many is heard at the pace of that loop.
        return parts_.delivery_loops.first().ask([this, fact] {
            egress_.hear(parts_.delivery.workplace().sources.pool(), fact, parts_.clock.wall());
            return true;
        });
    }
    return hear_operator(fact);
}

bool Shared::hear_operator(const base::Fact& fact) {
    std::string_view text = fact.text;
    const std::string who = take_word(text);
    if (fact.kind == forgotten_fact) {
        actions_.forget(who, take_word(text));
        return true;
    }
    const auto at = take_time(text);
    if (who.empty() || !at) return false;
    if (fact.kind == released_fact) {
        actions_.release(who, *at);
    } else if (fact.kind == dropped_fact) {
        actions_.drop(who, *at);
    } else if (fact.kind == expected_fact) {
        Announced::Mailing mailing;
        const auto announced = take_time(text);
        if (!announced || !base::parse_number(text, mailing.left)) return false;
        const base::Time now = parts_.clock.steady();
        mailing.who = who;
        mailing.until = *at - (parts_.clock.wall() - now);
        mailing.announced = static_cast<std::uint64_t>(milliseconds(*announced));
        parts_.volume.tally.heard(mailing, now);
    } else {
        return false;
    }
    return true;
}

base::Fact Shared::released(const std::string& sender, base::Time decided) {
    return fact(released_fact, {sender, std::to_string(milliseconds(decided))});
}
base::Fact Shared::dropped(const std::string& sender, base::Time decided) {
    return fact(dropped_fact, {sender, std::to_string(milliseconds(decided))});
}
base::Fact Shared::expected(const Announced::Mailing& mailing) const {
    return fact(expected_fact,
                {mailing.who, std::to_string(milliseconds(parts_.clock.on_the_wall(mailing.until))),
                 std::to_string(mailing.announced), std::to_string(mailing.left)});
}
std::vector<base::Fact> Shared::expected(const std::string& who) {
    std::vector<base::Fact> out;
    const std::string account = account_named(who);
    for (const auto& one : parts_.volume.tally.mailings_told(parts_.clock.steady()))
        if (one.who == account && one.announced != 0) out.push_back(expected(one));
    return out;
}
base::Fact Shared::forgotten(const std::string& address, const std::string& site) {
    return fact(forgotten_fact, {address, site});
}

}  // namespace postern::relay
