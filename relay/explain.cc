#include "relay/explain.h"

#include <utility>

#include "relay/delivery/route.h"
#include "relay/reception/sender_limits.h"

namespace postern::relay {

namespace {

std::string in_words(const Decision& decision) {
    std::string out(decision.rule == Rule::none ? "" : text_of(decision.rule).name);
    if (!out.empty() && !decision.reason.empty()) out += ": ";
    out += decision.reason;
    if (decision.monitored) out += " (would be refused, but accept.mode is \"monitor\")";
    return out;
}

std::string first_client(const Settings& settings) {
    if (settings.primaries.empty() || settings.primaries.front().addresses.empty()) return {};
    return settings.primaries.front().addresses.front().address;
}

}  // namespace

Explained explain(const Grounds& grounds, const std::string& from, const std::string& to,
                  const std::string& client, Time now) {
    Explained out;
    const auto sender =
        from.empty() || from == "<>" ? std::optional<Address>(Address()) : parse_address(from);
    auto recipient = parse_address(to);
    if (!sender) out.so_far.sender = Reply{501, {5, 1, 7}, "malformed address"};
    if (!recipient) out.so_far.recipient = Reply{501, {5, 1, 3}, "malformed address"};
    if (!sender || !recipient) return out;

    const std::string from_client = client.empty() ? first_client(grounds.settings) : client;
    const PrimarySettings* primary = primary_of(grounds.settings, from_client);
    const Caller caller{grounds.settings, grounds.directory, grounds.srs, primary, from_client};
    const Decision mail =
        judge_sender(grounds.settings, grounds.directory, primary, *sender, now, from_client);
    RecipientDecision rcpt = decide_recipient(caller, *sender, *recipient, now);
    out.so_far.sender = mail.reply;
    out.so_far.sender_why = in_words(mail);
    out.so_far.recipient = rcpt.decision.reply;
    out.so_far.recipient_why = in_words(rcpt.decision);
    if (!mail.reply.positive() || !rcpt.decision.reply.positive()) return out;
    if (!rcpt.instead.null()) recipient = std::move(rcpt.instead);
    const auto charged = primary == nullptr
                             ? std::nullopt
                             : charged_for(grounds.directory, *sender, primary->name, *recipient, now);
    if (auto beyond = charged && grounds.beyond ? grounds.beyond(*charged) : std::nullopt) {
        beyond->monitored = !grounds.settings.accept.enforce;
        out.so_far.recipient_why = in_words(*beyond);
        if (!beyond->monitored) {
            out.so_far.recipient = beyond->reply;
            return out;
        }
    }

    Explained::Onward onward;
    onward.envelope.reverse_path = *sender;
    if (primary != nullptr) onward.envelope.primary = primary->name;
    Route route = choose_route(grounds.settings, grounds.directory, onward.envelope, *recipient, now);
    out.so_far.route = route.key.text();
    out.so_far.route_why = std::move(route.why);
    onward.route = std::move(route.key);
    out.onward = std::move(onward);
    return out;
}

}  // namespace postern::relay
