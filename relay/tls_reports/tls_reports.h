// Reports about TLS to the domains that ask for them (RFC 8460): counted, kept, sent once a day.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "relay/net/addresses.h"
#include "relay/net/asio.h"
#include "relay/net/machine.h"
#include "relay/net/resolver.h"
#include "relay/net/tls.h"
#include "relay/observer.h"
#include "relay/queue/spool.h"
#include "relay/settings.h"
#include "relay/tls_reports/counts.h"
#include "relay/tls_reports/record.h"
#include "relay/views.h"

namespace postern::relay {

/// Used from the thread of its io_context. No mail waits for it: what cannot be kept or sent is told, and
/// that is all. Off, it counts nothing, and what was counted before stays until it is on again or too old.
class TlsReports {
public:
    /// What sending takes, as it is at the time.
    struct Means {
        net::Resolver resolver;
        net::TlsContext tls;
        std::shared_ptr<OwnAddresses> own;
        SettingsPtr settings;
    };

    TlsReports(net::io_context& io, const net::Machine& machine, Spool& spool, Observer& observer,
               const Settings& settings);

    /// Called for each report; before start().
    void send_with(std::function<Means()> means) { means_ = std::move(means); }
    void reload(const Settings& settings) { settings_ = settings.tls_reports; }

    bool wanted() const { return settings_.send; }
    /// A session for mail to `domain`, or a host that its policy bars. Nothing while it is not wanted.
    void count(const std::string& domain, const HostPolicy& policy, const TlsSession& session);
    /// Every few seconds: what is due is sent, and what has changed written down beside the loop.
    void tick();
    /// A domain's report on what is counted so far goes at once; false when nothing is counted.
    bool send_now(const std::string& domain);
    /// The same domains as they stand, at most so many.
    std::vector<TlsReportView> views(const std::string& domain, std::size_t most) const;
    /// Nothing more is sent, and all that is known is handed over to be written.
    void stop();

private:
    struct Attempt;

    void recall();
    void tell_left_out();
    void save();
    net::awaitable<void> save_in_parts();
    void write(std::string text);
    void run(net::awaitable<void> work, std::function<void()> after);
    net::awaitable<void> report(TlsCounts::Key key);
    net::awaitable<void> mail(Attempt& attempt);
    net::awaitable<void> post(Attempt& attempt, const HttpsPlace& place);
    void finish(const Attempt& attempt);

    net::io_context& io_;
    const net::Machine machine_;
    Spool& spool_;
    Observer& observer_;
    const std::filesystem::path file_;
    TlsReportSettings settings_;
    std::function<Means()> means_;
    TlsCounts counts_;
    std::set<TlsCounts::Key> under_way_;
    struct Keeping {
        bool changed = false, going_on = false;
        Time next{};
        std::uint64_t told_left_out = 0;
        Time tell_left_out_again{};
    } keeping_;
    bool stopped_ = false;
};

}  // namespace postern::relay
