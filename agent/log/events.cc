#include "agent/log/events.h"
#include "agent/log/primary_remedy.h"

namespace postern::agent {
namespace {

constexpr std::size_t longest_operation = 128;  // of what the network calls one
constexpr std::string_view anywhere = "everywhere";

}  // namespace

void Events::on(const relay::event::Accepted& event) {
    metrics_.count(event);
    log_.write(LogLevel::info, "accepted", [&](LogLine& line) {
        line.add("id", event.id).add("from", event.from).add("recipients", std::uint64_t{event.recipients});
        line.add_if("message_id", event.message_id);
        line.add("size", event.size).add("client", event.client).add("helo", event.helo);
        line.add_if("primary", event.primary).add_if("tls", event.tls).add_seconds("commit", event.commit);
        line.add_if("journal", event.journal).add_if("screened", event.screened);
        if (event.back && event.screened.empty()) line.add("screened", "unknown");
        if (event.again) line.add("again", true);
    });
}

void Events::on(const relay::event::Refused& event) {
    metrics_.count(event);
    log_.write(LogLevel::info, event.monitored ? "would-refuse" : "refused", [&](LogLine& line) {
        line.add("client", event.client).add_if("helo", event.helo).add("from", event.from);
        line.add_if("to", event.recipient).add_if("stage", event.stage).add("reply", event.reply.line());
        line.add("rule", event.rule).add_if("reason", event.reason);
        if (event.times > 1) line.add("times", event.times);
        if (event.directory_age.count() > 0) line.add_seconds("directory_age", event.directory_age);
    });
}

void Events::on(const relay::event::BetweenPrimaries& event) {
    log_.write(LogLevel::info, "between-primaries", [&](LogLine& line) {
        line.add("from", event.from).add("to", event.to).add("domain", event.domain);
    });
}

void Events::on(const relay::event::Delivered& event) {
    metrics_.count(event);
    log_.write(LogLevel::info, "delivered", [&](LogLine& line) {
        line.add("id", event.id).add("from", event.from).add("to", event.recipient).add("route", event.route);
        line.add("host", event.host).add_if("egress", event.egress).add_if("tls", event.tls);
        line.add_if("dkim", event.signed_by);
        line.add("reply", event.reply.line());
        line.add_seconds("delay", event.delay);
    });
}

void Events::on(const relay::event::Deferred& event) {
    metrics_.count(event);
    log_.write(LogLevel::info, "deferred", [&](LogLine& line) {
        line.add("id", event.id).add("from", event.from).add("to", event.recipient).add("route", event.route);
        line.add_if("host", event.host).add_if("egress", event.egress).add("stage", event.stage);
        if (event.reply.code != 0)
            line.add("reply", event.reply.line());
        else
            line.add("reason", event.reason);
        line.add("attempts", std::uint64_t{event.attempts}).add_time("next", event.next);
    });
}

void Events::on(const relay::event::Bounced& event) {
    metrics_.count(event);
    log_.write(LogLevel::info, "bounced", [&](LogLine& line) {
        line.add("id", event.id).add("from", event.from).add("to", event.recipient).add("route", event.route);
        line.add_if("host", event.host).add_if("egress", event.egress).add_if("stage", event.stage);
        if (event.reply.code != 0)
            line.add("reply", event.reply.line());
        else if (event.reply.status)
            line.add("status", event.reply.status.text());
        if (event.reply.code == 0 || event.reason != event.reply.text) line.add_if("reason", event.reason);
        line.add("bounce", event.bounce_id.empty() ? std::string_view("none") : event.bounce_id);
    });
}

void Events::on(const relay::event::Removed& event) {
    metrics_.count(event);
    log_.write(LogLevel::info, "removed", [&](LogLine& line) {
        line.add("id", event.id).add("from", event.from).add_if("to", event.to);
        line.add("recipients", std::uint64_t{event.recipients});
    });
}

void Events::on(const relay::event::Reported& event) {
    metrics_.count(event);
    log_.write(LogLevel::info, "reported", [&](LogLine& line) {
        line.add("id", event.id).add("from", event.from).add("action", event.action);
        line.add("recipients", std::uint64_t{event.recipients}).add("report", event.report_id);
    });
}

void Events::on(const relay::event::Held& event) {
    log_.write(LogLevel::info, event.released ? "released" : "held", [&](LogLine& line) {
        line.add("id", event.id).add("from", event.from).add_if("to", event.to);
        line.add("recipients", std::uint64_t{event.recipients}).add_if("why", event.why);
    });
}

void Events::on(const relay::event::Throttled& event) {
    metrics_.count(event);
    log_.write(LogLevel::info, "throttled", [&](LogLine& line) {
        line.add("id", event.id).add("from", event.from);
        line.add("recipients", std::uint64_t{event.recipients});
        line.add_time("until", event.until).add("why", event.why);
    });
}

void Events::on(const relay::event::Unusual& event) {
    metrics_.count(event);
    const bool over = event.level == "usual", noted = event.level == "noted";
    log_.write(over || noted ? LogLevel::info : LogLevel::warning, "unusual-volume", [&](LogLine& line) {
        line.add("sender", event.sender).add("level", event.level).add_if("why", event.why);
        if (event.monitored) line.add("monitored", true);
        if (!over && !noted) line.add("do", "see \"postern senders\"");
    });
}

void Events::on(const relay::event::NotBack& event) {
    metrics_.count(event);
    log_.write(LogLevel::warning, "not-back", [&](LogLine& line) {
        line.add("gateway", event.gateway).add("messages", std::uint64_t{event.messages});
        line.add_seconds("after", event.after).add("example", event.example).add("from", event.from);
        line.add("do", "see \"postern screening\"");
    });
}

void Events::on(const relay::event::Listed& event) {
    metrics_.count(event);
    log_.write(LogLevel::warning, "listed", [&](LogLine& line) {
        line.add("egress", event.address).add("site", event.site.empty() ? anywhere : event.site);
        line.add("by", event.by).add_if("text", event.text).add_time("until", event.until);
    });
}

void Events::on(const relay::event::Unlisted& event) {
    log_.write(LogLevel::info, "unlisted", [&](LogLine& line) {
        line.add("egress", event.address).add("site", event.site.empty() ? anywhere : event.site);
        line.add("why", event.why);
    });
}

void Events::on(const relay::event::Rotated& event) {
    metrics_.count(event);
    log_.write(event.to.empty() ? LogLevel::error : LogLevel::warning, "rotated", [&](LogLine& line) {
        line.add("site", event.site).add("from", event.from);
        line.add("to", event.to.empty() ? std::string_view("none") : event.to).add("why", event.why);
    });
}

void Events::on(const relay::event::TlsReport& event) {
    metrics_.count(event);
    log_.write(LogLevel::info, "tls-report", [&](LogLine& line) {
        line.add("domain", event.domain).add("sent", event.sent).add_if("to", event.to);
        line.add_if("id", event.message).add("successful", event.successful).add("failed", event.failed);
        line.add_if("why", event.why);
    });
}

void Events::on(const relay::event::Trouble& event) {
    metrics_.count(event);
    log_.write(event.grave ? LogLevel::error : LogLevel::warning, "trouble",
               [&](LogLine& line) { line.add("where", text_of(event.where)).add("text", event.text); });
}

void Events::on(const relay::event::SessionClosed& event) {
    metrics_.count(event);
    log_.write(LogLevel::debug, "session", [&](LogLine& line) {
        line.add("client", event.client).add("commands", std::uint64_t{event.commands});
        line.add("messages", std::uint64_t{event.messages});
    });
}

void Events::on(const sync::event::Synced& event) {
    metrics_.count(event);
    log_.write(event.unreadable ? LogLevel::warning : LogLevel::info, "synced", [&](LogLine& line) {
        line.add("primary", event.primary).add("domains", std::uint64_t{event.domains});
        line.add("addresses", std::uint64_t{event.addresses});
        if (event.unreadable) line.add("unreadable", std::uint64_t{event.unreadable});
        line.add("requests", event.requests).add_seconds("took", event.took).add_time("next", event.next);
    });
}

void Events::on(const sync::event::SyncFailed& event) {
    metrics_.count(event);
    log_.write(LogLevel::warning, "sync-failed", [&](LogLine& line) {
        line.add("primary", event.primary).add_if("domain", event.domain).add("reason", event.reason);
        if (event.domain.empty()) line.add_if("do", remedy(event.trouble));
        line.add_time("next", event.next);
    });
}

void Events::on(const sync::event::CredentialsRefused& event) {
    metrics_.count(event);
    log_.write(LogLevel::error, "sync-failed", [&](LogLine& line) {
        line.add("primary", event.primary).add("reason", event.reason);
        line.add("do", std::string(remedy(event.trouble)) + ", then run \"postern sync\"")
            .add_time("next", event.next);
    });
}

void Events::on(const sync::event::SuddenLoss& event) {
    log_.write(LogLevel::warning, "sudden-loss", [&](LogLine& line) {
        line.add("primary", event.primary).add_if("domain", event.domain).add("what", event.what);
        line.add("before", event.before).add("now", event.now).add_time("since", event.since);
        line.add("taken", event.taken);
        if (!event.taken) line.add("do", "if it is right, run \"postern sync --accept\"");
    });
}

void Events::on(const sync::event::DomainClaimed& event) {
    log_.write(LogLevel::warning, "domain-claimed", [&](LogLine& line) {
        line.add("domain", event.domain).add("primary", event.primary).add("besides", event.overruled);
    });
}

void Events::on(const sync::event::NamesUnusable& event) {
    log_.write(LogLevel::warning, "names-unusable", [&](LogLine& line) {
        line.add("primary", event.primary);
        line.add_if("domain", event.domain);
        line.add("names", event.names);
    });
}

void Events::on(const sync::event::NotAdopted& event) {
    log_.write(LogLevel::warning, "not-adopted",
               [&](LogLine& line) { line.add_if("primary", event.primary).add("reason", event.reason); });
}

void Events::on(const sync::event::CacheDamaged& event) {
    log_.write(LogLevel::error, "trouble", [&](LogLine& line) {
        line.add("where", "directory cache").add("text", event.reason).add("file", event.file);
        line.add_if("set_aside", event.set_aside);
    });
}

void Events::on(const sync::event::CacheUnwritable& event) {
    log_.write(LogLevel::error, "trouble", [&](LogLine& line) {
        line.add("where", "directory cache").add("text", event.reason).add("file", event.file);
    });
}

void Events::on(const sync::event::Cluster& event) {
    log_.write(event.reached ? LogLevel::info : LogLevel::warning, "cluster", [&](LogLine& line) {
        line.add("server", event.where).add("reached", event.reached);
        line.add_if("reason", event.why);
        if (!event.reached)
            line.add(
                "do",
                "nothing for the mail: each gateway goes by what it knows and a share of each limit; see "
                "\"postern cluster\"");
    });
}

void Events::on(const sync::event::PollTurn& event) {
    log_.write(LogLevel::info, "poll-turn", [&](LogLine& line) {
        line.add("polls", event.ours ? "this gateway" : event.known ? "another" : "each for itself");
        line.add_if("gateway", event.gateway);
    });
}

void Events::on(const GatewayModeEvent& event) {
    metrics_.count(event);
    const bool served = event.outcome == GatewayModeOutcome::served;
    const auto operation = event.operation.substr(0, longest_operation);
    std::uint64_t times = 1;
    if (!served) {
        std::string kind(describe(event.outcome));
        // Strangers are many; what the primaries ask must not be lost among them.
        if (event.outcome != GatewayModeOutcome::stranger)
            kind.append(" ").append(event.client).append(" ").append(operation);
        const std::lock_guard lock(repeats_mutex_);
        const auto passed = repeats_.pass(kind, clock_.now());
        if (!passed) return;
        times = *passed;
    }
    const bool suspicious =
        event.outcome == GatewayModeOutcome::login_refused || event.outcome == GatewayModeOutcome::stranger;
    const auto level = served ? LogLevel::debug : suspicious ? LogLevel::warning : LogLevel::info;
    log_.write(level, "gateway-mode", [&](LogLine& line) {
        line.add("client", event.client).add("operation", operation);
        line.add("outcome", describe(event.outcome));
        if (times > 1) line.add("times", times);
    });
}

}  // namespace postern::agent
