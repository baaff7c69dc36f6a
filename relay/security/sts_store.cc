#include "relay/security/sts_store.h"

#include <algorithm>
#include <map>

#include "relay/mail/address.h"
#include "relay/net/timer.h"
#include "relay/security/sts_state.h"
#include "sync/base/domain_name.h"
#include "sync/base/forget_oldest.h"

namespace postern::relay {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds check_every = 1h, fetch_every = 24h, pause = 5min, patience = 1min;
constexpr std::chrono::seconds soon = 5s;         // where it is unsure: name servers get as much of a pause
constexpr std::chrono::seconds denied_for = 24h;  // "there is none" stands while nobody says otherwise
constexpr std::chrono::seconds unsure_for = 4h;   // then what others do not tell is taken for none
constexpr std::chrono::seconds connected = 24h;   // failures further apart are two matters

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

}  // namespace

struct StsStore::Impl : std::enable_shared_from_this<StsStore::Impl> {
    /// A question under way. Its timer wakes all who wait for the answer, or ends their patience.
    struct Look {
        Look(net::io_context& io, const base::Clock& clock) : over(io, clock) {
            over.expires_after(patience);
        }
        net::Timer over;
    };

    struct Entry {
        std::optional<StsRecord> record;
        Time checked{};                  // the TXT record was looked at
        Time not_before{};               // after a failure, or where there is no policy
        Time denied{};                   // the TXT record said that there is none, and nothing else since
        Time failing_since{}, failed{};  // in a row, by no fault of ours
        StsKnown otherwise{std::nullopt, true, "it is still being looked up"};  // where no record is in force
        std::shared_ptr<Look> look;
    };

    Impl(net::io_context& io_, const base::Clock& clock_, std::string_view state, std::size_t most)
        : io(io_), clock(clock_), domains_max(most) {
        for (auto& [domain, record] : read_sts_state(state)) {
            entries[domain].checked = std::min(record.fetched, clock.steady());
            entries[domain].record = std::move(record);
        }
    }

    void close() {
        fetch = nullptr;
        for (auto& [domain, entry] : entries)
            if (entry.look) entry.look->over.cancel();
    }

    bool in_force(const Entry& entry) const {
        // A policy is good for its max_age, and for as long as it is not asked for again.
        return entry.record &&
               clock.wall() < std::max(entry.record->expires(), entry.record->fetched + pause);
    }

    StsKnown known(const Entry& entry) const {
        if (!in_force(entry)) return entry.look ? Entry().otherwise : entry.otherwise;
        return StsKnown{entry.record->policy, false, "fetched " + ago(clock.wall() - entry.record->fetched)};
    }

    bool due(const Entry& entry) const {
        if (clock.steady() < entry.not_before) return false;
        return !in_force(entry) || clock.steady() - entry.checked >= check_every;
    }

    bool stale(const Entry& entry) const {
        const auto renew = std::min<std::chrono::seconds>(fetch_every, entry.record->policy.max_age / 2);
        return clock.wall() - entry.record->fetched >= renew;
    }

    /// Ends a look, also that of a coroutine which goes before its time, because the resolver does: the next
    /// one starts anew.
    class UnderWay {
    public:
        UnderWay(std::shared_ptr<Impl> store, std::string domain, std::shared_ptr<Look> look)
            : store_(std::move(store)), domain_(std::move(domain)), look_(std::move(look)) {}
        ~UnderWay() {
            if (look_) unsure("it was interrupted", Whose::ours);
        }
        UnderWay(const UnderWay&) = delete;
        UnderWay& operator=(const UnderWay&) = delete;

        enum class Whose : std::uint8_t { ours, of_others };

        /// Null when the question is nobody's any more.
        Entry* entry() const {
            auto at = store_->entries.find(domain_);
            return at == store_->entries.end() || at->second.look != look_ ? nullptr : &at->second;
        }

        /// The record is the one it was.
        void same() { end(); }

        void got(StsRecord record) {
            if (Entry* entry = end()) {
                entry->record = std::move(record);
                store_->changed = true;
            }
        }

        void none(std::string why, StsFault fault, bool denied = false) {
            if (Entry* entry = end()) {
                if (denied) entry->denied = store_->clock.steady();
                store_->failed(*entry, StsKnown{std::nullopt, false, std::move(why), fault}, pause);
            }
        }

        void unsure(std::string why, Whose whose, StsFault fault = StsFault::none) {
            Entry* entry = end(false);
            if (entry == nullptr) return;
            const Time time = store_->clock.steady();
            if (entry->denied != Time() && time - entry->denied < denied_for)
                return store_->failed(*entry, entry->otherwise, pause);
            if (whose == Whose::of_others && !store_->in_force(*entry)) {
                if (time - entry->failed >= connected) entry->failing_since = time;
                entry->failed = time;
                if (time - entry->failing_since >= unsure_for)
                    return store_->failed(
                        *entry, StsKnown{std::nullopt, false, "taken for none after hours: " + why, fault},
                        pause);
            }
            store_->failed(*entry, StsKnown{std::nullopt, true, std::move(why), fault}, soon);
        }

    private:
        Entry* end(bool told = true) {
            Entry* out = entry();
            if (out != nullptr) {
                out->look.reset();
                out->checked = store_->clock.steady();
                if (told) out->failed = out->denied = Time();
                look_->over.cancel();
            }
            look_.reset();
            return out;
        }

        std::shared_ptr<Impl> store_;
        std::string domain_;
        std::shared_ptr<Look> look_;
    };
    using Whose = UnderWay::Whose;

    void failed(Entry& entry, StsKnown otherwise, std::chrono::seconds wait) const {
        // With a policy at hand the next check comes after the pause, not after an hour.
        entry.checked = Time();
        entry.not_before = clock.steady() + (in_force(entry) ? pause : wait);
        entry.otherwise = std::move(otherwise);
    }

    net::awaitable<void> refresh(net::Resolver resolver, std::string domain, std::shared_ptr<Look> look) {
        UnderWay under_way{shared_from_this(), domain, std::move(look)};
        net::TextAnswer answer = co_await resolver.text("_mta-sts." + domain);
        if (answer.status == net::Lookup::transient)
            co_return under_way.unsure("its TXT record cannot be looked up: " + answer.why, Whose::of_others);
        const auto id = parse_sts_record(answer.texts);
        if (!id) co_return under_way.none("the domain has no MTA-STS policy", StsFault::none, true);
        Entry* entry = under_way.entry();
        if (entry == nullptr) co_return;
        if (in_force(*entry) && entry->record->id == *id && !stale(*entry)) co_return under_way.same();
        entry->denied = Time();

        const std::string host = "mta-sts." + domain;
        net::AddressAnswer found = co_await resolver.addresses(host);
        if (found.status == net::Lookup::transient)
            co_return under_way.unsure(host + " cannot be looked up: " + found.why, Whose::of_others,
                                       StsFault::not_fetched);
        if (found.status != net::Lookup::found)
            co_return under_way.none("cannot be fetched: " + host + " cannot be looked up: " + found.why,
                                     StsFault::not_fetched);
        if (!fetch) co_return;
        StsFetched got = co_await fetch(domain, std::move(found.addresses));
        switch (got.asked) {
            case net::Asked::not_made:
                co_return under_way.unsure("it was not fetched: " + got.why, Whose::ours);
            case net::Asked::unreachable:
                co_return under_way.unsure(got.why, Whose::of_others, StsFault::not_fetched);
            case net::Asked::failed:
                co_return under_way.none("cannot be fetched: " + got.why,
                                         got.untrusted ? StsFault::not_trusted : StsFault::not_fetched);
            case net::Asked::answered: break;
        }
        auto policy = parse_sts_policy(got.body);
        if (!policy) co_return under_way.none("cannot be used: " + policy.error(), StsFault::invalid);
        under_way.got(StsRecord{std::move(*policy), *id, clock.wall()});
    }

    void look_up(const net::Resolver& resolver, const std::string& domain, Entry& entry) {
        entry.look = std::make_shared<Look>(io, clock);
        asio::co_spawn(io, refresh(resolver, domain, entry.look), [](const std::exception_ptr& error) {
            if (error) std::rethrow_exception(error);
        });
    }

    /// Makes room for many by forgetting what nobody waits for: first what is not in force, the longest
    /// unasked of it, then what expires first.
    void make_room() {
        if (entries.size() < domains_max) return;
        const auto idle = [](const Entry& entry) { return !entry.look; };
        const auto last = [this](const Entry& entry) {
            const bool kept = in_force(entry);
            return std::pair(kept,
                             kept ? entry.record->expires() : std::max(entry.checked, entry.not_before));
        };
        if (base::forget_oldest(entries, domains_max / 10 * 9, idle, last) > 0) changed = true;
    }

    net::io_context& io;
    const base::Clock& clock;
    std::size_t domains_max;
    Fetch fetch;
    std::map<std::string, Entry, std::less<>> entries;  // by domain, in A-labels
    mutable bool changed = false;
};

StsStore::StsStore(net::io_context& io, const base::Clock& clock, std::string_view state,
                   std::size_t domains_max)
    : impl_(std::make_shared<Impl>(io, clock, state, domains_max)) {}

StsStore::~StsStore() { impl_->close(); }

void StsStore::fetch_with(Fetch fetch) { impl_->fetch = std::move(fetch); }

net::awaitable<StsKnown> StsStore::find(net::Resolver& resolver, std::string domain) {
    auto impl = impl_;
    const auto parsed = base::DomainName::parse(domain);
    if (!parsed) co_return StsKnown{std::nullopt, false, "is no domain that could have a policy"};
    auto at = impl->entries.find(parsed->text());
    if (at == impl->entries.end()) {
        impl->make_room();
        at = impl->entries.emplace(parsed->text(), Impl::Entry()).first;
    }
    Impl::Entry& entry = at->second;
    if (!entry.look && impl->due(entry)) impl->look_up(resolver, parsed->text(), entry);
    if (impl->in_force(entry) || !entry.look) co_return impl->known(entry);

    const auto look = entry.look;
    co_await look->over.async_wait(net::as_value);
    at = impl->entries.find(parsed->text());  // may have been forgotten meanwhile
    co_return impl->known(at == impl->entries.end() ? Impl::Entry() : at->second);
}

std::string StsStore::save() const {
    StsRecords records;
    for (const auto& [domain, entry] : impl_->entries)
        if (entry.record && impl_->clock.wall() < entry.record->expires())
            records.emplace(domain, *entry.record);
    impl_->changed = false;
    return write_sts_state(records);
}

bool StsStore::changed() const { return impl_->changed; }

}  // namespace postern::relay
