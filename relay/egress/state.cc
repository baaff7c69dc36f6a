#include "relay/egress/state.h"

#include <algorithm>
#include <charconv>
#include <concepts>
#include <set>
#include <tuple>

#include "sync/base/encoding.h"

namespace postern::relay {
namespace {

constexpr std::string_view heading = "postern-egress ";
constexpr std::string_view version = "1";
constexpr std::size_t longest_line = 64 << 10;
constexpr std::size_t most_entries = 10'000;
constexpr std::int64_t last_second = 1LL << 33;  // the year 2242; far inside of what Time can hold
constexpr std::int64_t last_day = last_second / 86'400;

bool plain(char c) { return c > ' ' && c < '\x7f' && c != '%' && c != '='; }

std::string escaped(std::string_view text) {
    std::string out;
    for (const char& c : text)
        if (plain(c))
            out += c;
        else
            out.append("%").append(base::hex({&c, 1}, base::upper_hex));
    return out;
}

std::optional<std::string> unescaped(std::string_view text) {
    if (!std::all_of(text.begin(), text.end(), [](char c) { return c == '%' || plain(c); }))
        return std::nullopt;
    return base::percent_decoded(text);
}

/// The fields of one line, taken in the order they were written.
class Fields {
public:
    explicit Fields(std::string_view line) : rest_(line) {}

    std::string text(std::string_view name) {
        auto value = unescaped(raw(name));
        good_ = good_ && value;
        return good_ ? std::move(*value) : std::string();
    }
    template <std::integral T>
    T number(std::string_view name, T least, T most) {
        const auto value = raw(name);
        T number{};
        const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), number);
        good_ = good_ && error == std::errc() && stop == value.data() + value.size() && number >= least &&
                number <= most;
        return number;
    }
    Time time(std::string_view name) {
        const auto seconds = number<std::int64_t>(name, 0, last_second);
        return good_ ? Time(std::chrono::seconds(seconds)) : Time();
    }
    bool good() const { return good_ && rest_.empty(); }

private:
    std::string_view raw(std::string_view name) {
        auto field = rest_.substr(0, rest_.find(' '));
        rest_.remove_prefix(std::min(rest_.size(), field.size() + 1));
        good_ = good_ && field.starts_with(name) && field.substr(name.size()).starts_with('=');
        return good_ ? field.substr(name.size() + 1) : std::string_view();
    }

    std::string_view rest_;
    bool good_ = true;
};

void add(std::string& out, std::string_view name, std::string_view value) {
    out.append(" ").append(name).append("=").append(escaped(value));
}

void add(std::string& out, std::string_view name, std::int64_t value) {
    add(out, name, std::to_string(value));
}

void add(std::string& out, std::string_view name, Time value) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(value.time_since_epoch()).count();
    add(out, name, std::clamp<std::int64_t>(seconds, 0, last_second));
}

std::string line_of(const std::string& address, const AddressRecord& record) {
    std::string out = "address";
    add(out, "ip", address);
    add(out, "since-day", record.since);
    add(out, "joined", record.joined ? 1 : 0);
    add(out, "left-day", record.left.value_or(0));
    add(out, "day", record.day);
    add(out, "sent", std::to_string(record.sent));
    return out;
}

std::optional<std::pair<std::string, AddressRecord>> read_address(Fields fields) {
    auto address = fields.text("ip");
    AddressRecord record;
    record.since = fields.number<std::int64_t>("since-day", 0, last_day);
    record.joined = fields.number<int>("joined", 0, 1) == 1;
    if (const auto left = fields.number<std::int64_t>("left-day", 0, last_day)) record.left = left;
    record.day = fields.number<std::int64_t>("day", 0, last_day);
    record.sent = fields.number<std::uint64_t>("sent", 0, 1ULL << 62);
    if (!fields.good()) return std::nullopt;
    return std::pair(std::move(address), record);
}

std::string line_of(const EgressVerdict& verdict) {
    std::string out = "verdict";
    add(out, "ip", verdict.address);
    add(out, "site", verdict.site);
    add(out, "zone", verdict.zone);
    add(out, "since", verdict.since);
    add(out, "until", verdict.until);
    add(out, "times", verdict.times);
    add(out, "accepted", verdict.accepted);
    add(out, "by", verdict.by);
    add(out, "witness", verdict.witness);
    add(out, "text", verdict.text);
    if (!verdict.at.empty()) add(out, "at", verdict.at);
    return out;
}

std::optional<EgressVerdict> read_verdict(Fields fields) {
    EgressVerdict verdict;
    verdict.address = fields.text("ip");
    verdict.site = fields.text("site");
    verdict.zone = fields.text("zone");
    verdict.since = fields.time("since");
    verdict.until = fields.time("until");
    verdict.times = fields.number<unsigned>("times", 1, 1000);
    verdict.accepted = fields.number<unsigned>("accepted", 0, 1000);
    verdict.by = fields.text("by");
    verdict.witness = fields.text("witness");
    verdict.text = fields.text("text");
    if (!fields.good()) verdict.at = fields.text("at");
    if (!fields.good()) return std::nullopt;
    return verdict;
}

std::string line_of(const ReceiverSteps::Key& key, const ReceiverStep& one) {
    std::string out = "receiver";
    add(out, "ip", key.first);
    add(out, "site", key.second);
    add(out, "step", one.step);
    add(out, "day", one.day);
    add(out, "taken", one.taken);
    add(out, "put-off", one.put_off);
    return out;
}

std::optional<std::pair<ReceiverSteps::Key, ReceiverStep>> read_receiver(Fields fields) {
    ReceiverSteps::Key key;
    key.first = fields.text("ip");
    key.second = fields.text("site");
    ReceiverStep one;
    one.step = fields.number<unsigned>("step", 0, 1000);
    one.day = fields.number<std::int64_t>("day", 0, last_day);
    one.taken = fields.number<std::uint32_t>("taken", 0, 1U << 31);
    one.put_off = fields.number<std::uint32_t>("put-off", 0, 1U << 31);
    if (!fields.good()) return std::nullopt;
    return std::pair(std::move(key), one);
}

std::string_view take_line(std::string_view& text) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return line;
}

}  // namespace

std::string encode_egress_state(const EgressState& state) {
    std::string out = std::string(heading).append(version).append("\n");
    for (const auto& [address, record] : state.addresses) out.append(line_of(address, record)).append("\n");
    for (const auto& verdict : state.verdicts) out.append(line_of(verdict)).append("\n");
    for (const auto& [key, one] : state.receivers) out.append(line_of(key, one)).append("\n");
    return out;
}

EgressState decode_egress_state(std::string_view text) {
    EgressState state;
    if (take_line(text) != std::string(heading).append(version)) return state;
    while (!text.empty()) {
        const auto line = take_line(text);
        if (line.size() > longest_line) continue;
        const auto kind = line.substr(0, line.find(' '));
        const Fields fields(line.substr(std::min(line.size(), kind.size() + 1)));
        if (kind == "address" && state.addresses.size() < most_entries)
            if (auto found = read_address(fields)) state.addresses.insert(std::move(*found));
        if (kind == "verdict" && state.verdicts.size() < most_entries)
            if (auto found = read_verdict(fields)) state.verdicts.push_back(std::move(*found));
        if (kind == "receiver" && state.receivers.size() < most_entries)
            if (auto found = read_receiver(fields)) state.receivers.insert(std::move(*found));
    }
    return state;
}

}  // namespace postern::relay
