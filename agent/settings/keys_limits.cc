#include "agent/settings/keys_limits.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

#include "agent/settings/key_types.h"
#include "agent/settings/quantity.h"
#include "sync/base/ascii.h"
#include "sync/base/domain_name.h"

namespace postern::agent {
namespace {

using relay::VolumeLimit;

constexpr const char* form = "list as [\"500 recipients/1h\"]";
constexpr std::uint64_t most = 1'000'000'000;

/// "500 recipients/1h". The error is the rest of a sentence about it.
tl::expected<VolumeLimit, std::string> parse_limit(std::string_view text) {
    const auto wrong = [](std::string why) { return tl::make_unexpected(std::move(why)); };
    VolumeLimit out;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.count);
    std::string_view rest = base::trim(text.substr(static_cast<std::size_t>(end - text.data())));
    if (error != std::errc() || out.count > most)
        return wrong("does not begin with a number up to " + std::to_string(most));
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const auto unit = base::trim(rest.substr(0, slash));
    if (unit != "messages" && unit != "recipients")
        return wrong("does not say messages or recipients behind the number");
    out.unit = unit == "messages" ? VolumeLimit::Unit::messages : VolumeLimit::Unit::recipients;
    const auto period = slash == rest.size() ? std::string_view() : base::trim(rest.substr(slash + 1));
    for (const auto& [name, length] :
         {std::pair<std::string_view, std::chrono::seconds>("1m", std::chrono::minutes(1)),
          {"1h", std::chrono::hours(1)},
          {"1d", std::chrono::hours(24)}}) {
        if (period != name) continue;
        out.period = length;
        return out;
    }
    return wrong("does not end with /1m, /1h or /1d");
}

std::string set_limits(std::vector<VolumeLimit>& limits, const Value& value) {
    limits.clear();
    for (const auto& text : std::get<std::vector<std::string>>(value)) {
        const auto limit = parse_limit(text);
        if (!limit) return key::quoted(text) + ' ' + limit.error() + ": write it as \"500 recipients/1h\"";
        limits.push_back(*limit);
    }
    return {};
}

using Limits = std::vector<VolumeLimit>;

Key limits_key(std::string_view name, std::vector<std::string> initial, Limits relay::LimitSettings::*member,
               std::string_view help) {
    return {name, form, std::move(initial), help, [member](Settings& settings, const Value& value) {
                return set_limits(settings.relay.limits.*member, value);
            }};
}

std::string set_sender(Settings& settings, const Value& value) {
    const auto sender = base::lower(std::get<std::string>(value));
    const std::size_t sign = sender.rfind('@');
    const auto domain = std::string_view(sender).substr(sign == std::string::npos ? 0 : sign + 1);
    if (sign == 0 || !base::is_domain_name(domain))
        return key::quoted(sender) +
               " is not a user (\"user@example.com\"), each user of a domain (\"*@example.com\") or a domain "
               "(\"example.com\")";
    if (const std::size_t plus = sender.find('+'); plus != std::string::npos && plus > 0 && plus < sign)
        return key::quoted(sender) + " is counted as " +
               key::quoted(sender.substr(0, plus) + sender.substr(sign)) +
               ": what stands behind a + is no part of it";
    settings.relay.limits.rules.back().sender = sender;
    return {};
}

Section limits() {
    using L = relay::LimitSettings;
    return {.name = "limits",
            .help =
                "How much a sender may hand in: recipients outside of the primaries' domains, by acceptance. "
                "What is beyond is answered 450. COUNT recipients or messages, of 1m, 1h or 1d.",
            .keys = {limits_key("user", {"1000 recipients/1h", "5000 recipients/1d"}, &L::user,
                                "of each sender address; []: any amount"),
                     limits_key("domain", {"5000 recipients/1h", "25000 recipients/1d"}, &L::domain,
                                "of each sender domain"),
                     limits_key("primary", {}, &L::primary, "of each primary, reports too"),
                     limits_key("all", {}, &L::all, "of all together")}};
}

Section unusual() {
    using Mode = relay::UnusualSettings::Mode;
    return {.name = "unusual",
            .help =
                "Senders that hand in more than is usual for them: their mail to the outside is slowed down, "
                "then held.",
            .keys = {key::choice<Mode>(
                         "mode", "enforce",
                         {{"off", Mode::off}, {"monitor", Mode::monitor}, {"enforce", Mode::enforce}},
                         [](Settings& s) -> Mode& { return s.relay.unusual.mode; },
                         "monitor: only say what would be done"),
                     key::duration(
                         "learn", "7d", "0s", "90d",
                         [](Settings& s) -> std::chrono::seconds& { return s.relay.unusual.learn; },
                         "how long a new site is only watched")}};
}

Section limit() {
    return {
        .name = "limit",
        .help = "A sender with limits of its own, instead of those of [limits].",
        .keys = {{"sender", "\"user@domain\", \"*@domain\" or \"domain\"", std::string("news@example.com"),
                  "whose; \"*@example.com\" is each user of it, \"example.com\" all of them together",
                  set_sender, Given::required},
                 {"limits", form, std::vector<std::string>{"20000 recipients/1d"}, "[]: any amount",
                  [](Settings& s, const Value& value) {
                      return set_limits(s.relay.limits.rules.back().limits, value);
                  },
                  Given::required}},
        .begin = [](Settings& s) { s.relay.limits.rules.emplace_back(); },
        .shown = false};
}

}  // namespace

std::vector<Section> limit_sections() { return {limits(), limit(), unusual()}; }

}  // namespace postern::agent
