#include "relay/security/sts_state.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "relay/mail/address.h"
#include "sync/base/ascii.h"

namespace postern::relay {

namespace {

constexpr std::size_t records_max = 10'000;
constexpr std::string_view modes[] = {"none", "testing", "enforce"};

std::string_view take(std::string_view& text, char end) {
    const std::size_t at = std::min(text.find(end), text.size());
    const std::string_view part = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return part;
}

bool read_number(std::string_view text, std::int64_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

/// Checked by the same rules as what comes from outside: written as the record and the policy, it is read
/// again.
std::optional<StsRecord> read_record(std::string_view line) {
    StsRecord record;
    record.id = take(line, ' ');
    std::int64_t seconds = 0;
    if (!read_number(take(line, ' '), seconds) || seconds < 0 || seconds >> 33 != 0) return std::nullopt;
    record.fetched = Time(std::chrono::seconds(seconds));
    std::string body = "version: STSv1\nmode: " + std::string(take(line, ' ')) + "\nmax_age: ";
    body += take(line, ' ');
    while (!line.empty()) body += "\nmx: " + std::string(take(line, ' '));
    auto policy = parse_sts_policy(body);
    if (!policy || parse_sts_record({"v=STSv1; id=" + record.id}) != record.id) return std::nullopt;
    record.policy = std::move(*policy);
    return record;
}

}  // namespace

std::string write_sts_state(const StsRecords& records) {
    std::vector<StsRecords::const_iterator> kept;
    for (auto at = records.begin(); at != records.end(); ++at) kept.push_back(at);
    if (kept.size() > records_max) {
        std::nth_element(
            kept.begin(), kept.begin() + records_max, kept.end(),
            [](const auto& a, const auto& b) { return a->second.expires() > b->second.expires(); });
        kept.resize(records_max);
    }
    std::string text;
    for (const auto& at : kept) {
        const auto& [domain, record] = *at;
        const auto seconds =
            std::chrono::floor<std::chrono::seconds>(record.fetched.time_since_epoch()).count();
        text += domain + ' ' + record.id + ' ' + std::to_string(seconds) + ' ';
        text += modes[static_cast<std::size_t>(record.policy.mode)];
        text += ' ' + std::to_string(record.policy.max_age.count());
        for (const auto& pattern : record.policy.patterns) text += ' ' + pattern;
        text += '\n';
    }
    return text;
}

StsRecords read_sts_state(std::string_view text) {
    StsRecords records;
    while (!text.empty() && records.size() < records_max) {
        std::string_view line = take(text, '\n');
        const std::string domain(take(line, ' '));
        auto record = read_record(line);
        if (record && is_domain_name(domain) && domain == base::lower(domain))
            records.insert_or_assign(domain, std::move(*record));
    }
    return records;
}

}  // namespace postern::relay
