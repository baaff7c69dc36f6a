#include "relay/volume/news.h"

#include <algorithm>
#include <limits>

#include "sync/base/encoding.h"
#include "sync/base/words.h"

namespace postern::relay {

namespace {

constexpr std::size_t recipient_octets = 8, words_max = 1000, user_max = 330;
constexpr std::size_t recipients_of_one = 4'000;  // in one fact
constexpr std::int64_t last_second = std::int64_t{1} << 33;
constexpr std::int64_t longest_wait = std::int64_t{86400} * 1000;

void put(std::string& out, std::uint64_t number) { out += std::to_string(number) + ' '; }
void put(std::string& out, std::string_view text) { out += base::percent_encoded(text, "@+") + ' '; }

bool take(std::string_view& text, std::string& to, std::size_t most) {
    auto read = base::percent_decoded(base::take_part(text));
    if (!read || read->size() > most) return false;
    to = std::move(*read);
    return true;
}

template <class Number>
bool take(std::string_view& text, Number& to) {
    return base::parse_number(base::take_part(text), to);
}

bool is_user(const std::string& user) { return user.find('@') != std::string::npos; }

}  // namespace

base::Fact fact_of(const SentElsewhere& sent) {
    base::Fact out{std::string(sent_fact), {}};
    put(out.text, std::uint64_t{sent.announced});
    put(out.text, sent.learnt ? 1 : 0);
    put(out.text, static_cast<std::uint64_t>(sent.takes.count()));
    put(out.text, sent.user);
    for (const std::uint64_t one : sent.recipients)
        for (std::size_t octet = 0; octet < recipient_octets; ++octet)
            out.text += static_cast<char>(one >> (8 * octet) & 0xff);
    return out;
}

std::optional<SentElsewhere> read_sent(std::string_view text) {
    SentElsewhere out;
    unsigned learnt = 0;
    std::int64_t takes = 0;
    if (!take(text, out.announced) || !take(text, learnt) || !take(text, takes) ||
        !take(text, out.user, user_max) || !is_user(out.user) || text.size() % recipient_octets != 0 ||
        text.size() > VolumeNews::most_recipients * recipient_octets || takes < 0 || takes > longest_wait)
        return std::nullopt;
    out.learnt = learnt != 0;
    out.takes = std::chrono::milliseconds(takes);
    for (; !text.empty(); text.remove_prefix(recipient_octets)) {
        std::uint64_t one = 0;
        for (std::size_t octet = 0; octet < recipient_octets; ++octet)
            one |= std::uint64_t{static_cast<unsigned char>(text[octet])} << (8 * octet);
        out.recipients.push_back(one);
    }
    out.announced = std::min(out.announced, static_cast<std::uint32_t>(out.recipients.size()));
    return out;
}

base::Fact fact_of(const AnsweredElsewhere& answered) {
    base::Fact out{std::string(answered_fact), {}};
    put(out.text, std::uint64_t{answered.answered});
    put(out.text, std::uint64_t{answered.unknown});
    put(out.text, std::uint64_t{answered.spam});
    put(out.text, answered.user);
    put(out.text, answered.named_by);
    return out;
}

std::optional<AnsweredElsewhere> read_answered(std::string_view text) {
    AnsweredElsewhere out;
    if (!take(text, out.answered) || !take(text, out.unknown) || !take(text, out.spam) ||
        !take(text, out.user, user_max) || !take(text, out.named_by, words_max) || !is_user(out.user))
        return std::nullopt;
    return out;
}

base::Fact fact_of(const UnusualElsewhere& unusual) {
    base::Fact out{std::string(unusual_fact), {}};
    put(out.text, static_cast<std::uint64_t>(unusual.level));
    put(out.text, unusual.user);
    put(out.text, std::string_view(unusual.why).substr(0, words_max));
    const auto raised = std::chrono::floor<std::chrono::seconds>(unusual.raised.time_since_epoch()).count();
    put(out.text, static_cast<std::uint64_t>(std::max<std::int64_t>(0, raised)));
    return out;
}

std::optional<UnusualElsewhere> read_unusual(std::string_view text) {
    UnusualElsewhere out;
    unsigned level = 0;
    std::int64_t raised = 0;
    if (!take(text, level) || level < 1 || level >= volume_levels || !take(text, out.user, user_max) ||
        !take(text, out.why, words_max) || !take(text, raised) || raised < 0 || raised > last_second ||
        !is_user(out.user))
        return std::nullopt;
    out.raised = base::Time(std::chrono::seconds(raised));
    out.level = static_cast<VolumeLevel>(level);
    return out;
}

void VolumeNews::sent(const std::string& user, std::span<const std::uint64_t> recipients,
                      std::uint32_t announced, bool learnt, std::chrono::milliseconds takes) {
    auto& all = learnt ? usual_ : unusual_sent_;
    const bool full = all.size() >= most_users && !all.contains(user);
    if (full || recipients_ + recipients.size() > most_recipients) {
        untold_ += recipients.size();
        return;
    }
    auto& one = all[user];
    one.user = user;
    one.learnt = learnt;
    one.recipients.insert(one.recipients.end(), recipients.begin(), recipients.end());
    one.announced += announced;
    one.takes += takes;
    recipients_ += recipients.size();
}

void VolumeNews::answered(const std::string& user, ReceiverSays says, std::string named_by) {
    if (answered_.size() >= most_users && !answered_.contains(user)) return;
    auto& one = answered_[user];
    one.user = user;
    ++one.answered;
    if (says == ReceiverSays::unknown) ++one.unknown;
    if (says == ReceiverSays::spam) ++one.spam;
    if (!named_by.empty()) one.named_by = std::move(named_by);
}

void VolumeNews::unusual(UnusualElsewhere what) {
    if (unusual_.size() < most_users) unusual_[what.user] = std::move(what);
}

void VolumeNews::take(std::vector<base::Fact>& out, std::size_t octets) {
    std::size_t taken = 0;
    const auto room = [&] { return taken < octets; };
    const auto add = [&](base::Fact fact) {
        taken += fact.kind.size() + fact.text.size();
        out.push_back(std::move(fact));
    };
    const auto drain = [&](auto& from) {
        while (room() && !from.empty()) add(fact_of(from.extract(from.begin()).mapped()));
    };
    drain(unusual_);
    for (auto* from : {&unusual_sent_, &usual_})
        while (room() && !from->empty()) {
            auto& all = from->begin()->second;
            SentElsewhere some = all;
            const std::size_t count = std::min(all.recipients.size(), recipients_of_one);
            some.recipients.resize(count);
            some.announced = std::min(all.announced, static_cast<std::uint32_t>(count));
            recipients_ -= count;
            add(fact_of(some));
            all.recipients.erase(all.recipients.begin(),
                                 all.recipients.begin() + static_cast<std::ptrdiff_t>(count));
            all.announced -= some.announced;
            all.takes = {};
            if (all.recipients.empty()) from->erase(from->begin());
        }
    drain(answered_);
}

}  // namespace postern::relay
