#include "agent/status/views.h"

#include <nlohmann/json.hpp>

#include "agent/log/log_line.h"
#include "agent/settings/quantity.h"
#include "relay/mail/mime.h"
#include "sync/base/time_text.h"

namespace postern::agent {
namespace {

using nlohmann::json;

std::string_view name(sync::Standing standing) {
    switch (standing) {
        case sync::Standing::good: return "good";
        case sync::Standing::bad: return "bad";
        case sync::Standing::unknown: return "unknown";
    }
    return "";
}

std::string_view name(relay::Finding::Result result) {
    switch (result) {
        case relay::Finding::Result::ok: return "ok";
        case relay::Finding::Result::warning: return "warning";
        case relay::Finding::Result::failed: return "failed";
    }
    return "";
}

template <class Elements>
json list(const Elements& elements) {
    json result = json::array();
    for (const auto& element : elements) result.push_back(view(element));
    return result;
}

json view_of(const relay::RecipientView& recipient) {
    return {{"address", recipient.address}, {"state", text_of(recipient.state)},
            {"route", recipient.route},     {"attempts", recipient.attempts},
            {"next", view(recipient.next)}, {"why", recipient.why},
            {"egress", recipient.egress},   {"tls", recipient.tls},
            {"pinned", recipient.pinned}};
}

}  // namespace

json view(base::Time time) {
    const auto text = base::iso_time(time);
    return text.empty() ? json(nullptr) : json(text);
}

json view(const relay::Reply& reply) {
    return {{"code", reply.code}, {"status", reply.status.text()}, {"line", reply.line()}};
}

json view(const relay::MessageView& message) {
    json recipients = json::array();
    for (const auto& recipient : message.recipients) recipients.push_back(view_of(recipient));
    json result = {{"id", message.id},
                   {"from", message.from},
                   {"client", message.client},
                   {"primary", message.primary},
                   {"origin", message.origin},
                   {"size", message.size},
                   {"arrived", view(message.arrived)},
                   {"expires", view(message.expires)},
                   {"recipients", std::move(recipients)}};
    if (message.header.empty()) return result;
    result["header"] = message.header;
    for (const auto& field : relay::fields_of(message.header)) {
        if (field.name == "subject") result["subject"] = field.value();
        if (field.name == "message-id") result["message_id"] = field.value();
    }
    return result;
}

json view(const relay::Explanation& explanation) {
    return {{"sender", {{"reply", view(explanation.sender)}, {"why", explanation.sender_why}}},
            {"recipient", {{"reply", view(explanation.recipient)}, {"why", explanation.recipient_why}}},
            {"route", explanation.route},
            {"route_why", explanation.route_why},
            {"hosts", explanation.hosts},
            {"tls", explanation.tls},
            {"egress", explanation.egress},
            {"limits", explanation.limits},
            {"volume", explanation.volume},
            {"dkim", explanation.signatures},
            {"trouble", explanation.trouble},
            {"next_try", explanation.trouble.empty() ? json(nullptr) : view(explanation.next_try)}};
}

json view(const relay::QueueSummary& summary) {
    json ages = json::array(), destinations = json::array(), senders = json::array(), reasons = json::array();
    for (const auto& age : relay::QueueSummary::ages) ages.push_back("<" + format_duration(age));
    ages.push_back("older");
    for (const auto& one : summary.destinations)
        destinations.push_back({{"route", one.route}, {"messages", one.messages}, {"by_age", one.by_age}});
    for (const auto& one : summary.senders)
        senders.push_back({{"sender", one.address}, {"messages", one.messages}, {"bytes", one.bytes}});
    for (const auto& one : summary.reasons)
        reasons.push_back({{"reason", one.text}, {"recipients", one.recipients}});
    return {{"messages", summary.messages},
            {"recipients", summary.recipients},
            {"held", summary.held},
            {"bytes", summary.bytes},
            {"oldest", view(summary.oldest)},
            {"ages", std::move(ages)},
            {"destinations", std::move(destinations)},
            {"senders", std::move(senders)},
            {"reasons", std::move(reasons)},
            {"more_destinations", summary.more_destinations},
            {"more_senders", summary.more_senders},
            {"more_reasons", summary.more_reasons}};
}

json view(const relay::DestinationView& destination) {
    const bool troubled = !destination.trouble.empty();
    return {{"route", destination.route},
            {"site", destination.site},
            {"ready", destination.ready},
            {"delivering", destination.delivering},
            {"waiting", destination.waiting},
            {"connections", destination.connections},
            {"trouble", destination.trouble},
            {"next_try", troubled ? view(destination.next_try) : json(nullptr)}};
}

json view(const sync::SuspicionView& suspicion) {
    return {{"what", suspicion.what},
            {"since", view(suspicion.since)},
            {"before", suspicion.before},
            {"now", suspicion.now}};
}

json view(const sync::PrimaryReport& primary) {
    json suspicions = json::array();
    if (const auto& held = primary.suspicion)
        suspicions.push_back(view(sync::SuspicionView{"domains", held->since, held->before, held->now}));
    json out = {{"name", primary.name},
                {"url", primary.url},
                {"lists_addresses", primary.lists},
                {"reachable", primary.reachable},
                {"polling", primary.polling},
                {"last_round", view(primary.last_round)},
                {"last_success", view(primary.last_success)},
                {"next_round", view(primary.next_round)},
                {"credentials_refused_since", view(primary.refused_since)},
                {"error", primary.error},
                {"trusted_until", view(primary.trusted_until)},
                {"suspicions", suspicions},
                {"unusable", primary.unusable},
                {"requests", primary.requests}};
    if (!primary.polled_by.empty()) out["polled_by"] = primary.polled_by;
    return out;
}

json view(const sync::DomainView& domain) {
    return {{"name", domain.name},
            {"primary", domain.primary},
            {"enabled", domain.enabled},
            {"lists_addresses", domain.listed},
            {"users", domain.users},
            {"aliases", domain.aliases},
            {"lists", domain.lists},
            {"domain_aliases", domain.domain_aliases},
            {"catch_all", domain.catch_all},
            {"read", view(domain.read)},
            {"trusted_until", view(domain.trusted_until)},
            {"suspicions", list(domain.suspicions)},
            {"unusable", domain.unusable},
            {"error", domain.error},
            {"error_at", view(domain.error_at)}};
}

json view(const sync::Verdict& verdict) {
    return {{"verdict", name(verdict.standing)},
            {"reason", sync::describe(verdict.reason)},
            {"primary", verdict.primary},
            {"age_seconds", verdict.age.count()}};
}

json check_view(const std::filesystem::path& file, const ParsedConfiguration& parsed,
                const std::vector<relay::Finding>& findings) {
    const auto told = [&file](const std::vector<Fault>& faults) {
        json list = json::array();
        for (const auto& fault : faults)
            list.push_back({{"file", (fault.file.empty() ? file : fault.file).string()},
                            {"line", fault.position.line},
                            {"column", fault.position.column},
                            {"key", fault.key},
                            {"text", fault.text}});
        return list;
    };
    json tried = json::array();
    for (const auto& finding : findings)
        tried.push_back({{"what", finding.what},
                         {"result", name(finding.result)},
                         {"text", finding.text},
                         {"advice", finding.advice}});
    return {{"file", file.string()},
            {"ok", parsed.faults.empty()},
            {"faults", told(parsed.faults)},
            {"warnings", told(parsed.warnings)},
            {"findings", tried}};
}

json status_view(const Control& control) {
    const auto state = control.process.state();
    const auto report = control.directory.report();
    const auto reasons = control.process.not_ready();
    const auto totals = control.process.totals();
    return {{"version", control.process.identity().version},
            {"hostname", control.process.identity().hostname},
            {"started", view(control.process.identity().started)},
            {"ready", reasons.empty()},
            {"not_ready", reasons},
            {"degraded", control.process.degraded()},
            {"queue",
             {{"messages", state.messages},
              {"held", state.held},
              {"oldest", view(state.oldest)},
              {"disk_bytes", state.bytes},
              {"damaged", state.damaged}}},
            {"sessions", state.sessions},
            {"connections", state.connections},
            {"since_start",
             {{"accepted", totals.accepted},
              {"refused", totals.refused},
              {"delivered", totals.delivered},
              {"deferred", totals.deferred},
              {"bounced", totals.bounced}}},
            {"destinations", list(state.destinations)},
            {"primaries", list(report.primaries)}};
}

}  // namespace postern::agent
