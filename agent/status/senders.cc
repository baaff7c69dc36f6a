// How much each sender handed in, and may; whose volume is unusual, and what was announced.
#include <cmath>
#include <nlohmann/json.hpp>

#include "agent/limits.h"
#include "agent/settings/quantity.h"
#include "agent/status/pages.h"
#include "agent/status/present.h"
#include "agent/status/table.h"
#include "agent/status/views.h"
#include "sync/base/ascii.h"
#include "sync/base/domain_name.h"
#include "sync/base/time_text.h"

namespace postern::agent {
namespace {

using nlohmann::json;

json view(const relay::VolumeView& sender) {
    json counts = json::array();
    for (const auto& one : sender.counts)
        counts.push_back(
            {{"what", one.unit == relay::VolumeLimit::Unit::messages ? "messages" : "recipients"},
             {"period", format_duration(one.period)},
             {"used", one.used},
             {"limit", one.limit ? json(*one.limit) : json(nullptr)}});
    return {{"scope", relay::text_of(sender.scope)}, {"sender", sender.who}, {"counts", std::move(counts)}};
}

json view(const relay::EpisodeView& one) {
    return {{"sender", one.who},
            {"level", relay::text_of(one.level)},
            {"monitored", one.monitored},
            {"since", base::iso_time(one.since)},
            {"recipients", one.recipients},
            {"usual_hour", std::lround(one.usual.hour)},
            {"usual_day", std::lround(one.usual.day)},
            {"slowed", one.slowed},
            {"held", one.held},
            {"last_leaves", one.slowed > 0 ? json(base::iso_time(one.next)) : json(nullptr)},
            {"why", one.why},
            {"subjects", one.subjects}};
}

Answer senders(const Control& control, const Request& request) {
    const auto who = parameter(request, "sender");
    const auto most = number(request, "limit");
    json list = json::array(), unusual = json::array(), announced = json::array();
    for (const auto& one : control.process.senders(who, most)) list.push_back(view(one));
    const auto watched = control.process.unusual();
    std::uint64_t more = 0;
    for (const auto& one : watched.senders) {
        if (!who.empty() && base::lower(who) != one.who) continue;
        if (unusual.size() < most)
            unusual.push_back(view(one));
        else
            ++more;
    }
    for (const auto& one : watched.announced)
        if ((who.empty() || base::lower(who) == one.who) && announced.size() < most)
            announced.push_back(
                {{"sender", one.who}, {"recipients_left", one.left}, {"until", base::iso_time(one.until)}});
    return ok(
        {{"counted", "recipients outside of the primaries' domains, and messages with one, by acceptance"},
         {"senders", std::move(list)},
         {"unusual", std::move(unusual)},
         {"more_unusual", more},
         {"announced", std::move(announced)},
         {"learning_until", base::iso_time(watched.learning_until)}});
}

/// Ends an unusual volume, one way or the other.
Handler deciding(std::string_view done,
                 std::optional<relay::Applied> (ProcessControl::*decide)(const std::string& who)) {
    return [done, decide](const Control& control, const Request& request) {
        const auto applied = (control.process.*decide)(request.subject);
        if (!applied)
            return refusal(404,
                           "the volume of " + request.subject +
                               " is not unusual at present; what waits of it: postern queue list --sender " +
                               request.subject);
        note(control, request, "unusual volume of " + request.subject + ' ' + std::string(done),
             applied->messages);
        return ok({{"messages", applied->messages}});
    };
}

Answer expect(const Control& control, const Request& request) {
    const auto& who = request.subject;
    const auto domain =
        std::string_view(who).substr(who.rfind('@') == std::string::npos ? 0 : who.rfind('@') + 1);
    if (who.starts_with('@') || !base::is_domain_name(domain))
        return refusal(400, who + " is not a user (\"news@example.com\") or a domain");
    const auto recipients = number(request, "recipients");
    const auto length = std::chrono::floor<std::chrono::seconds>(*parse_duration(parameter(request, "for")));
    if (!control.process.expect(who, recipients, length))
        return refusal(409, "too many mailings are announced already");
    note(control, request,
         "mailing of " + who + " to " + std::to_string(recipients) + " recipients in " +
             base::span_in_words(length) + " announced");
    return ok({{"sender", who}, {"recipients", recipients}, {"seconds", length.count()}});
}

/// "12 of 1000", "12" where there is no limit.
std::string used_of(const json& count) {
    std::string out = number_field(count, "used");
    if (!count.at("limit").is_null()) out += " of " + number_field(count, "limit");
    return out;
}

/// One sender in some lines: what it does, what is usual, and what to do about it.
std::string unusual_in_words(const json& one, base::Time now) {
    const auto sender = text_field(one, "sender");
    std::string out = sender + ": " + text_field(one, "level") +
                      (one.at("monitored").get<bool>() ? " (monitored only)" : "") + " since " +
                      base::relative_time(base::parse_iso_time(text_field(one, "since")).value_or(now), now) +
                      '\n';
    out += "  " + text_field(one, "why") + '\n';
    out += "  since then to " + number_field(one, "recipients") + " recipients, with " +
           number_field(one, "slowed") + " messages slowed down and " + number_field(one, "held") + " held\n";
    std::string subjects;
    for (const auto& subject : one.at("subjects"))
        subjects += (subjects.empty() ? "" : " | ") + subject.get<std::string>();
    if (!subjects.empty()) out += "  subjects: " + subjects + '\n';
    return out + "  it is all right: postern senders release " + sender +
           "\n  it is not: close the account, then postern senders drop " + sender + "\n\n";
}

std::string present(const json& answer, base::Time now) {
    std::string out;
    for (const auto& one : answer.at("unusual")) out += unusual_in_words(one, now);
    if (const auto more = answer.at("more_unusual").get<std::uint64_t>(); more > 0)
        out += "and " + std::to_string(more) + " more: --limit shows them\n\n";
    if (!out.empty()) out = "unusual volume\n\n" + out;
    for (const auto& one : answer.at("announced"))
        out += "announced: " + text_field(one, "sender") + ", " + number_field(one, "recipients_left") +
               " more recipients until " + text_field(one, "until") + '\n';
    if (const auto until = text_field(answer, "learning_until"); !until.empty())
        out +=
            "this site is new: what is usual is learnt until " + until + ", and nobody slowed down before\n";
    if (!out.empty()) out += '\n';
    std::vector<Row> rows{{"scope", "sender"}};
    for (const auto& sender : answer.at("senders")) {
        if (rows.size() == 1)
            for (const auto& count : sender.at("counts"))
                rows.front().push_back(text_field(count, "what") + '/' + text_field(count, "period"));
        rows.push_back({text_field(sender, "scope"), text_field(sender, "sender")});
        for (const auto& count : sender.at("counts")) rows.back().push_back(used_of(count));
    }
    if (rows.size() == 1) return out + "nobody sent anything to the outside in the last day\n";
    return out + table(rows, "") + "counted: " + text_field(answer, "counted") + '\n';
}

std::string present_expected(const json& answer) {
    return text_field(answer, "sender") + " may send to " + number_field(answer, "recipients") +
           " recipients in the next " +
           base::span_in_words(std::chrono::seconds(answer.at("seconds").get<std::int64_t>())) +
           " beside what it may otherwise\n";
}

std::string present_dropped(const json& answer) {
    return number_field(answer, "messages") + " messages deleted; nobody is told\n";
}

std::string present_released(const json& answer) {
    return number_field(answer, "messages") +
           " messages leave now; for a day twice as much as came is usual for it\n";
}

}  // namespace

std::vector<Endpoint> sender_endpoints() {
    return {
        {.method = "GET",
         .path = "/v1/senders",
         .words = "senders",
         .help = "how much each sender handed in, and may",
         .parameters = {{.name = "sender", .value = "NAME", .help = "a user, a domain or a primary alone"},
                        {.name = "limit",
                         .value = "N",
                         .help = "at most so many",
                         .kind = Parameter::Kind::number,
                         .largest = limits::page,
                         .initial = "20"}},
         .handle = senders,
         .present = shown_by(present)},
        {.method = "POST",
         .path = "/v1/senders/NAME/release",
         .words = "senders release",
         .help = "its unusual volume is all right: what was slowed down or held leaves now",
         .access = Access::operators,
         .parameters =
             {{.name = "NAME", .value = "USER", .help = "as listed", .place = Parameter::Place::path}},
         .handle = deciding("released", &ProcessControl::release_sender),
         .present = shown_by(present_released)},
        {.method = "POST",
         .path = "/v1/senders/NAME/drop",
         .words = "senders drop",
         .help = "it is not: what was slowed down or held is deleted, and the sender begins anew",
         .access = Access::operators,
         .parameters = {{.name = "NAME",
                         .value = "USER",
                         .help = "as listed; close the account before",
                         .place = Parameter::Place::path}},
         .handle = deciding("dropped", &ProcessControl::drop_sender),
         .present = shown_by(present_dropped)},
        {.method = "POST",
         .path = "/v1/senders/NAME/expect",
         .words = "expect",
         .help = "announce a mailing: so many recipients are neither too many nor unusual",
         .access = Access::operators,
         .parameters = {{.name = "NAME",
                         .value = "USER|DOMAIN",
                         .help = "who sends it",
                         .place = Parameter::Place::path},
                        {.name = "recipients",
                         .value = "N",
                         .help = "at most so many; 0: no more",
                         .kind = Parameter::Kind::number,
                         .place = Parameter::Place::word,
                         .required = true,
                         .largest = 100'000'000},
                        {.name = "for",
                         .value = "TIME",
                         .help = "for so long",
                         .kind = Parameter::Kind::duration,
                         .place = Parameter::Place::word,
                         .initial = "1d"}},
         .handle = expect,
         .present = shown_by(present_expected)}};
}

}  // namespace postern::agent
