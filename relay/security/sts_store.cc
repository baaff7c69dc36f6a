#include "relay/security/sts_store.h"

#include <map>
#include <mutex>

#include "relay/mail/address.h"
#include "relay/security/sts_state.h"
#include "sync/base/domain_name.h"

namespace postern::relay {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds check_every = 1h, fetch_every = 24h, pause = 5min, patience = 1min;
// A fetch that was never answered does not block the domain for ever.
constexpr std::chrono::seconds lost_after = 10min;
constexpr std::size_t domains_max = 20'000;

std::string ago(std::chrono::system_clock::duration age) {
    const auto seconds = std::max<std::int64_t>(std::chrono::floor<std::chrono::seconds>(age).count(), 0);
    auto words = [](std::int64_t count, const char* unit) {
        return std::to_string(count) + ' ' + unit + (count == 1 ? "" : "s") + " ago";
    };
    if (seconds < 120) return words(seconds, "second");
    if (seconds < 7200) return words(seconds / 60, "minute");
    if (seconds < 172'800) return words(seconds / 3600, "hour");
    return words(seconds / 86'400, "day");
}

/// Lets a fetch's callback, which comes on any thread and at any time, in only while the store is there.
struct Gate {
    std::mutex mutex;
    net::io_context* io;
};

}  // namespace

struct StsStore::Impl : std::enable_shared_from_this<StsStore::Impl> {
    /// A question under way. Its timer wakes all who wait for the answer, or ends their patience.
    struct Look {
        Look(net::io_context& io, Time at) : started(at), over(io) { over.expires_after(patience); }
        Time started;
        asio::steady_timer over;
    };

    struct Entry {
        std::optional<StsRecord> record;
        Time checked{};     // the TXT record was looked at
        Time not_before{};  // after a failure, or where there is no policy
        std::string why;    // there is none
        std::shared_ptr<Look> look;
    };

    Impl(net::io_context& io_, std::string_view state, Now now_) : io(io_), now(std::move(now_)) {
        gate->io = &io;
        for (auto& [domain, record] : read_sts_state(state)) {
            entries[domain].checked = record.fetched;
            entries[domain].record = std::move(record);
        }
    }

    void close() {
        const std::lock_guard lock(gate->mutex);
        gate->io = nullptr;
        for (auto& [domain, entry] : entries)
            if (entry.look) entry.look->over.cancel();
    }

    bool in_force(const Entry& entry) const {
        // A policy is good for its max_age, and for as long as it is not asked for again.
        return entry.record && now() < std::max(entry.record->expires(), entry.record->fetched + pause);
    }

    Known known(const Entry& entry) const {
        if (in_force(entry))
            return Known{entry.record->policy, "fetched " + ago(now() - entry.record->fetched)};
        return Known{std::nullopt, entry.why.empty() ? "cannot be fetched in time" : entry.why};
    }

    bool due(const Entry& entry) const {
        if (now() < entry.not_before) return false;
        return !in_force(entry) || now() - entry.checked >= check_every;
    }

    bool stale(const Entry& entry) const {
        const auto renew = std::min<std::chrono::seconds>(fetch_every, entry.record->policy.max_age / 2);
        return now() - entry.record->fetched >= renew;
    }

    /// Ends a look whose coroutine goes before its time, because the resolver does: the next one starts anew.
    struct UnderWay {
        UnderWay(std::shared_ptr<Impl> store_, std::string domain_, std::shared_ptr<Look> look_)
            : store(std::move(store_)), domain(std::move(domain_)), look(std::move(look_)) {}
        ~UnderWay() {
            if (!handed_over) store->finish(domain, look, "");
        }
        UnderWay(const UnderWay&) = delete;
        UnderWay& operator=(const UnderWay&) = delete;

        std::shared_ptr<Impl> store;
        std::string domain;
        std::shared_ptr<Look> look;
        bool handed_over = false;
    };

    /// Ends a look, if it is still the one its domain waits for.
    void finish(const std::string& domain, const std::shared_ptr<Look>& look, std::string why,
                std::optional<StsRecord> got = std::nullopt) {
        auto at = entries.find(domain);
        if (!look || at == entries.end() || at->second.look != look) return;
        Entry& entry = at->second;
        entry.look.reset();
        entry.checked = now();
        if (got) {
            entry.record = std::move(got);
            entry.why.clear();
            changed = true;
        } else if (!why.empty()) {
            entry.why = std::move(why);
            entry.not_before = now() + pause;
            // With a policy at hand the next check comes after the pause, not after an hour.
            entry.checked = Time();
        }
        look->over.cancel();
    }

    void fetched(const std::string& domain, const std::string& id, const std::shared_ptr<Look>& look,
                 const std::string& body, const std::string& fault) {
        if (!fault.empty() || body.empty())
            return finish(domain, look, "cannot be fetched: " + (fault.empty() ? "it is empty" : fault));
        auto policy = parse_sts_policy(body);
        if (!policy) return finish(domain, look, "cannot be used: " + policy.error());
        finish(domain, look, "", StsRecord{std::move(*policy), id, now()});
    }

    net::awaitable<void> refresh(net::Resolver resolver, std::string domain, std::shared_ptr<Look> look) {
        UnderWay under_way{shared_from_this(), domain, look};
        net::TextAnswer answer = co_await resolver.text("_mta-sts." + domain);
        if (answer.status == net::Lookup::transient)
            co_return finish(domain, look, "its TXT record cannot be looked up: " + answer.why);
        const auto id = parse_sts_record(answer.texts);
        if (!id) co_return finish(domain, look, "the domain has no MTA-STS policy");
        auto at = entries.find(domain);
        if (at == entries.end() || at->second.look != look) co_return;
        const Entry& entry = at->second;
        if (in_force(entry) && entry.record->id == *id && !stale(entry)) co_return finish(domain, look, "");
        if (!fetch) co_return finish(domain, look, "cannot be fetched: there is nothing to fetch it with");

        const std::string host = "mta-sts." + domain;
        net::AddressAnswer found = co_await resolver.addresses(host);
        if (found.status != net::Lookup::found)
            co_return finish(domain, look, "cannot be fetched: cannot look up " + host + ": " + found.why);
        std::vector<std::string> addresses;
        for (const auto& address : found.addresses) addresses.push_back(address.to_string());
        under_way.handed_over = true;
        // The callback may outlive this thread's loop, so it holds nothing that belongs to it.
        fetch(domain, addresses,
              [weak = weak_from_this(), gate = gate, domain, id = *id, waiting = std::weak_ptr<Look>(look)](
                  std::string body, std::string fault) {
                  const std::lock_guard lock(gate->mutex);
                  if (gate->io == nullptr) return;
                  asio::post(*gate->io, [=, body = std::move(body), fault = std::move(fault)] {
                      if (auto there = weak.lock()) there->fetched(domain, id, waiting.lock(), body, fault);
                  });
              });
    }

    void look_up(const net::Resolver& resolver, const std::string& domain, Entry& entry) {
        entry.look = std::make_shared<Look>(io, now());
        asio::co_spawn(io, refresh(resolver, domain, entry.look), [](const std::exception_ptr& error) {
            if (error) std::rethrow_exception(error);
        });
    }

    /// Makes room by forgetting what is not in force and nobody waits for, or else what expires first.
    void make_room() {
        if (entries.size() < domains_max) return;
        std::erase_if(entries, [this](const auto& at) { return !at.second.look && !in_force(at.second); });
        while (entries.size() >= domains_max) {
            auto first = entries.end();
            for (auto at = entries.begin(); at != entries.end(); ++at)
                if (at->second.record && !at->second.look &&
                    (first == entries.end() ||
                     at->second.record->expires() < first->second.record->expires()))
                    first = at;
            if (first == entries.end()) return;
            entries.erase(first);
            changed = true;
        }
    }

    net::io_context& io;
    Now now;
    Fetch fetch;
    std::shared_ptr<Gate> gate = std::make_shared<Gate>();
    std::map<std::string, Entry, std::less<>> entries;  // by domain, in A-labels
    mutable bool changed = false;
};

StsStore::StsStore(net::io_context& io, std::string_view state, Now now)
    : impl_(std::make_shared<Impl>(io, state, std::move(now))) {}

StsStore::~StsStore() { impl_->close(); }

void StsStore::fetch_with(Fetch fetch) { impl_->fetch = std::move(fetch); }

net::awaitable<StsStore::Known> StsStore::find(net::Resolver& resolver, std::string domain) {
    auto impl = impl_;
    const auto parsed = base::DomainName::parse(domain);
    if (!parsed) co_return Known{std::nullopt, "is no domain that could have a policy"};
    auto at = impl->entries.find(parsed->text());
    if (at == impl->entries.end()) {
        impl->make_room();
        at = impl->entries.emplace(parsed->text(), Impl::Entry()).first;
    }
    Impl::Entry& entry = at->second;
    if (entry.look && impl->now() - entry.look->started >= lost_after) entry.look.reset();
    if (!entry.look && impl->due(entry)) impl->look_up(resolver, parsed->text(), entry);
    if (impl->in_force(entry) || !entry.look) co_return impl->known(entry);

    const auto look = entry.look;
    co_await look->over.async_wait(net::as_value);
    at = impl->entries.find(parsed->text());  // may have been forgotten meanwhile
    if (at == impl->entries.end()) co_return Known{std::nullopt, "cannot be fetched in time"};
    co_return impl->known(at->second);
}

std::string StsStore::save() const {
    StsRecords records;
    for (const auto& [domain, entry] : impl_->entries)
        if (entry.record && impl_->now() < entry.record->expires()) records.emplace(domain, *entry.record);
    impl_->changed = false;
    return write_sts_state(records);
}

bool StsStore::changed() const { return impl_->changed; }

}  // namespace postern::relay
