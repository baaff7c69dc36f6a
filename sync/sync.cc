#include "sync/sync.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <thread>

#include "sync/back_ends.h"
#include "sync/base/ascii.h"
#include "sync/base/encoding.h"
#include "sync/base/file.h"
#include "sync/base/file_fault.h"
#include "sync/base/random.h"
#include "sync/directory/cache.h"
#include "sync/directory/fold.h"
#include "sync/directory/publication.h"
#include "sync/limits.h"
#include "sync/polling/asker.h"
#include "sync/polling/poller.h"
#include "sync/primary/http.h"

namespace postern::sync {

namespace {

constexpr auto save_at_least_every = std::chrono::seconds(60);  // during a long round
constexpr std::size_t most_probed = 5;                          // domains
constexpr int publish_share = 20;  // a snapshot is built at most during this fraction of the time

constexpr std::string_view name_prefix = "postern-";
constexpr std::size_t name_length = name_prefix.size() + 32;
constexpr std::size_t largest_name = 4096;  // of a file that should have one

std::string random_name() { return std::string(name_prefix) + base::hex(base::random_octets(16)); }

/// The name of this installation towards the primaries, made at the first start. A file that was cut short,
/// as earlier versions could leave it, is written anew; one that cannot be read is not.
std::string client_name(const std::filesystem::path& file) {
    const auto refuse = [&file](const std::error_code& error) {
        throw std::runtime_error("state_dir: cannot use " + base::file_fault(file, error));
    };
    const auto text = base::obtain_file(file, largest_name, [] { return random_name() + '\n'; });
    if (!text) refuse(text.error());
    std::string name = text->substr(0, text->find('\n'));
    if (name.size() == name_length) return name;
    name = random_name();
    if (const auto error = base::replace_file(file, name + '\n')) refuse(error);
    return name;
}

void check(const std::vector<PrimarySettings>& settings) {
    for (const PrimarySettings& primary : settings) {
        const BackEnd& kind = back_end(primary);
        if (!BaseUrl::parse(primary.url, kind.schemes))
            throw std::invalid_argument("not " + std::string(kind.url) + ": " + primary.url);
    }
}

}  // namespace

class Sync::Thread {
public:
    Thread(std::vector<PrimarySettings> settings, const std::filesystem::path& state_dir, Observer& observer,
           const base::Clock& clock, Publish publish)
        : clock_(clock),
          client_name_(client_name(state_dir / "client-id")),
          state_dir_(state_dir),
          observer_(observer),
          cache_(state_dir / "directory.cache"),
          poller_(
              settings, load(), observer, clock,
              [this](const PrimarySettings& primary, std::stop_token stop) {
                  return back_end(primary).make(primary, client_name_ + "-" + primary.name, state_dir_,
                                                clock_, std::move(stop));
              },
              [this] {
                  const std::lock_guard lock(mutex_);
                  answered_ = true;
                  woken_.notify_all();
              }),
          publication_(poller_.directory(), std::move(publish), clock) {
        report_.primaries = poller_.report();
        report_.domains = view(poller_.directory());
        keep_askers(settings);
    }

    ~Thread() { stop(); }

    void start() {
        running_ = true;
        thread_ = std::thread([this] { run(); });
    }

    void stop() {
        stop_.request_stop();
        if (thread_.joinable()) thread_.join();
        keep_askers({});
    }

    void reload(std::vector<PrimarySettings> settings) {
        std::unique_lock lock(mutex_);
        settings_ = std::move(settings);
        const std::uint64_t mine = ++reloads_asked_;
        woken_.notify_all();
        if (running_) reloaded_.wait(lock, stop_.get_token(), [&] { return reloads_done_ >= mine; });
    }

    void poll_now() {
        const std::lock_guard lock(mutex_);
        poll_ = true;
        woken_.notify_all();
    }

    void accept_suspicions() {
        const std::lock_guard lock(mutex_);
        accept_ = true;
        woken_.notify_all();
    }

    void ask(std::string local_part, std::string domain, std::function<void(bool)> done) {
        const auto current = snapshot();
        const Time now = clock_.wall();
        const Snapshot::Owner owner = current->owner(domain);
        const Snapshot::Entry entry = current->find(local_part, domain);
        const bool unknown =
            owner.primary.empty();  // a domain that is in no list yet: whose it is, is asked too
        domain = base::lower(domain);
        Time asked = entry.asked;
        if (const Learned* learned = current->learned().get(); unknown && learned != nullptr)
            if (const Answer* answer = learned->find(local_part, domain)) asked = answer->asked;
        const bool said_just_now = asked != Time{} && now - asked < absence_lasts;
        std::vector<std::shared_ptr<Asker>> askers;
        if ((owner.enabled || unknown) && !said_just_now &&
            current->address(local_part, domain, now).standing != Standing::good) {
            const std::lock_guard lock(mutex_);
            for (const auto& [name, asker] : askers_)
                if (unknown || name == owner.primary) askers.push_back(asker.second);
        }
        if (const auto plus = local_part.find('+'); plus != local_part.npos && plus > 0)
            local_part.resize(plus);
        local_part = base::lower(local_part);
        if (askers.empty() || !askable(local_part)) return done(true);
        Question question{std::move(local_part), unknown ? domain : std::string(owner.domain),
                          unknown ? domain : std::string(owner.spelling), unknown};
        struct Open {
            explicit Open(std::size_t count) : askers(count) {}
            std::atomic<std::size_t> askers;
            std::atomic<bool> answered{true};  // by all
        };
        const auto open = std::make_shared<Open>(askers.size());
        for (const auto& asker : askers)
            asker->ask(question, [open, done](bool answered) {
                if (!answered) open->answered = false;
                if (--open->askers == 0) done(open->answered);
            });
    }

    void notice(std::string_view local_part, std::string_view domain) {
        const auto current = snapshot();
        const Snapshot::Owner owner = current->owner(domain);
        if (owner.primary.empty()) return;
        const Snapshot::Entry entry = current->find(local_part, domain);
        std::unique_lock lock(mutex_);
        if (with_mail_.size() < limits::with_mail) with_mail_.emplace(owner.domain);
        const auto asked = askers_.find(owner.primary);
        if (asked == askers_.end() || back_end(asked->second.first).lists || entry.asked == Time{} ||
            clock_.wall() - entry.asked < presence_lasts)
            return;
        const auto asker = asked->second.second;
        lock.unlock();
        asker->ask({std::string(entry.local_part), std::string(owner.domain), std::string(owner.spelling)},
                   [](bool) {});
    }

    bool forget(std::string_view local_part, std::string_view domain) {
        return publication_.forget(local_part, domain);
    }

    std::shared_ptr<const Snapshot> snapshot() const { return publication_.snapshot(); }

    Report report() const {
        const std::lock_guard lock(mutex_);
        return report_;
    }

private:
    using Askers = std::map<std::string, std::pair<PrimarySettings, std::shared_ptr<Asker>>, std::less<>>;

    /// What fits a directory fits a question.
    static bool askable(std::string_view local_part) {
        return AddressList().add(Kind::user, local_part) && local_part.find('@') == local_part.npos;
    }

    /// One for each primary; those whose settings are the same go on.
    void keep_askers(const std::vector<PrimarySettings>& settings) {
        Askers askers, old;
        several_ = settings.size() > 1;
        std::unique_lock lock(mutex_);
        for (const PrimarySettings& primary : settings) {
            const auto found = askers_.find(primary.name);
            const bool same = found != askers_.end() && found->second.first == primary;
            askers[primary.name] = {primary, same ? found->second.second : make_asker(primary)};
        }
        old = std::exchange(askers_, std::move(askers));
        lock.unlock();  // before those that are not kept any more end, and tell who waits
    }

    std::shared_ptr<Asker> make_asker(PrimarySettings settings) {
        settings.gap = {};
        settings.patience = Asker::patience;
        return std::make_shared<Asker>(
            [this, settings](std::stop_token stop) {
                return back_end(settings).make(settings, client_name_ + "-" + settings.name + "-ask",
                                               state_dir_, clock_, std::move(stop));
            },
            [this](Answer answer) {
                // That one primary has no such address says nothing about the others' domains.
                if (!answer.kind && snapshot()->owner(answer.domain).primary.empty() && several_) return;
                publication_.learn(std::move(answer));
            },
            clock_);
    }

    /// Without it every address would be unknown, and what is saved next would take its place.
    Directory load() {
        auto directory = cache_.load();
        if (directory) return std::move(*directory);
        const Cache::Unusable& fault = directory.error();
        if (!fault.damaged)
            throw std::runtime_error("state_dir: cannot read " + fault.reason +
                                     "; or take it away: the directory is read from the primaries again");
        observer_.on(event::CacheDamaged{cache_.file().native(), fault.set_aside.native(), fault.reason});
        return {};
    }

    void run() {
        sigset_t all;  // signals belong to the main thread; SIGPIPE to nobody
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, nullptr);
        while (!stop_.stop_requested()) {
            bool more = false;
            guarded([&] { more = work(); });
            if (!more) wait();
        }
        poller_.interrupt();
        if (unsaved_) guarded([this] { save(); });
    }

    /// False when nothing is left to do before the next answer.
    bool work() {
        take_wishes();
        const Poller::Step step = poller_.step();
        const bool ended = step == Poller::Step::round_ended;
        if (step != Poller::Step::nothing) unpublished_ = unsaved_ = true;
        if (unpublished_ && (ended || clock_.now() >= publish_after_)) publish();
        if (unsaved_ && (ended || clock_.now() >= save_after_)) save();
        {
            auto primaries = poller_.report();
            const std::lock_guard lock(mutex_);
            for (const PrimaryReport& primary : primaries)
                if (const auto asker = askers_.find(primary.name); asker != askers_.end())
                    asker->second.second->heard(primary.refused_since != Time{}, primary.last_success);
            report_.primaries = std::move(primaries);
        }
        poller_.announce();
        return step != Poller::Step::nothing;
    }

    /// Out of memory, mostly: what was in force stays, and the next round tries again.
    template <class Activity>
    void guarded(Activity&& activity) {
        try {
            activity();
        } catch (const std::exception& error) {
            observer_.on(event::SyncFailed{{}, {}, error.what(), {}});
        }
    }

    void take_wishes() {
        std::unique_lock lock(mutex_);
        const std::uint64_t reloads = reloads_asked_;
        auto settings = std::exchange(settings_, std::nullopt);
        const bool poll = std::exchange(poll_, false), accept = std::exchange(accept_, false);
        auto with_mail = std::exchange(with_mail_, {});
        lock.unlock();
        poller_.prefer(std::move(with_mail));
        if (settings) {
            guarded([&] {
                poller_.reload(*settings);
                keep_askers(*settings);
                publish();
            });
            lock.lock();
            reloads_done_ = reloads;
            lock.unlock();
            reloaded_.notify_all();
        }
        if (poll) poller_.poll_now();
        if (accept) poller_.accept_suspicions();
    }

    void publish() {
        const auto start = clock_.now();
        unpublished_ = false;
        publication_.replace(poller_.directory());
        auto domains = view(poller_.directory());
        auto claimed = claims(poller_.directory());
        tell(claimed);
        {
            const std::lock_guard lock(mutex_);
            report_.domains = std::move(domains);
            report_.claims = std::move(claimed);
        }
        publish_after_ = clock_.now() + publish_share * (clock_.now() - start);
    }

    /// Each claim once, while it lasts; report_.claims are those told already.
    void tell(const std::vector<Claim>& claimed) {
        for (const Claim& claim : claimed)
            if (!std::binary_search(report_.claims.begin(), report_.claims.end(), claim))
                observer_.on(event::DomainClaimed{claim.domain, claim.primary, claim.overruled});
    }

    void save() {
        unsaved_ = false;
        save_after_ = clock_.now() + save_at_least_every;
        const auto saved = cache_.save(poller_.directory());
        if (saved) return;
        const std::string why = base::file_fault(cache_.file(), saved.error());
        observer_.on(event::CacheUnwritable{cache_.file().native(), why});
    }

    void wait() {
        auto until = poller_.next_due();
        if (unpublished_) until = std::min(until, publish_after_);
        std::unique_lock lock(mutex_);
        clock_.wait_until(woken_, lock, stop_.get_token(), until,
                          [this] { return answered_ || poll_ || accept_ || settings_.has_value(); });
        answered_ = false;
    }

    const base::Clock& clock_;
    std::stop_source stop_;
    std::string client_name_;
    std::filesystem::path state_dir_;
    Observer& observer_;
    Cache cache_;
    bool unpublished_ = false, unsaved_ = false;
    base::Moment publish_after_{}, save_after_ = clock_.now() + save_at_least_every;

    std::atomic<bool> running_{false};
    std::atomic<bool> several_{false};  // primaries

    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable_any woken_, reloaded_;
    Report report_;
    std::optional<std::vector<PrimarySettings>> settings_;
    std::uint64_t reloads_asked_ = 0, reloads_done_ = 0;
    bool poll_ = false, accept_ = false, answered_ = false;
    std::set<std::string, std::less<>> with_mail_;  // domains, since the last wishes were taken
    Askers askers_;                                 // by the primary's name

    Poller poller_;  // the directory thread's alone once it runs; its own threads call back
    Publication publication_;
    std::thread thread_;
};

Sync::Sync(std::vector<PrimarySettings> settings, const std::filesystem::path& state_dir, Observer& observer,
           const base::Clock& clock, Publish publish) {
    check(settings);
    thread_ = std::make_unique<Thread>(std::move(settings), state_dir, observer, clock, std::move(publish));
}

Sync::~Sync() = default;

void Sync::start() { thread_->start(); }
void Sync::stop() { thread_->stop(); }

void Sync::reload(std::vector<PrimarySettings> settings) {
    check(settings);
    thread_->reload(std::move(settings));
}

void Sync::poll_now() { thread_->poll_now(); }
void Sync::accept_suspicions() { thread_->accept_suspicions(); }
void Sync::ask(std::string local_part, std::string domain, std::function<void(bool)> done) {
    thread_->ask(std::move(local_part), std::move(domain), std::move(done));
}
void Sync::notice(std::string_view local_part, std::string_view domain) {
    thread_->notice(local_part, domain);
}
bool Sync::forget(std::string_view local_part, std::string_view domain) {
    return thread_->forget(local_part, domain);
}
std::shared_ptr<const Snapshot> Sync::snapshot() const { return thread_->snapshot(); }
Report Sync::report() const { return thread_->report(); }

tl::expected<Probed, ProbeFailure> probe(const PrimarySettings& settings, const base::Clock& clock,
                                         std::stop_token stop) {
    check({settings});
    sigset_t broken;  // a connection that ends while it is written to is a failure like others
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken, nullptr);
    const auto failed = [](const Failure& failure) {
        return tl::make_unexpected(ProbeFailure{failure.words, failure.trouble});
    };
    const BackEnd& kind = back_end(settings);
    const auto primary = kind.make(settings, random_name(), {}, clock, std::move(stop));
    const auto domains = primary->domains();
    if (!domains) return failed(domains.error());
    Probed probed{domains->size(), kind.lists};
    for (std::size_t i = 0; !kind.lists && i < std::min(domains->size(), most_probed); ++i) {
        DomainRecord domain;
        domain.spelling = (*domains)[i].spelling;
        const auto read = primary->read(domain);
        if (!read) return failed(read.error());
        if (!read->options) return failed(read->options.error());
        if (!read->options->catch_all.empty()) probed.takes_all.push_back(domain.spelling);
    }
    return probed;
}

}  // namespace postern::sync
