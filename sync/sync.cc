#include "sync/sync.h"

#include <openssl/rand.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <thread>

#include "sync/cache.h"
#include "sync/generation.h"
#include "sync/http.h"
#include "sync/poller.h"

namespace postern::sync {

using Clock = std::chrono::steady_clock;

namespace {

constexpr auto save_at_least_every = std::chrono::seconds(60);  // during a long round
constexpr int publish_share = 20;  // a snapshot is built at most during this fraction of the time

constexpr std::string_view name_prefix = "postern-";
constexpr std::size_t name_length = name_prefix.size() + 32;

std::string random_name() {
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1) throw std::runtime_error("no random numbers");
    std::string name(name_prefix);
    for (const unsigned char byte : bytes)
        name += {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
    return name;
}

/// The name of this installation towards the primaries, made at the first start.
std::string client_name(const std::filesystem::path& file) {
    std::string name;
    if (std::ifstream in(file); std::getline(in, name) && name.size() == name_length) return name;
    name = random_name();
    std::filesystem::path temporary = file;
    temporary += ".new";
    std::ofstream out(temporary, std::ios::trunc);
    out << name << '\n' << std::flush;
    if (!out) throw std::system_error(std::make_error_code(std::errc::io_error), temporary.string());
    out.close();
    std::filesystem::rename(temporary, file);
    return name;
}

void check(const std::vector<PrimarySettings>& settings) {
    for (const PrimarySettings& primary : settings)
        if (!BaseUrl::parse(primary.url))
            throw std::invalid_argument("not an http or https URL: " + primary.url);
}

}  // namespace

class Sync::Thread {
public:
    Thread(std::vector<PrimarySettings> settings, const std::filesystem::path& state_dir, Observer& observer,
           Publish publish)
        : client_name_(client_name(state_dir / "client-id")),
          observer_(observer),
          publish_(std::move(publish)),
          cache_(state_dir / "directory.cache"),
          poller_(std::move(settings), load(), observer,
                  [this, state_dir](const PrimarySettings& primary) {
                      return make_primary(primary, client_name_ + "-" + primary.name, state_dir,
                                          stop_.get_token());
                  }),
          snapshot_(std::make_shared<const Snapshot>(poller_.directory())),
          report_{poller_.report(), view(poller_.directory())} {}

    ~Thread() { stop(); }

    void start() {
        thread_ = std::thread([this] { run(); });
    }

    void stop() {
        stop_.request_stop();
        if (thread_.joinable()) thread_.join();
    }

    void reload(std::vector<PrimarySettings> settings) {
        const std::lock_guard lock(mutex_);
        settings_ = std::move(settings);
        woken_.notify_all();
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

    std::shared_ptr<const Snapshot> snapshot() const {
        const std::lock_guard lock(mutex_);
        return snapshot_;
    }

    Report report() const {
        const std::lock_guard lock(mutex_);
        return report_;
    }

private:
    Directory load() {
        auto directory = cache_.load();
        if (directory) return std::move(*directory);
        const Cache::Damage& damage = directory.error();
        observer_.on(event::CacheDamaged{cache_.file().native(), damage.set_aside.native(), damage.reason});
        return {};
    }

    void run() {
        sigset_t all;  // signals belong to the main thread; SIGPIPE to nobody
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, nullptr);
        while (!stop_.stop_requested()) {
            guarded([this] { work(); });
            wait();
        }
        if (unsaved_) guarded([this] { save(); });
    }

    void work() {
        take_wishes();
        const Poller::Step step = poller_.step();
        const bool ended = step == Poller::Step::round_ended;
        if (step != Poller::Step::nothing) unpublished_ = unsaved_ = true;
        if (unpublished_ && (ended || Clock::now() >= publish_after_)) publish();
        if (unsaved_ && (ended || Clock::now() >= save_after_)) save();
        {
            auto primaries = poller_.report();
            const std::lock_guard lock(mutex_);
            report_.primaries = std::move(primaries);
        }
        poller_.announce();
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
        auto settings = std::exchange(settings_, std::nullopt);
        const bool poll = std::exchange(poll_, false), accept = std::exchange(accept_, false);
        lock.unlock();
        if (settings) {
            poller_.reload(std::move(*settings));
            publish();
        }
        if (poll) poller_.poll_now();
        if (accept) poller_.accept_suspicions();
    }

    void publish() {
        const auto start = Clock::now();
        unpublished_ = false;
        auto snapshot = std::make_shared<const Snapshot>(poller_.directory());
        auto domains = view(poller_.directory());
        auto claimed = claims(poller_.directory());
        tell(claimed);
        {
            const std::lock_guard lock(mutex_);
            snapshot_ = snapshot;
            report_.domains = std::move(domains);
            report_.claims = std::move(claimed);
        }
        if (publish_) publish_(std::move(snapshot));
        publish_after_ = Clock::now() + publish_share * (Clock::now() - start);
    }

    /// Each claim once, while it lasts; report_.claims are those told already.
    void tell(const std::vector<Claim>& claimed) {
        for (const Claim& claim : claimed)
            if (!std::binary_search(report_.claims.begin(), report_.claims.end(), claim))
                observer_.on(event::DomainClaimed{claim.domain, claim.primary, claim.besides});
    }

    void save() {
        unsaved_ = false;
        save_after_ = Clock::now() + save_at_least_every;
        const auto saved = cache_.save(poller_.directory());
        if (!saved) observer_.on(event::CacheUnwritable{cache_.file().native(), saved.error().message()});
    }

    void wait() {
        auto until = poller_.next_due();
        if (unpublished_) until = std::min(until, publish_after_);
        std::unique_lock lock(mutex_);
        woken_.wait_until(lock, stop_.get_token(), until,
                          [this] { return poll_ || accept_ || settings_.has_value(); });
    }

    std::stop_source stop_;
    std::string client_name_;
    Observer& observer_;
    Publish publish_;
    Cache cache_;
    Poller poller_;  // the directory thread's alone once it runs
    bool unpublished_ = false, unsaved_ = false;
    Clock::time_point publish_after_{}, save_after_ = Clock::now() + save_at_least_every;

    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable_any woken_;
    std::shared_ptr<const Snapshot> snapshot_;
    Report report_;
    std::optional<std::vector<PrimarySettings>> settings_;
    bool poll_ = false, accept_ = false;

    std::thread thread_;
};

Sync::Sync(std::vector<PrimarySettings> settings, const std::filesystem::path& state_dir, Observer& observer,
           Publish publish) {
    check(settings);
    thread_ = std::make_unique<Thread>(std::move(settings), state_dir, observer, std::move(publish));
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
std::shared_ptr<const Snapshot> Sync::snapshot() const { return thread_->snapshot(); }
Report Sync::report() const { return thread_->report(); }

tl::expected<std::size_t, std::string> probe(const PrimarySettings& settings, std::stop_token stop) {
    check({settings});
    return make_primary(settings, random_name(), {}, std::move(stop))
        ->domains()
        .map([](const std::vector<ListedDomain>& domains) { return domains.size(); })
        .map_error([](const Failure& failure) { return failure.words; });
}

}  // namespace postern::sync
