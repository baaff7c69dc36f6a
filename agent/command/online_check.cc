#include "agent/command/online_check.h"

#include <openssl/err.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <stop_token>

#include "agent/log/log_line.h"
#include "agent/log/primary_remedy.h"
#include "agent/settings/own_certificate.h"
#include "agent/status/table.h"
#include "relay/net/tls.h"
#include "sync/sync.h"

namespace postern::agent {
namespace {

using relay::Finding;
using Result = Finding::Result;

constexpr std::chrono::seconds patience{30};  // for all of it
constexpr const char* certificate_name = "certificate";
constexpr const char* anchors_name = "trust anchors";

std::string name_of(const sync::PrimarySettings& primary) { return "primary " + primary.name; }

Finding try_primary(const sync::PrimarySettings& primary, const base::Clock& clock,
                    const std::stop_token& stop) {
    const std::string what = name_of(primary);
    const auto failed = [&](const std::string& why, sync::Trouble trouble) {
        if (stop.stop_requested())
            return Finding{what, Result::failed,
                           "no end after " + std::to_string(patience.count()) + " seconds",
                           "the primary, or something on the way there, answers very slowly, or not at all"};
        return Finding{what, Result::failed, why, std::string(remedy(trouble))};
    };
    try {
        const auto probed = sync::probe(primary, clock, stop);
        if (!probed) return failed(probed.error().words, probed.error().trouble);
        if (!probed->takes_all.empty())
            return {what, Result::warning,
                    "answers, and accepts every address in " + probed->takes_all.front() +
                        (probed->takes_all.size() > 1 ? " and others" : ""),
                    "unknown senders there cannot be refused until it refuses unknown recipients at RCPT"};
        if (!probed->lists)
            return {what, Result::ok,
                    "answers, and will be asked about each address in " + counted(probed->domains, "domain"),
                    ""};
        if (probed->domains == 0)
            return {what, Result::warning, "signed in, but it has no domain",
                    "see that the account is a system administrator there"};
        return {what, Result::ok, "signed in, " + counted(probed->domains, "domain"), ""};
    } catch (const std::exception& error) {
        return failed(error.what(), sync::Trouble::other);
    }
}

Finding try_certificate(const Settings& settings, base::Time now) {
    const auto& tls = settings.relay.tls;
    if (tls.certificate.empty())
        return {certificate_name, Result::ok, "none is set, so listeners offer no TLS", ""};
    try {
        const auto context = relay::net::server_context(tls);
        const auto own = own_certificate(context->native_handle(), settings.relay.hostname, now);
        if (own.troubles.empty())
            return {certificate_name, Result::ok, "for " + own.names + ", until " + own.ends, ""};
        std::string text;
        for (const auto& trouble : own.troubles) text += (text.empty() ? "" : "; ") + trouble;
        return {certificate_name, Result::warning, text,
                "get one for " + settings.relay.hostname + " and name it in tls.certificate, with its chain"};
    } catch (const std::exception& error) {
        ERR_clear_error();
        return {certificate_name, Result::failed, error.what(), "correct the files named in [tls]"};
    }
}

Finding try_anchors(const Settings& settings) {
    const auto& file = settings.relay.dns.trust_anchors;
    if (file.empty())
        return {anchors_name, Result::ok, "none are set, so no answer is validated and there is no DANE", ""};
    if (access(file.c_str(), R_OK) == 0)
        return {anchors_name, Result::ok, file.string() + " can be read", ""};
    return {anchors_name, Result::warning,
            file.string() + " cannot be read, so no answer is validated and there is no DANE",
            "install the package dns-root-data, or set dns.trust_anchors = \"\""};
}

/// Threads are waited for when they are left; not for what they try, then.
struct StopsAll {
    std::stop_source& source;
    ~StopsAll() { source.request_stop(); }
};

std::string name(Result result) {
    switch (result) {
        case Result::ok: return "ok";
        case Result::warning: return "warning";
        case Result::failed: return "FAILED";
    }
    return "";
}

}  // namespace

std::vector<std::string> tried_online(const Settings& settings) {
    std::vector<std::string> names{certificate_name, anchors_name};
    for (const auto& primary : settings.synced()) names.push_back(name_of(primary));
    for (auto& name : relay::what_is_tried(settings.relay)) names.push_back(std::move(name));
    return names;
}

std::vector<Finding> check_online(const Settings& settings, const base::Clock& clock, const std::string& from,
                                  const std::string& to, const std::function<void(const Finding&)>& told) {
    std::mutex mutex;
    std::condition_variable_any answered;
    std::size_t answers = 0;  // of primaries
    const auto tell = [&](const Finding& finding) {
        const std::lock_guard lock(mutex);
        told(finding);
    };
    std::vector<Finding> findings{try_certificate(settings, clock.wall()), try_anchors(settings)};
    std::for_each(findings.begin(), findings.end(), tell);
    std::stop_source stop;
    std::vector<std::future<Finding>> primaries;
    for (const auto& primary : settings.synced())
        primaries.push_back(std::async(std::launch::async, [&, primary, token = stop.get_token()] {
            auto finding = try_primary(primary, clock, token);
            const std::lock_guard lock(mutex);
            ++answers;
            answered.notify_one();
            told(finding);
            return finding;
        }));
    const StopsAll whatever_is_thrown{stop};
    const auto until = clock.now() + patience;
    const auto postmaster = "postmaster@" + settings.relay.hostname;
    auto tried = relay::try_out(
        std::make_shared<const relay::Settings>(settings.relay),
        {from.empty() ? postmaster : from, to.empty() ? postmaster : to, patience, tell}, clock);
    {
        std::unique_lock lock(mutex);
        if (!clock.wait_until(answered, lock, {}, until, [&] { return answers == primaries.size(); }))
            stop.request_stop();
    }
    for (auto& primary : primaries) findings.push_back(primary.get());
    std::move(tried.begin(), tried.end(), std::back_inserter(findings));
    return findings;
}

bool all_right(const std::vector<Finding>& findings) {
    return std::none_of(findings.begin(), findings.end(),
                        [](const auto& finding) { return finding.result == Result::failed; });
}

FindingTable::FindingTable(const std::vector<std::string>& names) : width_(sizeof("WHAT") - 1) {
    for (const auto& name : names) width_ = std::max(width_, printable(name).size());
}

std::string FindingTable::row(const std::string& what, const std::string& result,
                              const std::string& seen) const {
    std::string line = what;
    line.append(what.size() < width_ ? width_ - what.size() : 0, ' ').append("  ").append(result);
    line.append(std::string("warning  ").size() - result.size(), ' ').append(seen);
    return line + '\n';
}

std::string FindingTable::heading() const { return row("WHAT", "RESULT", "SEEN"); }

std::string FindingTable::line(const Finding& finding) const {
    return row(printable(finding.what), name(finding.result), printable(finding.text));
}

std::string trying(const std::vector<std::string>& names) {
    std::string text = "trying, at most " + std::to_string(patience.count()) + " seconds: ";
    for (std::size_t at = 0; at < names.size(); ++at)
        if (at == 0 || names[at] != names[at - 1]) text += (at == 0 ? "" : ", ") + printable(names[at]);
    return text + '\n';
}

std::string what_to_do(const std::vector<Finding>& findings) {
    std::string advice;
    for (const auto& finding : findings)
        if (!finding.advice.empty())
            advice.append("  ")
                .append(printable(finding.what))
                .append(": ")
                .append(printable(finding.advice)) += '\n';
    return advice.empty() ? "" : "\nwhat to do\n" + advice;
}

}  // namespace postern::agent
