#include "tests/simulation/simulation.h"

#include <dirent.h>

#include <algorithm>
#include <set>
#include <utility>

#include "relay/queue/queue.h"
#include "sync/directory/directory.h"
#include "tests/simulation/client.h"
#include "tests/simulation/receiver.h"

namespace postern::simulation {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr auto begin = std::chrono::sys_days(std::chrono::year(2026) / 3 / 1);
const std::string primary_address = "192.0.2.10", archive_address = "203.0.113.7";
constexpr std::size_t steps_at_once = 2'000'000;
constexpr std::uint64_t late_at_most = 30'000;  // milliseconds
/// A destination that was down is tried again after an hour, and may have bad luck then.
constexpr auto overdue = 3h;
constexpr auto hurried = 100s;    // at most, until a stop without grace is over
constexpr auto to_the_end = 10h;  // at most, when all is well again, until nothing waits

std::string address_of(unsigned site) { return "198.51.100." + std::to_string(site + 1); }

std::shared_ptr<const sync::Snapshot> directory() {
    sync::PrimaryRecord primary{"main", 24h * 3650, begin, {}};
    sync::DomainRecord& domain = primary.domains["company.example"];
    domain.listed = domain.options.read = domain.users.read = domain.aliases.read = domain.lists.read =
        domain.resources.read = domain.domain_aliases.read = begin;
    for (int user = 0; user < 5; ++user)
        domain.users.content.add(sync::Kind::user, "user" + std::to_string(user));
    return std::make_shared<const sync::Snapshot>(std::vector{primary});
}

std::size_t open_descriptors() {
    std::size_t out = 0;
    DIR* folder = ::opendir("/proc/self/fd");
    while (::readdir(folder) != nullptr) ++out;
    ::closedir(folder);
    return out;
}

class History {
public:
    explicit History(const Plan& plan)
        : plan_(plan),
          random_(plan.seed, "turns"),
          clock_(begin),
          outside_(world_, clock_, plan.seed),
          settings_(settings()),
          ledger_(clock_, folder_.path(), settings_->queue.expire),
          disk_(std::make_unique<tests::MemoryDisk>()) {
        disk_->make_folder(folder_.path() / "spool");
        std::filesystem::create_directories(folder_.path() / "spool/content");
        for (unsigned site = 0; site < plan.sites; ++site) {
            const std::string domain = "site" + std::to_string(site) + ".example";
            outside_.add_domain(domain, 10, "mx." + domain, address_of(site));
            add_receiver(address_of(site), Role::site);
        }
        add_receiver(primary_address, Role::primary);
        outside_.add_domain("archive.example", 10, "mx.archive.example", archive_address);
        add_receiver(archive_address, Role::archive);
        start();
    }

    void play() {
        const auto first = clock_.now();
        for (const auto& planned : plan_.deeds) {
            run_until(first + planned.at);
            if (!ledger_.well()) return;
            ledger_.note("- " + text_of(planned));
            perform(planned);
        }
        settle();
        make_well();
        const auto end = clock_.now() + to_the_end;
        while (clock_.now() < end && ledger_.well()) {
            run_until(std::min(end, clock_.now() + 60s));
            if (life_->parts().spool.count() == 0) break;
            if (end - clock_.now() < to_the_end - overdue) nothing_is_overdue();
        }
        time_ = std::chrono::duration_cast<std::chrono::hours>(clock_.now() - first);
        std::set<std::string> kept;
        for (const auto id : life_->parts().spool.messages({}, 100'000)) {
            kept.insert(id.text());
            ledger_.note("waits still: " + id.text());
        }
        const auto in = [this](relay::Time due) {
            return std::to_string(
                       std::chrono::duration_cast<std::chrono::seconds>(due - clock_.steady()).count()) +
                   " s";
        };
        for (const auto& [route, due] : life_->parts().delivery.queue().waiting())
            ledger_.note("the queue waits for " + route.text() + ", due in " + in(due));
        for (const auto& key : life_->parts().spool.routes())
            ledger_.note("in the spool something waits for " + key.route.text() + ", due in " + in(key.due));
        // Sessions and connections that are still there wait for their time.
        if (ledger_.well()) run_until(clock_.now() + 1h);
        if (const auto left = life_->parts().reception.sessions(); left > 0)
            ledger_.fail(std::to_string(left) + " sessions are left");
        if (const auto left = outside_.connections(); !left.empty())
            ledger_.fail("a connection is left: " + left.front());
        if (kept.empty() && life_->parts().delivery.queue().active() > 0)
            ledger_.fail("the queue holds on to messages that are gone");
        // The next start finds what this one may have mislaid.
        restart(0s);
        ledger_.close(kept, !settings_->journal.to.empty());
        if (kept.size() > ledger_.damages() && ledger_.well())
            fault_ = std::to_string(kept.size()) + " messages wait although nothing keeps them";
    }

    Outcome outcome() {
        Outcome out;
        out.fault = ledger_.fault().empty() ? fault_ : ledger_.fault();
        out.story.assign(ledger_.story().begin(), ledger_.story().end());
        out.digest = ledger_.digest();
        out.messages = ledger_.taken();
        out.deliveries = ledger_.delivered();
        out.failures = ledger_.failures();
        out.time = time_;
        return out;
    }

private:
    void add_receiver(const std::string& address, Role role) {
        outside_.add_host(address, receiver(world_, clock_, outside_, ledger_, plan_.seed, address, role));
    }

    std::shared_ptr<relay::Settings> settings() const {
        Random random(plan_.seed, "settings");
        auto out = std::make_shared<relay::Settings>();
        out->hostname = "gw.example";
        out->state_dir = folder_.path();
        out->listeners = {{{"192.0.2.1", 25}, relay::ListenerTls::off, -1}};
        out->primaries = {{"main", {{primary_address, 32}}, {primary_address, 25}, {}, {}}};
        out->queue.volume_size = (16ull << 10) << random.pick(9);
        out->queue.retry_max = 1h;
        out->queue.expire = random.one_in(3) ? 8h : 120h;
        if (random.one_in(3)) out->queue.delay_notice = 2h;
        out->threads = static_cast<unsigned>(random.between(1, 3));
        out->delivery.per_destination = static_cast<unsigned>(random.between(1, 8));
        out->delivery.command_timeout = std::chrono::seconds(random.between(20, 300));
        out->delivery.data_timeout = std::chrono::seconds(random.between(60, 600));
        out->delivery.mta_sts = random.one_in(4);
        if (random.one_in(2)) {
            relay::EgressSettings one, other;
            one.address = "192.0.2.21";
            other.address = "192.0.2.32";
            out->egress = {one, other};
        }
        if (random.one_in(3)) out->journal.to = "journal@archive.example";
        return out;
    }

    // ---- time

    bool step() {
        // The world's turn comes as often as the gateway's.
        const bool world_first = random_.one_in(2);
        if (world_first && step_of_world()) return true;
        clock_.be_exact(false);
        const bool any = life_ && life_->step(random_);
        clock_.be_exact(true);
        if (any) {
            world_quiet_ = world_quiet_ && !life_->spoke();
            return true;
        }
        return !world_first && step_of_world();
    }
    bool step_of_world() {
        if (world_quiet_ || world_.poll_one() == 0) {
            world_quiet_ = true;
            return false;
        }
        clock_.happens();
        if (outside_.touched() && life_) life_->awake();
        return true;
    }
    void awake() {
        world_quiet_ = false;
        if (life_) life_->awake();
    }
    void settle() {
        // What is done at one moment comes to an end: else it would burn a processor.
        for (std::size_t steps = 0;; ++steps) {
            if (crash_ && !burying_) bury();
            if (!step()) return;
            if (steps > steps_at_once)
                return ledger_.fail("without end something is done by " + life_->last());
        }
    }
    void run_until(base::Moment end) {
        awake();
        for (;;) {
            settle();
            if (!ledger_.well()) return;
            const auto next = clock_.next(milliseconds(random_.pick(late_at_most)));
            if (next > end) break;
            if (clock_.pass(next)) awake();
        }
        clock_.pass(end);
    }

    // ---- the gateway's lives

    void start() {
        clock_.happens();
        for (;;) try {
                Random random(plan_.seed, "life", ++lives_);
                std::optional<Death> death;
                // What is written down for a quicker start may be gone.
                if (crash_ && random.one_in(3)) disk_->remove(folder_.path() / "spool/checkpoint");
                // A machine that failed once fails again while it starts.
                if (crash_ && random.one_in(4)) death = death_of(*crash_, random.pick(100));
                crash_.reset();
                life_ = std::make_unique<Life>(clock_, outside_, *disk_, settings_, directory_, ledger_,
                                               random.next(), death);
                return;
            } catch (const std::runtime_error& why) {
                if (!crash_) return ledger_.fail(std::string("the gateway does not start: ") + why.what());
                rise();
            }
    }
    /// False when it crashed meanwhile.
    bool wait_for_stop(std::optional<base::Moment> hurry = std::nullopt) {
        const auto life = lives_;
        auto end = clock_.now() + 1000s;
        while (clock_.now() < end && !life_->stopped() && ledger_.well()) {
            run_until(clock_.now() + 1s);
            if (life != lives_) return false;
            if (!hurry || clock_.now() < *hurry) continue;
            hurry.reset();
            life_->hurry();
            end = clock_.now() + hurried;
        }
        if (!life_->stopped()) ledger_.fail("the gateway does not stop");
        return true;
    }
    void restart(std::chrono::seconds grace, std::optional<std::chrono::seconds> hurry = std::nullopt) {
        life_->stop(grace);
        if (!wait_for_stop(hurry ? std::optional(clock_.now() + *hurry) : std::nullopt)) return;
        life_.reset();
        ledger_.new_life();
        start();
    }

    struct Crash {
        bool power_cut;
        std::uint64_t number;
    };
    /// The process is gone; what is left of it in here asks for things that it does not get any more.
    void die(const Crash& crash) {
        if (crash.power_cut) {
            Random random(plan_.seed, "crash", crash.number);
            disk_->crash([&] { return random.one_in(2); });
        } else {
            disk_->kill();
        }
        crash_ = crash;
        if (crash.power_cut) ledger_.power_cut();
        ledger_.note("  dies");
        ledger_.be_deaf(true);
        outside_.be_short_of_descriptors(true);
        outside_.hang_up_all();
    }
    Death death_of(const Crash& crash, std::uint64_t later) {
        return {later + 1, [this, crash] { die(crash); }};
    }
    void crash(const Crash& crash, Random& random) {
        auto& disk = life_->disk();
        if (random.one_in(3)) {
            disk.kill([&] { die(crash); });
            return bury();
        }
        const auto death = death_of(crash, random.pick(random.one_in(2) ? 20 : 500));
        disk.kill_before(death.before, death.then);
    }
    void bury() {
        burying_ = true;
        life_->stop(0s);
        wait_for_stop();
        life_.reset();
        burying_ = false;
        rise();
        start();
    }
    void rise() {
        outside_.be_short_of_descriptors(false);
        ledger_.be_deaf(false);
        ledger_.new_life();
    }

    // ---- what happens

    void perform(const Planned& planned) {
        Random random(plan_.seed, "deed", planned.number);
        clock_.happens();
        const auto minutes = [&](std::uint64_t most) {
            return std::chrono::minutes(random.between(1, most));
        };
        switch (planned.deed) {
            case Deed::traffic: return traffic(planned.number, random);
            case Deed::mood: {
                const auto which = random.pick(plan_.sites + 2);
                const std::string place = which == plan_.sites ? "dns"
                                          : which == plan_.sites + 1
                                              ? primary_address
                                              : address_of(static_cast<unsigned>(which));
                auto mood = static_cast<Mood>(random.pick(moods));
                // A report that is refused for good is told to nobody.
                const bool for_good = mood == Mood::strict || mood == Mood::hostile || mood == Mood::listing;
                if (place == primary_address && for_good) mood = Mood::busy;
                outside_.set_mood(place, mood);
                if (which == 0) outside_.set_mood(archive_address, mood);
                ledger_.note(place + " is in mood " + std::to_string(static_cast<int>(mood)));
                return later(minutes(random.one_in(4) ? 1500 : 90), [this, place] {
                    outside_.set_mood(place, Mood::well);
                    if (place == address_of(0)) outside_.set_mood(archive_address, Mood::well);
                });
            }
            case Deed::power_cut: return crash({true, planned.number}, random);
            case Deed::kill: return crash({false, planned.number}, random);
            case Deed::restart: {
                const std::chrono::seconds grace(random.pick(40)), hurry(random.pick(60));
                return restart(grace, random.one_in(3) ? std::optional(hurry) : std::nullopt);
            }
            case Deed::damage: return damage(random);
            case Deed::disk: {
                tests::MortalDisk::Troubles troubles;
                troubles.passing = static_cast<unsigned>(random.one_in(2) ? random.pick(300) : 0);
                troubles.full = static_cast<unsigned>(random.one_in(3) ? 1000 : random.pick(900));
                troubles.broken = static_cast<unsigned>(random.one_in(8) ? random.pick(50) : 0);
                life_->disk().trouble(troubles);
                ledger_.disk_troubled();
                return later(minutes(30), [this] {
                    if (life_) life_->disk().trouble({});
                });
            }
            case Deed::descriptors:
                outside_.be_short_of_descriptors(true);
                return later(minutes(20), [this] { outside_.be_short_of_descriptors(false); });
            case Deed::wall: return clock_.step_wall(std::chrono::minutes(random.between(0, 4000)) - 2000min);
            case Deed::reload: {
                auto other = std::make_shared<relay::Settings>(*settings_);
                other->delivery.per_destination = static_cast<unsigned>(random.between(1, 8));
                settings_ = other;
                return life_->parts().delivery.reload(
                    settings_, relay::net::prepare(relay::net::client_context, settings_->tls),
                    std::make_shared<const relay::Keyring>(), life_->parts().marks);
            }
            default: try { return operate(planned.deed, random);
                } catch (const std::system_error& fault) {  // the disk's; an operator is told
                    return ledger_.note(fault.what());
                }
        }
    }

    void operate(Deed deed, Random& random) {
        auto& parts = life_->parts();
        auto ids = parts.spool.messages({}, 1000);
        if (ids.empty()) return;
        auto& queue = parts.delivery.queue();
        if (deed == Deed::remove || deed == Deed::bounce) {
            ids = {ids[random.pick(ids.size())]};
            ledger_.removed(ids.front().text(), deed == Deed::bounce);
        }
        if (deed == Deed::hold) queue.hold(ids);
        if (deed == Deed::release) queue.release(ids);
        if (deed == Deed::retry) queue.retry(ids);
        if (deed == Deed::remove) queue.remove(ids);
        if (deed == Deed::bounce) queue.bounce(ids, "an operator wants it so");
        parts.delivery.recall();
        parts.delivery.arm();
    }

    /// Where something is written; what is not needed any more too.
    void damage(Random& random) {
        const auto spool = folder_.path() / "spool";
        std::vector<std::filesystem::path> files;
        for (const auto& folder : {spool, spool / "content"})
            for (const auto& name : disk_->names(folder).value_or(std::vector<std::string>()))
                files.push_back(folder / name);
        if (files.empty()) return;
        const auto& file = files[random.pick(files.size())];
        const std::string octets = disk_->octets(file);
        const auto written = octets.find_last_not_of('\0');
        if (written == std::string::npos) return;
        const auto bit = random.pick((written + 1) * 8);
        disk_->flip(file, bit);
        ledger_.note("  bit " + std::to_string(bit) + " of a file of " + std::to_string(octets.size()) +
                     " octets");
        if (!file.filename().string().starts_with("checkpoint")) ledger_.damaged();
    }

    void traffic(std::uint64_t number, Random& random) {
        Traffic what{plan_.seed, number, static_cast<unsigned>(random.between(1, 8)), plan_.sites,
                     random.one_in(6) ? 400'000u : 100'000u};
        if (random.one_in(3)) what.mood = random.one_in(2) ? Mood::slow : Mood::tearing;
        asio::co_spawn(world_, send(world_, clock_, outside_, ledger_, what),
                       [](const std::exception_ptr&) {});
    }

    void later(base::Moment::duration time, std::function<void()> what) {
        auto timer = std::make_shared<relay::net::Timer>(world_, clock_);
        timer->expires_after(time);
        timer->async_wait([timer, what = std::move(what)](std::error_code error) {
            if (!error) what();
        });
    }

    /// From now on nothing goes wrong any more.
    void make_well() {
        for (unsigned site = 0; site < plan_.sites; ++site) outside_.set_mood(address_of(site), Mood::well);
        outside_.set_mood(archive_address, Mood::well);
        outside_.set_mood(primary_address, Mood::well);
        outside_.set_mood("dns", Mood::well);
        outside_.be_short_of_descriptors(false);
        life_->disk().trouble({});
        life_->disk().kill_before(0, {});
        if (!life_->parts().spool.unhealthy().empty()) restart(0s);
        operate_all();
        ledger_.note("- all is well");
    }
    void nothing_is_overdue() {
        for (const auto& [route, due] : life_->parts().delivery.queue().waiting())
            if (due < clock_.steady() - overdue)
                ledger_.fail("mail for " + route.text() + " is due and nobody calls for it");
    }
    void operate_all() {
        auto& parts = life_->parts();
        parts.delivery.queue().release(parts.spool.messages({}, 100'000));
        parts.delivery.recall();
        parts.delivery.arm();
    }

    const Plan& plan_;
    Random random_;
    tests::Folder folder_;
    Clock clock_;
    io_context world_{1};
    const asio::executor_work_guard<io_context::executor_type> work_{world_.get_executor()};
    Outside outside_;
    relay::SettingsPtr settings_;
    Ledger ledger_;
    std::unique_ptr<tests::MemoryDisk> disk_;
    const std::shared_ptr<const sync::Snapshot> directory_ = directory();
    std::uint64_t lives_ = 0;
    std::optional<Crash> crash_;  // it died, and is not there again
    bool burying_ = false;
    std::string fault_;
    bool world_quiet_ = false;  // it waits
    std::chrono::hours time_{0};
    std::unique_ptr<Life> life_;
};

}  // namespace

Outcome play(const Plan& plan) {
    const std::size_t before = open_descriptors();
    Outcome out;
    {
        History history(plan);
        history.play();
        out = history.outcome();
    }
    if (const auto after = open_descriptors(); out.fault.empty() && after != before)
        out.fault = std::to_string(after) + " descriptors are open, " + std::to_string(before) + " before";
    return out;
}

}  // namespace postern::simulation
