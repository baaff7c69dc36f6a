#include "sync/sync.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <set>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <thread>

#include "sync/back_ends.h"
#include "sync/base/file_fault.h"
#include "sync/base/kept_file.h"
#include "sync/client_name.h"
#include "sync/directory/cache.h"
#include "sync/directory/publication.h"
#include "sync/limits.h"
#include "sync/polling/askers.h"
#include "sync/polling/poller.h"
#include "sync/primary/http.h"

namespace postern::sync {

namespace {

constexpr auto save_at_least_every = std::chrono::seconds(60);  // during a long round
constexpr std::size_t most_probed = 5;                          // domains
constexpr int publish_share = 20;  // a snapshot is built at most during this fraction of the time

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
    Thread(const std::vector<PrimarySettings>& settings, const std::filesystem::path& state_dir,
           Observer& observer, const base::Clock& clock, base::Disk& disk, Publish publish)
        : clock_(clock),
          client_name_(obtain_client_name(disk, state_dir / "client-id")),
          kept_{&disk, state_dir},
          observer_(observer),
          cache_(disk, state_dir / "directory.cache"),
          poller_(
              settings, load(), observer, clock,
              [this](const PrimarySettings& primary, std::stop_token stop) {
                  return connect(primary, "", std::move(stop));
              },
              [this] {
                  const std::lock_guard lock(mutex_);
                  answered_ = true;
                  woken_.notify_all();
              }),
          publication_(poller_.directory(), std::move(publish), clock),
          askers_(
              publication_,
              [this](const PrimarySettings& primary, std::stop_token stop) {
                  return connect(primary, "-ask", std::move(stop));
              },
              clock) {
        report_.primaries = poller_.report();
        report_.domains = view(poller_.directory());
        askers_.keep(settings);
    }

    ~Thread() { stop(); }

    void start() {
        running_ = true;
        thread_ = std::thread([this] { run(); });
    }

    void stop() {
        stop_.request_stop();
        if (thread_.joinable()) thread_.join();
        askers_.keep({});
    }

    void reload(std::vector<PrimarySettings> settings) {
        std::unique_lock lock(mutex_);
        wishes_.settings = std::move(settings);
        const std::uint64_t mine = ++reloads_asked_;
        woken_.notify_all();
        if (running_) reloaded_.wait(lock, stop_.get_token(), [&] { return reloads_done_ >= mine; });
    }

    void poll_now() {
        const std::lock_guard lock(mutex_);
        wishes_.poll = true;
        woken_.notify_all();
    }

    void accept_suspicions() {
        const std::lock_guard lock(mutex_);
        wishes_.accept = true;
        woken_.notify_all();
    }

    void take_turn(Turn turn) {
        const std::lock_guard lock(mutex_);
        wishes_.turn = std::move(turn);
        woken_.notify_all();
    }

    void hand_on_with(HandOn hand_on) { hand_on_ = std::move(hand_on); }

    void hand_on_again() {
        const std::lock_guard lock(mutex_);
        wishes_.hand_on = true;
        woken_.notify_all();
    }

    void adopt(std::string octets) {
        const std::lock_guard lock(mutex_);
        wishes_.adopt(std::move(octets));
        woken_.notify_all();
    }

    void notice(std::string_view local_part, std::string_view domain) {
        const auto current = snapshot();
        const Snapshot::Owner owner = current->owner(domain);
        if (owner.primary.empty()) return;
        {
            const std::lock_guard lock(mutex_);
            if (wishes_.with_mail.size() < limits::with_mail) wishes_.with_mail.emplace(owner.domain);
        }
        askers_.refresh(local_part, domain);
    }

    void ask(std::string local_part, std::string domain, const std::function<void(bool)>& done) {
        askers_.ask(std::move(local_part), std::move(domain), done);
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
    /// What others want of the thread.
    struct Wishes {
        std::optional<std::vector<PrimarySettings>> settings{};  // to go by from now on
        std::optional<Turn> turn{};
        bool poll = false, accept = false, hand_on = false;
        std::set<std::string, std::less<>> with_mail{};  // domains
        std::deque<std::string> handed{};                // by other gateways
        std::size_t octets = 0;                          // of those

        /// The oldest go where they are too many: what comes behind them is newer.
        void adopt(std::string more) {
            octets += more.size();
            handed.push_back(std::move(more));
            for (; octets > limits::handed && handed.size() > 1; handed.pop_front())
                octets -= handed.front().size();
        }
        bool urgent() const { return settings || turn || poll || accept || hand_on || !handed.empty(); }
    };

    std::unique_ptr<Primary> connect(const PrimarySettings& settings, const std::string& suffix,
                                     std::stop_token stop) const {
        return back_end(settings).make(settings, client_name_ + "-" + settings.name + suffix, kept_, clock_,
                                       std::move(stop));
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
        const bool adopted = take_wishes();
        const Poller::Step step = poller_.step();
        const bool ended = adopted || step == Poller::Step::round_ended;
        if (ended || step != Poller::Step::nothing) unpublished_ = unsaved_ = true;
        if (unpublished_ && (ended || clock_.now() >= publish_after_)) publish();
        if (unsaved_ && (ended || clock_.now() >= save_after_)) save();
        auto primaries = poller_.report();
        askers_.heard(primaries);
        {
            const std::lock_guard lock(mutex_);
            report_.primaries = std::move(primaries);
        }
        const PrimaryRecord* read = poller_.just_read();
        poller_.announce();
        if (read != nullptr) hand_on(*read);
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

    void hand_on(const PrimaryRecord& record) {
        if (!hand_on_ || poller_.turn().whose != Turn::Whose::ours) return;
        guarded([&] { hand_on_(record.name, encode(std::span(&record, 1))); });
    }

    /// True when something was adopted.
    bool take_wishes() {
        std::unique_lock lock(mutex_);
        const std::uint64_t reloads = reloads_asked_;
        Wishes wishes = std::exchange(wishes_, {});
        lock.unlock();
        poller_.prefer(std::move(wishes.with_mail));
        if (wishes.settings) {
            guarded([&] {
                poller_.reload(*wishes.settings);
                askers_.keep(*wishes.settings);
                publish();
            });
            lock.lock();
            reloads_done_ = reloads;
            lock.unlock();
            reloaded_.notify_all();
        }
        if (wishes.turn) poller_.take_turn(*wishes.turn);
        bool adopted = false;
        for (const std::string& octets : wishes.handed) guarded([&] { adopted |= poller_.adopt(octets); });
        if (wishes.hand_on)
            for (const PrimaryRecord* record : poller_.read_whole()) hand_on(*record);
        if (wishes.poll) poller_.poll_now();
        if (wishes.accept) poller_.accept_suspicions();
        return adopted;
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
                          [this] { return answered_ || wishes_.urgent(); });
        answered_ = false;
    }

    const base::Clock& clock_;
    std::stop_source stop_;
    std::string client_name_;
    base::StateFolder kept_;
    Observer& observer_;
    HandOn hand_on_;
    Cache cache_;
    bool unpublished_ = false, unsaved_ = false;
    base::Moment publish_after_{}, save_after_ = clock_.now() + save_at_least_every;

    std::atomic<bool> running_{false};

    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable_any woken_, reloaded_;
    Report report_;
    Wishes wishes_;  // since they were taken last
    std::uint64_t reloads_asked_ = 0, reloads_done_ = 0;
    bool answered_ = false;

    Poller poller_;  // the directory thread's alone once it runs; its own threads call back
    Publication publication_;
    Askers askers_;
    std::thread thread_;
};

Sync::Sync(const std::vector<PrimarySettings>& settings, const std::filesystem::path& state_dir,
           Observer& observer, const base::Clock& clock, base::Disk& disk, Publish publish) {
    check(settings);
    thread_ = std::make_unique<Thread>(settings, state_dir, observer, clock, disk, std::move(publish));
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
void Sync::take_turn(Turn turn) { thread_->take_turn(std::move(turn)); }
void Sync::hand_on_with(HandOn hand_on) { thread_->hand_on_with(std::move(hand_on)); }
void Sync::hand_on_again() { thread_->hand_on_again(); }
void Sync::adopt(std::string octets) { thread_->adopt(std::move(octets)); }
void Sync::ask(std::string local_part, std::string domain, const std::function<void(bool)>& done) {
    thread_->ask(std::move(local_part), std::move(domain), done);
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
    const auto primary = kind.make(settings, random_client_name(), {}, clock, std::move(stop));
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
