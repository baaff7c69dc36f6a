// What of a Watch is kept from one start to the next, as lines of text: what it is, whose, and the rest.

#include "relay/volume/watch.h"
#include "sync/base/encoding.h"
#include "sync/base/words.h"

namespace postern::relay {

namespace {

constexpr std::size_t saved_at_once = 500;  // while whoever is judged waits
constexpr std::size_t name_max = 330, words_max = 1000;
constexpr std::size_t told_at_once = 32u << 10;  // octets of histories

std::int64_t seconds(base::Time at) {
    return std::chrono::floor<std::chrono::seconds>(at.time_since_epoch()).count();
}

void put(std::string& line, std::string_view text) { line += ' ' + base::percent_encoded(text, "@+"); }
void put(std::string& line, base::Time at) { line += ' ' + std::to_string(seconds(at)); }
void put(std::string& line, std::uint64_t number) { line += ' ' + std::to_string(number); }

/// Takes words off a line; after the first that is none of its kind `good` is false.
class Words {
public:
    explicit Words(std::string_view line) : rest_(line) {}
    std::string_view word() { return base::take_part(rest_); }
    std::string text(std::size_t most) {
        auto out = base::percent_decoded(word());
        good = good && out && out->size() <= most;
        return good ? std::move(*out) : std::string();
    }
    std::int64_t number() {
        constexpr std::int64_t most = std::int64_t{1} << 33;
        const auto text = word();
        std::int64_t out = 0;
        good = good && base::parse_number(text, out) && out >= 0 && out <= most;
        return good ? out : 0;
    }
    std::uint64_t count() { return static_cast<std::uint64_t>(number()); }
    base::Time time() { return base::Time(std::chrono::seconds(number())); }
    std::string_view rest() const { return rest_; }
    bool good = true;

private:
    std::string_view rest_;
};

std::string line_of(const std::string& who, const Episode& one) {
    std::string out = "e";
    put(out, who);
    put(out, static_cast<std::uint64_t>(one.level));
    put(out, one.since);
    put(out, one.raised);
    put(out, one.next);
    put(out, one.recipients);
    put(out, one.slowed);
    put(out, one.held);
    put(out, one.why);
    put(out, one.withheld.size());
    for (const auto& [hour, recipients] : one.withheld) {
        put(out, hour);
        put(out, std::uint64_t{recipients});
    }
    for (const auto& subject : one.subjects) put(out, '=' + subject);
    return out + '\n';
}

std::string line_of(bool user, const std::string& who, const History& history) {
    std::string out(1, user ? 'u' : 'd');
    put(out, who);
    return out + ' ' + history.text() + '\n';
}

std::string began_line(base::Time began) {
    std::string out = "b";
    put(out, began);
    return out + '\n';
}

std::optional<Episode> read_episode(Words& line) {
    Episode out;
    const auto level = line.count();
    out.since = line.time();
    out.raised = line.time();
    out.next = line.time();
    out.recipients = line.count();
    out.slowed = line.count();
    out.held = line.count();
    out.why = line.text(words_max);
    for (auto left = line.count(); left > 0 && line.good; --left) {
        const auto hour = line.time();
        out.withheld.emplace_back(hour, static_cast<std::uint32_t>(line.count()));
    }
    while (line.good && !line.rest().empty() && out.subjects.size() < Episode::most_samples) {
        const std::string subject = line.text(words_max);
        if (!subject.empty()) out.subjects.push_back(subject.substr(1));
    }
    if (!line.good || level < 1 || level >= volume_levels) return std::nullopt;
    out.level = static_cast<VolumeLevel>(level);
    return out;
}

}  // namespace

std::optional<std::string> Watch::save_episodes() {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(urgent_, false)) return std::nullopt;
    std::string out = began_line(began_);
    for (const auto& [who, one] : episodes_) out += line_of(who, one);
    for (const auto& [who, one] : permitted_) {
        out += 'p';
        put(out, who);
        put(out, one.until);
        put(out, one.usual.hour);
        put(out, one.usual.day);
        out += '\n';
    }
    for (const auto& [who, one] : decided_) {
        out += 'q';
        put(out, who);
        put(out, one.at);
        put(out, std::uint64_t{one.released ? 1u : 0u});
        out += '\n';
    }
    return out;
}

std::optional<std::string> Watch::save_histories() {
    std::vector<std::pair<Histories*, std::string>> whose;
    std::string out;
    {
        const std::lock_guard lock(mutex_);
        if (!std::exchange(changed_, false)) return std::nullopt;
        for (auto* histories : {&users_, &domains_})
            for (const auto& [who, history] : *histories) whose.emplace_back(histories, who);
    }
    for (std::size_t at = 0; at < whose.size();) {
        const std::lock_guard lock(mutex_);
        for (const std::size_t end = std::min(at + saved_at_once, whose.size()); at < end; ++at) {
            const auto& [histories, who] = whose[at];
            const auto found = histories->find(who);
            if (found != histories->end()) out += line_of(histories == &users_, who, found->second);
        }
    }
    return out;
}

void Watch::all_news(std::vector<base::Fact>& out, bool histories, base::Time now, base::Time wall) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [who, one] : episodes_)
        if (enforce_ && one.level >= VolumeLevel::noted)
            out.push_back(fact_of(UnusualElsewhere{who, one.level, one.why, one.raised + (wall - now)}));
    if (!histories || began_ == base::Time()) return;
    std::string text = began_line(began_);
    const auto push = [&] { out.push_back({std::string(history_fact), std::exchange(text, {})}); };
    for (const auto* some : {&users_, &domains_})
        for (const auto& [who, history] : *some) {
            if (history.days() == 0) continue;
            text += line_of(some == &users_, who, history);
            if (text.size() >= told_at_once) push();
        }
    if (!text.empty()) push();
}

/// Of whom another gateway has seen more days, what it knows counts here too.
void Watch::hear_histories(std::string_view text) {
    while (!text.empty()) {
        Words line(base::take_part(text, '\n'));
        const auto kind = line.word();
        if (kind == "b") {
            const auto began = line.time();
            if (line.good && began != base::Time() && (began_ == base::Time() || began < began_)) {
                began_ = began;
                urgent_ = true;
            }
            continue;
        }
        const std::string who = line.text(name_max);
        if (!line.good || who.empty() || (kind != "u" && kind != "d")) continue;
        auto& histories = kind == "u" ? users_ : domains_;
        if (histories.size() >= most_known && !histories.contains(who)) continue;
        const History theirs = History::of(line.rest());
        if (theirs.days() <= history_of(histories, who).days()) continue;
        histories[who] = theirs;
        changed_ = true;
    }
}

std::optional<std::string> Watch::save_acquaintances() {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(met_, false)) return std::nullopt;
    return acquaintances_.save();
}

void Watch::not_saved() {
    const std::lock_guard lock(mutex_);
    changed_ = urgent_ = met_ = true;
}

/// Lines that cannot be read are passed over: what they told is learnt again.
void Watch::restore(std::string_view text) {
    const std::lock_guard lock(mutex_);
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        Words line(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto kind = line.word();
        if (kind == "b") {
            const auto began = line.time();
            if (line.good) began_ = began;
            continue;
        }
        const std::string who = line.text(name_max);
        if (!line.good || who.empty()) continue;
        if (kind == "u" && users_.size() < most_known) users_[who] = History::of(line.rest());
        if (kind == "d" && domains_.size() < most_known) domains_[who] = History::of(line.rest());
        if (who.find('@') == std::string::npos) continue;
        if (kind == "e")
            if (auto episode = read_episode(line)) episodes_[who] = std::move(*episode);
        if (kind == "q") {
            VolumeDecision one{who, line.time(), line.count() == 1};
            if (line.good && decided_.size() < most_episodes) decided_[who] = std::move(one);
        }
        if (kind == "p") {
            Permission one{line.time(), {line.count(), line.count()}};
            if (line.good) permitted_[who] = one;
        }
    }
    learn_prior();
}

bool Watch::restore_acquaintances(std::string_view octets) {
    const std::lock_guard lock(mutex_);
    return acquaintances_.restore(octets);
}

}  // namespace postern::relay
