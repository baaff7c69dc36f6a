#include "relay/tls_reports/tls_reports.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "relay/net/https.h"
#include "relay/net/timer.h"
#include "relay/tls_reports/counts_state.h"
#include "relay/tls_reports/document.h"
#include "relay/tls_reports/letter.h"
#include "sync/base/domain_name.h"
#include "sync/base/file_fault.h"
#include "sync/base/kept_file.h"

namespace postern::relay {

namespace {

using namespace std::chrono_literals;

constexpr const char* state_file = "tls-reports.state";
constexpr std::size_t file_max = 128u << 20, part = 64u << 10;  // octets
constexpr std::size_t at_once = 8;
constexpr std::chrono::seconds keep_every = 60s, first_pause = 10min, give_up_after = 24h;
constexpr std::size_t reply_max = 16u << 10;  // octets of what an HTTPS server says, which nobody reads
constexpr net::Milliseconds post_time{60'000};

std::string joined(const std::vector<std::string>& list) {
    std::string out;
    for (const auto& one : list) out += (out.empty() ? "" : ", ") + one;
    return out;
}

Address address_of(const std::string& text, const std::string& hostname) {
    const auto parsed = parse_address(text);
    return parsed && !parsed->null() ? *parsed : Address{"postmaster", hostname};
}

/// 10 minutes, then twice as long each time (RFC 8460 §5.5).
std::chrono::seconds pause_after(unsigned attempts) { return first_pause * (1u << std::min(attempts, 6u)); }

}  // namespace

/// One report on its way to all of its readers.
struct TlsReports::Attempt {
    TlsCounts::Key key;
    TlsPeriod period;
    Means means;
    ReportReaders readers;
    Address from;
    ReportSender sender;
    std::vector<std::string> taken_by, troubles;
    std::string message;  // the id of the mail, where there is one

    Attempt(TlsCounts::Key key_, TlsPeriod period_, Means means_)
        : key(std::move(key_)), period(std::move(period_)), means(std::move(means_)) {
        const Settings& settings = *means.settings;
        const TlsReportSettings& own = settings.tls_reports;
        from = address_of(own.from, settings.hostname);
        sender.domain = from.domain;
        sender.contact = own.contact.empty() ? from.text() : own.contact;
        sender.organization = own.organization.empty() ? settings.hostname : own.organization;
    }
};

TlsReports::TlsReports(net::io_context& io, const net::Machine& machine, Spool& spool, Observer& observer,
                       const Settings& settings)
    : io_(io),
      machine_(machine),
      spool_(spool),
      observer_(observer),
      file_(settings.state_dir / state_file),
      settings_(settings.tls_reports) {
    recall();
}

/// Where it cannot be read counting begins anew, which is told: no mail waits for that.
void TlsReports::recall() {
    const auto text = base::read_file(machine_.disk, file_, file_max);
    if (text && read_counts_state(*text, counts_)) return;
    if (!text && text.error() == std::errc::no_such_file_or_directory) return;
    const std::string why = text ? file_.string() + " is damaged" : base::file_fault(file_, text.error());
    observer_.on(event::Trouble{event::Area::tls, "what was counted for TLS reports is lost: " + why, false});
}

void TlsReports::count(const std::string& domain, const HostPolicy& policy, const TlsSession& session) {
    if (!settings_.send || !base::is_domain_name(domain)) return;
    counts_.add(domain, judge_session(policy, domain, session), session, machine_.clock.wall());
    keeping_.changed = true;
}

void TlsReports::tick() {
    if (stopped_) return;
    const Time now = machine_.clock.wall();
    counts_.forget(now);
    if (settings_.send && means_)
        for (auto& key : counts_.due(now, at_once + under_way_.size())) {
            if (under_way_.size() >= at_once) break;
            if (!under_way_.insert(key).second) continue;
            run(report(key), [this, key] { under_way_.erase(key); });
        }
    tell_left_out();
    const Time time = machine_.clock.steady();
    if (time < keeping_.next || keeping_.going_on || !keeping_.changed) return;
    keeping_.next = time + keep_every;
    save();
}

void TlsReports::tell_left_out() {
    const Time time = machine_.clock.steady();
    if (counts_.left_out() == keeping_.told_left_out || time < keeping_.tell_left_out_again) return;
    keeping_.tell_left_out_again = time + 24h;
    const auto more = counts_.left_out() - std::exchange(keeping_.told_left_out, counts_.left_out());
    observer_.on(event::Trouble{
        event::Area::tls,
        std::to_string(more) + " sessions are in no TLS report: there are too many to count", false});
}

bool TlsReports::send_now(const std::string& domain) {
    const bool any = settings_.send && counts_.end_early(domain, machine_.clock.wall());
    if (any) keeping_.changed = true;
    tick();
    return any;
}

std::vector<TlsReportView> TlsReports::views(const std::string& domain, std::size_t most) const {
    std::vector<TlsReportView> out;
    for (const auto& [key, one] : counts_.periods()) {
        if (out.size() >= most) break;
        if (!domain.empty() && key.first != domain) continue;
        TlsReportView view{key.first,    one.begin,    one.end, one.due,    one.successful(),
                           one.failed(), one.attempts, {},      one.trouble};
        switch (one.state) {
            case TlsPeriod::State::open:
                view.state = one.end > machine_.clock.wall() ? "counted"
                             : under_way_.contains(key)      ? "under way"
                                                             : "waits";
                break;
            case TlsPeriod::State::sent: view.state = "sent"; break;
            case TlsPeriod::State::unasked: view.state = "not wanted"; break;
            case TlsPeriod::State::given_up: view.state = "given up"; break;
        }
        out.push_back(std::move(view));
    }
    return out;
}

void TlsReports::stop() {
    stopped_ = true;
    if (!keeping_.changed && !keeping_.going_on) return;
    std::string text(counts_state_head());
    for (const auto& [key, period] : counts_.periods()) write_period(text, key, period);
    write(std::move(text));
}

// ---- what is kept

void TlsReports::save() {
    keeping_.going_on = true;
    keeping_.changed = false;
    run(save_in_parts(), [this] { keeping_.going_on = false; });
}

/// With others between the parts: it may be much. Each period is as it was at one time.
net::awaitable<void> TlsReports::save_in_parts() {
    std::string text(counts_state_head());
    std::size_t written = 0;
    for (auto at = counts_.periods().begin(); at != counts_.periods().end();) {
        write_period(text, at->first, at->second);
        const TlsCounts::Key last = at->first;
        if (text.size() - written < part) {
            ++at;
            continue;
        }
        written = text.size();
        co_await asio::post(io_, asio::use_awaitable);
        if (stopped_) co_return;
        at = counts_.periods().upper_bound(last);
    }
    write(std::move(text));
}

void TlsReports::write(std::string text) {
    asio::post(machine_.workers.keeping, [this, &disk = machine_.disk, text = std::move(text)] {
        const auto error = base::replace_file(disk, file_, text);
        if (!error) return;
        observer_.on(event::Trouble{
            event::Area::tls,
            "what is counted for TLS reports cannot be written down: " + base::file_fault(file_, error),
            false});
        asio::post(io_, [this] { keeping_.changed = true; });
    });
}

void TlsReports::run(net::awaitable<void> work, std::function<void()> after) {
    asio::co_spawn(io_, std::move(work), [this, after = std::move(after)](const std::exception_ptr& fault) {
        after();
        if (!fault) return;
        try {
            std::rethrow_exception(fault);
        } catch (const std::exception& what) {
            observer_.on(event::Trouble{event::Area::tls, std::string("TLS reports: ") + what.what(), false});
        }
    });
}

// ---- a report

net::awaitable<void> TlsReports::report(TlsCounts::Key key) {
    const TlsPeriod* period = counts_.find(key);
    if (period == nullptr) co_return;
    Attempt attempt(key, *period, means_());
    const std::string name = "_smtp._tls." + key.first;
    const net::TextAnswer answer = co_await attempt.means.resolver.text(name);
    if (stopped_) co_return;
    if (answer.status == net::Lookup::transient) {
        attempt.troubles.push_back(name + " cannot be looked up: " + answer.why);
        co_return finish(attempt);
    }
    const auto readers = parse_report_record(answer.texts);
    keeping_.changed = true;
    if (!readers || readers->empty()) {
        const std::string why = answer.texts.empty() ? name + " has no TXT record"
                                                     : name + " names nobody whom a report can be sent to";
        co_return counts_.settle(key, TlsPeriod::State::unasked, why, machine_.clock.wall());
    }
    attempt.readers = *readers;
    if (!attempt.readers.mail.empty()) co_await mail(attempt);
    for (const auto& place : attempt.readers.https)
        if (!stopped_) co_await post(attempt, place);
    if (!stopped_) finish(attempt);
}

net::awaitable<void> TlsReports::mail(Attempt& attempt) {
    const auto stored = std::make_shared<Stored>();
    stored->message =
        make_letter(attempt.means.settings->hostname, attempt.from, attempt.readers.mail, attempt.key.first,
                    attempt.period, attempt.sender, spool_.new_id(), machine_.clock.wall());
    struct Wait {
        explicit Wait(net::io_context& io, const base::Clock& clock) : over(io, clock) {}
        net::Timer over;
        std::optional<std::error_code> error;
    };
    const auto wait = std::make_shared<Wait>(io_, machine_.clock);
    wait->over.expires_after(1min);
    spool_.accept(stored, [wait, &io = io_](std::error_code error) {
        asio::post(io, [wait, error] {
            wait->error = error;
            wait->over.cancel();
        });
    });
    if (!wait->error) co_await wait->over.async_wait(net::as_value);
    std::vector<std::string> names;
    for (const auto& one : attempt.readers.mail) names.push_back("mailto:" + one.text());
    // What takes so long is not known to have failed, and would be sent twice.
    if (wait->error && *wait->error) {
        attempt.troubles.push_back("the spool does not take it: " + wait->error->message());
        co_return;
    }
    attempt.message = stored->message.id.text();
    attempt.taken_by.insert(attempt.taken_by.end(), names.begin(), names.end());
}

net::awaitable<void> TlsReports::post(Attempt& attempt, const HttpsPlace& place) {
    const auto failed = [&](const std::string& why) {
        attempt.troubles.push_back(place.text() + ": " + why);
    };
    const net::AddressAnswer found = co_await attempt.means.resolver.addresses(place.host);
    if (found.status != net::Lookup::found) co_return failed("cannot be looked up: " + found.why);
    net::HttpsRequest request;
    for (const auto& address : found.addresses)
        if (!must_ignore(attempt.means.settings->delivery.ignore_addresses, *attempt.means.own,
                         plain(address)))
            request.addresses.push_back(plain(address));
    if (request.addresses.empty())
        co_return failed("leads to " + found.addresses.front().to_string() +
                         ", where no host of others is asked");
    request.host = place.host;
    request.path = place.path;
    request.port = place.port;
    request.body = reply_max;
    request.total = post_time;
    const net::HttpsContent content{"application/tlsrpt+gzip",
                                    gzip(report_json(attempt.key.first, attempt.period, attempt.sender))};
    const net::HttpsReply got = co_await net::https_post(io_, machine_.clock, machine_.outside,
                                                         attempt.means.tls, std::move(request), content);
    if (got.asked != net::Asked::answered) co_return failed(got.why);
    if (got.reply.status < 200 || got.reply.status > 299)
        co_return failed("answers " + std::to_string(got.reply.status));
    attempt.taken_by.push_back(place.text());
}

/// What one reader has is delivered (RFC 8460 §3); what nobody has is tried again for a day.
void TlsReports::finish(const Attempt& attempt) {
    const Time now = machine_.clock.wall();
    const TlsPeriod* period = counts_.find(attempt.key);
    if (period == nullptr) return;
    keeping_.changed = true;
    keeping_.next = {};
    const std::string why = joined(attempt.troubles), to = joined(attempt.taken_by);
    const bool sent = !attempt.taken_by.empty();
    if (!sent &&
        now < period->end + give_up_after + (report_time(attempt.key.first, period->end) - period->end)) {
        counts_.put_off(attempt.key, now + pause_after(period->attempts), why);
        return;
    }
    event::TlsReport told;
    told.domain = attempt.key.first;
    told.sent = sent;
    told.to = to;
    told.message = attempt.message;
    told.successful = attempt.period.successful();
    told.failed = attempt.period.failed();
    told.why = why;
    observer_.on(told);
    counts_.settle(attempt.key, sent ? TlsPeriod::State::sent : TlsPeriod::State::given_up, why, now);
}

}  // namespace postern::relay
