#include "relay/tls_reports/counts_state.h"

#include <array>
#include <optional>

#include "sync/base/domain_name.h"
#include "sync/base/encoding.h"
#include "sync/base/words.h"

namespace postern::relay {

namespace {

constexpr std::string_view head = "postern TLS reports 1\n";
constexpr TlsCountsLimits bounds{};
// Seconds, up to the year 2261, which a time can hold; sessions.
constexpr std::int64_t time_max = 9'200'000'000, number_max = std::int64_t{1} << 53;

template <class Number>
bool take_number(std::string_view& line, Number& out, std::int64_t most) {
    const auto word = base::take_part(line);
    std::int64_t value = 0;
    if (!base::parse_number(word, value) || value < 0 || value > most) return false;
    out = static_cast<Number>(value);
    return true;
}

bool take_time(std::string_view& line, Time& out) {
    std::int64_t micros = 0;
    if (!take_number(line, micros, time_max * 1'000'000)) return false;
    out = Time(std::chrono::microseconds(micros));
    return true;
}

bool take_text(std::string_view& line, std::string& out) {
    auto text = base::percent_decoded(base::take_part(line));
    if (!text) return false;
    out = std::move(*text);
    return true;
}

std::string micros(Time time) {
    return std::to_string(
        std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count());
}

/// One word, whatever it is.
std::string word(const std::string& text) { return ' ' + base::percent_encoded(text, ":@/+="); }

struct Read {
    std::string domain;
    TlsPeriod period;
};

std::optional<Read> read_period(std::string_view line) {
    Read out;
    std::size_t state = 0;
    TlsPeriod& period = out.period;
    if (!take_text(line, out.domain) || !base::is_domain_name(out.domain) || !take_time(line, period.begin) ||
        !take_time(line, period.end) || !take_number(line, state, 3) || !take_time(line, period.due) ||
        !take_number(line, period.attempts, 1'000'000) || !take_text(line, period.trouble) ||
        period.end <= period.begin)
        return std::nullopt;
    period.state = static_cast<TlsPeriod::State>(state);
    return out;
}

bool read_list(std::string_view& line, std::vector<std::string>& out) {
    std::size_t count = 0;
    if (!take_number(line, count, bounds.lines)) return false;
    for (std::string text; count > 0; --count) {
        if (!take_text(line, text)) return false;
        out.push_back(text);
    }
    return true;
}

bool read_policy(std::string_view line, TlsPeriod& period) {
    PolicySessions out;
    std::size_t kind = 0;
    if (period.policies.size() >= bounds.policies || !take_number(line, kind, 2) ||
        !take_text(line, out.policy.domain) || !take_number(line, out.successful, number_max) ||
        !take_number(line, out.failed, number_max) || !take_number(line, out.untold, number_max) ||
        !read_list(line, out.policy.lines) || !read_list(line, out.policy.hosts))
        return false;
    out.policy.kind = static_cast<ReportedPolicy::Kind>(kind);
    period.policies.push_back(std::move(out));
    return true;
}

bool read_failures(std::string_view line, TlsPeriod& period) {
    if (period.policies.empty() || period.policies.back().failures.size() >= bounds.failures) return false;
    TlsFailures out;
    const auto result = parse_tls_result(base::take_part(line));
    if (!result || !take_number(line, out.sessions, number_max) || !take_text(line, out.sending) ||
        !take_text(line, out.host) || !take_text(line, out.helo) || !take_text(line, out.receiving) ||
        !take_text(line, out.reason))
        return false;
    out.result = *result;
    period.policies.back().failures.push_back(std::move(out));
    return true;
}

}  // namespace

std::string_view counts_state_head() { return head; }

void write_period(std::string& out, const TlsCounts::Key& key, const TlsPeriod& period) {
    out += "domain" + word(key.first) + ' ' + micros(period.begin) + ' ' + micros(period.end) + ' ' +
           std::to_string(static_cast<int>(period.state)) + ' ' + micros(period.due) + ' ' +
           std::to_string(period.attempts) + word(period.trouble) + '\n';
    for (const auto& one : period.policies) {
        out += "policy " + std::to_string(static_cast<int>(one.policy.kind)) + word(one.policy.domain) + ' ' +
               std::to_string(one.successful) + ' ' + std::to_string(one.failed) + ' ' +
               std::to_string(one.untold);
        for (const auto* list : {&one.policy.lines, &one.policy.hosts}) {
            out += ' ' + std::to_string(list->size());
            for (const auto& text : *list) out += word(text);
        }
        out += '\n';
        for (const auto& failure : one.failures)
            out += "failure " + std::string(text_of(failure.result)) + ' ' +
                   std::to_string(failure.sessions) + word(failure.sending) + word(failure.host) +
                   word(failure.helo) + word(failure.receiving) + word(failure.reason) + '\n';
    }
}

bool read_counts_state(std::string_view text, TlsCounts& into) {
    if (!text.starts_with(head)) return false;
    text.remove_prefix(head.size());
    std::optional<Read> open;
    const auto close = [&] {
        if (open) into.restore(open->domain, std::move(open->period));
        open.reset();
    };
    bool damaged = false;  // the policy at hand, whose failures go with it
    while (!text.empty()) {
        std::string_view line = base::take_part(text, '\n');
        const auto what = base::take_part(line);
        if (what == "domain") {
            close();
            open = read_period(line);
            damaged = false;
        } else if (what == "policy" && open) {
            damaged = !read_policy(line, open->period);
        } else if (what == "failure" && open && !damaged) {
            read_failures(line, open->period);
        }
    }
    close();
    return true;
}

}  // namespace postern::relay
