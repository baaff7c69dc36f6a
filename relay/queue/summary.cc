#include "relay/queue/summary.h"

#include <algorithm>
#include <set>

#include "sync/base/ascii.h"

namespace postern::relay {

namespace {

constexpr std::size_t kinds_max = 20'000, reason_max = 160, code_and_status = 2;
constexpr const char* other = "other";

template <typename Counts>
auto& of(Counts& counts, const std::string& key) {
    auto found = counts.find(key);
    if (found != counts.end()) return found->second;
    return counts[counts.size() < kinds_max ? key : other];
}

std::size_t age_of(std::chrono::system_clock::duration age) {
    std::size_t at = 0;
    while (at < QueueSummary::ages.size() && age >= QueueSummary::ages[at]) ++at;
    return at;
}

std::string reason_of(const RecipientProgress& one, const std::string& domain) {
    if (one.route == RouteKey::held()) return "held";
    if (one.attempts == 0 && one.reply.code == 0 && one.reason.empty()) return "not tried yet";
    if (one.reply.code != 0) return common_words(one.reply.line(), domain);
    return common_words(one.reason, domain);
}

template <typename Element, typename Count>
std::uint64_t largest(std::vector<Element>& list, std::size_t most, Count count) {
    std::stable_sort(list.begin(), list.end(),
                     [&](const Element& a, const Element& b) { return count(a) > count(b); });
    const std::size_t more = list.size() > most ? list.size() - most : 0;
    list.resize(list.size() - more);
    return more;
}

}  // namespace

std::string common_words(const std::string& text, const std::string& domain) {
    std::string out;
    std::size_t number = 0;
    for (std::size_t at = 0; at < text.size() && out.size() < reason_max; ++number) {
        const std::size_t end = std::min(text.find(' ', at), text.size());
        std::string word = text.substr(at, end - at);
        const auto digits = std::count_if(word.begin(), word.end(), base::is_digit);
        const bool named = word.find('@') != std::string::npos ||
                           (!domain.empty() && base::lower(word).find(domain) != std::string::npos);
        const bool own = number >= code_and_status && (named || digits > 3);
        if (!word.empty()) out += (out.empty() ? "" : " ") + (own ? "..." : word);
        at = end + 1;
    }
    if (out.size() > reason_max) out.resize(reason_max);
    return out;
}

void Summarizer::add(const Message& message, const Progress& progress, const Search::Router& route) {
    std::set<std::string> ways;
    for (std::size_t at = 0; at < progress.size(); ++at) {
        const RecipientProgress& one = progress[at];
        if (!one.pending()) continue;
        ++totals_.recipients;
        if (one.route == RouteKey::held()) ++totals_.held;
        const Address& recipient = message.envelope.forward_paths[at];
        ++of(reasons_, reason_of(one, recipient.domain));
        ways.insert(way_of(message.envelope, recipient, one, route).text());
    }
    if (ways.empty()) return;  // all of it is over, and only waits to be written down
    ++totals_.messages;
    totals_.bytes += message.size();
    if (totals_.oldest == Time{} || message.arrived < totals_.oldest) totals_.oldest = message.arrived;
    const std::size_t age = age_of(now_ - message.arrived);
    for (const auto& way : ways) {
        auto& destination = of(destinations_, way);
        ++destination.messages;
        ++destination.by_age[age];
    }
    auto& sender = of(senders_, message.envelope.reverse_path.text());
    ++sender.messages;
    sender.bytes += message.size();
}

QueueSummary Summarizer::take(std::size_t most) const {
    QueueSummary out = totals_;
    for (const auto& [route, one] : destinations_) out.destinations.emplace_back(one).route = route;
    for (const auto& [address, one] : senders_) out.senders.emplace_back(one).address = address;
    for (const auto& [text, count] : reasons_) out.reasons.push_back({text, count});
    out.more_destinations = largest(out.destinations, most, [](const auto& one) { return one.messages; });
    out.more_senders = largest(out.senders, most, [](const auto& one) { return one.messages; });
    out.more_reasons = largest(out.reasons, most, [](const auto& one) { return one.recipients; });
    return out;
}

}  // namespace postern::relay
