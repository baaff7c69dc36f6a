#include "relay/volume/announced.h"

#include <algorithm>
#include <charconv>

#include "sync/base/encoding.h"

namespace postern::relay {

namespace {

constexpr std::string_view sign = "x ", dated_sign = "y ";
constexpr std::uint64_t most_recipients = 1'000'000'000;
constexpr std::int64_t last_second = std::int64_t{1} << 33;

}  // namespace

bool Announced::expect(const std::string& who, std::uint64_t recipients, base::Time until,
                       std::uint64_t announced) {
    if (recipients == 0 && announced == 0) {
        mailings_.erase(who);
        return true;
    }
    if (mailings_.size() >= most && !mailings_.contains(who)) return false;
    mailings_[who] = Mailing{who, recipients, until, announced, recipients == 0};
    return true;
}

void Announced::hear(const Mailing& theirs, base::Time now) {
    if (theirs.until <= now || theirs.left > most_recipients) return;
    const auto found = mailings_.find(theirs.who);
    if (found != mailings_.end() && found->second.announced == theirs.announced) {
        found->second.left = std::min(found->second.left, theirs.left);
        return;
    }
    if (found != mailings_.end() && found->second.announced > theirs.announced) return;
    expect(theirs.who, theirs.left, theirs.until, theirs.announced);
}

std::string Announced::take(const std::string& user, const std::string& domain, base::Time now) {
    for (const auto& who : {user, domain}) {
        const auto found = mailings_.find(who);
        if (found == mailings_.end() || now >= found->second.until || found->second.left == 0) continue;
        --found->second.left;
        return who;
    }
    return {};
}

void Announced::give_back(const std::string& who, std::uint64_t recipients) {
    const auto found = mailings_.find(who);
    if (found != mailings_.end() && !found->second.withdrawn) found->second.left += recipients;
}

void Announced::spend(const std::string& user, const std::string& domain, std::uint64_t recipients,
                      base::Time now) {
    for (const auto& who : {user, domain}) {
        const auto found = mailings_.find(who);
        if (recipients == 0 || found == mailings_.end() || now >= found->second.until) continue;
        const std::uint64_t some = std::min(recipients, found->second.left);
        found->second.left -= some;
        recipients -= some;
    }
}

std::vector<Announced::Mailing> Announced::all(base::Time now) {
    std::erase_if(mailings_, [now](const auto& one) { return now >= one.second.until; });
    std::vector<Mailing> out;
    for (const auto& [who, mailing] : mailings_)
        if (!mailing.withdrawn) out.push_back(mailing);
    return out;
}

std::vector<Announced::Mailing> Announced::told(base::Time now) {
    all(now);
    std::vector<Mailing> out;
    for (const auto& [who, mailing] : mailings_) out.push_back(mailing);
    return out;
}

void Announced::write(std::string& out) const {
    for (const auto& [who, mailing] : mailings_) {
        const auto until = std::chrono::ceil<std::chrono::seconds>(mailing.until.time_since_epoch()).count();
        out += mailing.announced == 0 ? sign : dated_sign;
        out += std::to_string(until) + ' ' + std::to_string(mailing.left) + ' ';
        if (mailing.announced != 0) out += std::to_string(mailing.announced) + ' ';
        out += base::percent_encoded(who, "@+") + '\n';
    }
}

bool Announced::read(std::string_view line) {
    const bool dated = line.starts_with(dated_sign);
    if (!dated && !line.starts_with(sign)) return false;
    line.remove_prefix(sign.size());
    std::int64_t until = 0;
    std::uint64_t left = 0, announced = 0;
    const auto number = [&line](auto& to) {
        const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), to);
        const auto used = static_cast<std::size_t>(end - line.data());
        if (error != std::errc() || used >= line.size() || line[used] != ' ') return false;
        line.remove_prefix(used + 1);
        return true;
    };
    if (!number(until) || !number(left) || (dated && !number(announced)) || until < 0 ||
        until > last_second || left > most_recipients)
        return false;
    const auto who = base::percent_decoded(line);
    return who && !who->empty() && expect(*who, left, base::Time(std::chrono::seconds(until)), announced);
}

}  // namespace postern::relay
