#include "agent/online_check.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <stop_token>

#include "agent/log_line.h"
#include "agent/primary_remedy.h"
#include "agent/table.h"
#include "sync/sync.h"

namespace postern::agent {
namespace {

using relay::Finding;
using Result = Finding::Result;

constexpr std::chrono::seconds patience{120};  // for relay and all primaries together

Finding try_primary(const sync::PrimarySettings& primary, std::stop_token stop) {
    const std::string what = "primary " + primary.name;
    const auto failed = [&](const std::string& why, sync::Trouble trouble) {
        return Finding{what, Result::failed, why, std::string(remedy(trouble))};
    };
    try {
        const auto domains = sync::probe(primary, std::move(stop));
        if (!domains) return failed(domains.error().words, domains.error().trouble);
        if (*domains == 0)
            return {what, Result::warning, "signed in, but it has no domain",
                    "see that the account is a system administrator there"};
        return {what, Result::ok, "signed in, " + std::to_string(*domains) + " domains", ""};
    } catch (const std::exception& error) {
        return failed(error.what(), sync::Trouble::other);
    }
}

std::string name(Result result) {
    switch (result) {
        case Result::ok: return "ok";
        case Result::warning: return "warning";
        case Result::failed: return "FAILED";
    }
    return "";
}

}  // namespace

std::vector<Finding> check_online(const Settings& settings, const std::string& from, const std::string& to) {
    const auto postmaster = "postmaster@" + settings.relay.hostname;
    std::stop_source stop;
    std::vector<std::future<Finding>> primaries;
    for (const auto& primary : settings.synced())
        primaries.push_back(std::async(std::launch::async, try_primary, primary, stop.get_token()));
    const auto until = std::chrono::steady_clock::now() + patience;
    auto tried = relay::try_out(std::make_shared<const relay::Settings>(settings.relay),
                                from.empty() ? postmaster : from, to.empty() ? postmaster : to, patience);
    std::vector<Finding> findings;
    for (auto& primary : primaries) {
        if (primary.wait_until(until) != std::future_status::ready) stop.request_stop();
        findings.push_back(primary.get());
    }
    std::move(tried.begin(), tried.end(), std::back_inserter(findings));
    return findings;
}

bool all_right(const std::vector<Finding>& findings) {
    return std::none_of(findings.begin(), findings.end(),
                        [](const auto& finding) { return finding.result == Result::failed; });
}

std::string present_findings(const std::vector<Finding>& findings) {
    std::vector<Row> rows{{"WHAT", "RESULT", "SEEN"}};
    std::string advice;
    for (const auto& finding : findings) {
        rows.push_back({printable(finding.what), name(finding.result), printable(finding.text)});
        if (!finding.advice.empty())
            advice.append("  ")
                .append(printable(finding.what))
                .append(": ")
                .append(printable(finding.advice)) += '\n';
    }
    return table(rows, "") + (advice.empty() ? "" : "\nwhat to do\n" + advice);
}

}  // namespace postern::agent
