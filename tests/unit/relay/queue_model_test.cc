// Random operations on spool and queue, held against the little that matters: whatever was accepted is in the
// end delivered, reported as failed, or removed; nothing is lost, and nothing is delivered twice.
#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "sync/base/clock.h"
#include "tests/unit/relay/folder.h"
#include "tests/unit/relay/gateway_life.h"

using namespace postern::relay;
using namespace postern::tests;
namespace fs = std::filesystem;

namespace {

constexpr unsigned routes = 5;

struct Known {
    std::string content;
    std::size_t recipients = 0;
    bool report = false;
    bool acknowledged = false;  // the 250 went out
    bool removed = false;       // by the operator or as damaged: nothing is promised any more
    bool crashed = false;       // what was not yet durable may be done again
    bool power_lost = false;    // and what was delivered may be delivered again
    std::map<std::uint16_t, unsigned> delivered, reported;
    std::string history;

    void note(const std::string& what) { history += what + "; "; }
};

class Model : public Observer {
public:
    explicit Model(unsigned seed) : random_(seed) {
        auto settings = std::make_shared<Settings>();
        settings->hostname = "gw.example";
        settings->queue.retry_first = settings->queue.retry_max = std::chrono::seconds(0);
        settings->delivery.recipients = 2;
        settings_ = settings;
        folder_ = std::make_unique<Folder>();
        open();
    }

    void step() {
        switch (pick(100)) {
            case 0: restart(); break;
            case 1: crash(); break;
            case 2: down_.insert(route(pick(routes))); break;
            case 3:
            case 4: down_.clear(); break;
            case 5: shift_ += pick(2); break;
            case 6: retry(); break;
            case 7: remove(); break;
            case 8:
                if (pick(20) == 0) give_up();
                break;
            case 9: operate(); break;
            default:
                if (pick(10) < 3)
                    accept();
                else
                    work(false);
        }
        if (pick(3) == 0) life_->take_completions();
        if (pick(3) == 0) look_around();
    }

    void drain() {
        down_.clear();
        life_->take_completions();
        // In parts: what is taken up for it must not fill the window.
        life_->queue.release(life_->spool.messages({}, 100'000));
        for (;;) {
            life_->take_completions();
            look_around();
            if (!offered_.empty())
                while (!offered_.empty()) work(true);
            else if (life_->queue.active() > 0 || unanswered_ > 0)
                life_->wait_for_completion();
            else if (life_->queue.next_run() > now())
                break;
        }
    }

    void judge() {
        INFO(left_over());
        CHECK(life_->spool.count() == 0);
        // Entries of the index may outlive their message, one of each until the next restart.
        for (int times = 0; times < 10 && (times == 0 || !life_->spool.routes().empty()); ++times) {
            restart();
            drain();
        }
        CHECK(life_->spool.count() == 0);
        INFO("after restarts: " << left_over());
        CHECK(life_->spool.routes().empty());
        CHECK(fs::is_empty(folder_->path() / "spool/content"));
        for (const auto& [id, message] : known_) {
            CAPTURE(MessageId{id}.text(), message.acknowledged, message.crashed, message.power_lost,
                    message.history, reports_about(MessageId{id}));
            for (std::uint16_t at = 0; at < message.recipients; ++at) {
                CAPTURE(at);
                unsigned delivered = count(message.delivered, at), reported = count(message.reported, at);
                if (!message.power_lost) REQUIRE(delivered <= 1);
                if (message.removed || !message.acknowledged) continue;
                REQUIRE(delivered + reported >= 1);
                if (!message.crashed) REQUIRE(delivered + reported == 1);
            }
        }
    }

    std::string reports_about(MessageId id) const {
        std::string out;
        for (const auto& [number, message] : known_)
            if (message.report && message.content.starts_with(id.text()))
                out += MessageId{number}.text() + ": " + message.history + "| ";
        return out;
    }

    /// What is still in the spool, with all that is known about it.
    std::string left_over() const {
        std::ostringstream out;
        for (MessageId id : life_->spool.messages({}, 10)) {
            out << id.text() << (life_->spool.fresh({id.value - 1}, 1) == std::vector{id} ? " (new)" : "")
                << ": " << known_.at(id.value).history;
            auto loaded = life_->spool.load(id);
            if (!loaded || !loaded->stored) continue;
            for (const auto& one : loaded->progress)
                out << "\n  " << static_cast<int>(one.status) << (one.reported ? " reported" : "")
                    << " route '" << one.route.text() << "' due " << one.next.time_since_epoch().count();
            out << '\n';
        }
        for (const auto& key : life_->spool.routes())
            out << key.route.text() << " on disk " << key.due.time_since_epoch().count() << '\n';
        for (const auto& [route, due] : life_->queue.waiting())
            out << route.text() << " woken " << due.time_since_epoch().count() << '\n';
        return out.str();
    }

    std::size_t segments_used() const { return segments_used_; }
    std::size_t messages() const { return known_.size(); }

    void on(const event::Delivered&) override { ++delivered_events_; }
    std::size_t delivered_events() const { return delivered_events_; }
    std::size_t deliveries() const { return deliveries_; }

private:
    std::size_t pick(std::size_t below) { return random_() % below; }
    Time now() const { return clock_.steady(); }
    static RouteKey route(std::size_t number) {
        return RouteKey::exchangers(std::string(1, static_cast<char>('a' + number)));
    }
    static unsigned count(const std::map<std::uint16_t, unsigned>& all, std::uint16_t at) {
        auto found = all.find(at);
        return found == all.end() ? 0 : found->second;
    }
    Known& known(const Stored& stored) { return known_.at(stored.message.id.value); }

    std::size_t last_segment() const {
        std::size_t last = 0;
        for (const auto& entry : fs::directory_iterator(folder_->path() / "spool"))
            if (entry.path().extension() == ".segment")
                last = std::max<std::size_t>(last, std::stoul(entry.path().filename().string()));
        return last;
    }

    void open() {
        Answers answers;
        answers.route = [this](const Envelope& envelope, const Address& to) {
            return envelope.bounce ? RouteKey::primary("main")
                                   : route((std::stoul(to.local) + shift_) % routes);
        };
        answers.room = [this](const RouteKey& to) -> std::size_t {
            if (down_.contains(to)) return 0;
            std::size_t busy = 0;
            for (const auto& job : offered_) busy += job.route == to;
            return busy < 4 ? 4 - busy : 0;
        };
        answers.offer = [this](Job job) { offered_.push_back(std::move(job)); };
        answers.trouble = [this](const RouteKey& to) {
            return down_.contains(to) ? "cannot be reached" : std::string();
        };
        answers.next_try = [this](const RouteKey&) { return now(); };
        answers.exists = [](const RouteKey& to) { return to != RouteKey::gateway("gone"); };
        answers.report = [this](const Stored& stored, const Progress& progress,
                                const std::vector<Notice>& notices) {
            std::vector<std::uint16_t> failed;
            for (const auto& notice : notices) {
                CHECK(notice.kind == Notice::Kind::failed);
                CHECK(progress[notice.recipient].status == RecipientStatus::failed);
                failed.push_back(notice.recipient);
            }
            return report(stored, failed);
        };
        life_ = std::make_unique<GatewayLife>(
            folder_->path(), clock_,
            Spool::Options{1 << 19, std::chrono::microseconds(0), std::chrono::milliseconds(1)}, settings_,
            *this, answers);
        check_places();
    }

    /// On the disk, whenever a process ends: each pending recipient has a place in line.
    void check_places() {
        {
            auto fresh = life_->spool.fresh({}, 100'000);
            for (MessageId id : life_->spool.messages({}, 100'000)) {
                auto loaded = life_->spool.load(id);
                REQUIRE(loaded);
                REQUIRE(loaded->stored);
                bool is_new = std::binary_search(fresh.begin(), fresh.end(), id);
                for (const auto& one : loaded->progress) {
                    if (!one.pending()) continue;
                    CAPTURE(id.text(), one.route.text(), known_.at(id.value).history);
                    if (one.route.empty())
                        REQUIRE(is_new);
                    else
                        REQUIRE(life_->spool.waits(WaitKey{one.route, one.next}, id));
                }
            }
        }
    }

    /// The time of all that was tried is over.
    void give_up() {
        auto shorter = std::make_shared<Settings>(*settings_);
        shorter->queue.expire = std::chrono::seconds(0);
        life_->queue.reload(shorter);
        life_->queue.run(now() + std::chrono::hours(1));
        life_->queue.reload(settings_);
    }

    StoredPtr make(MessageId id, Envelope envelope, std::string content, bool in_file) {
        auto stored = std::make_shared<Stored>();
        stored->message.id = id;
        stored->message.envelope = std::move(envelope);
        Content& out = stored->message.content;
        out.size = content.size();
        out.checksum = checksum(content);
        if (in_file) {
            out.file = life_->spool.content_file(id);
            stored->written = written(out.file, content);
        } else {
            out.bytes = std::make_shared<const std::string>(content);
        }
        Known& entry = known_[id.value];
        entry.content = std::move(content);
        entry.recipients = stored->message.envelope.forward_paths.size();
        entry.report = stored->message.envelope.bounce;
        return stored;
    }

    void accept() {
        MessageId id = life_->spool.new_id();
        REQUIRE_FALSE(known_.contains(id.value));
        Envelope envelope;
        if (pick(10) > 0) envelope.reverse_path = {"s", "example.com"};
        for (std::size_t left = 1 + pick(pick(10) == 0 ? 30 : 4); left > 0; --left)
            envelope.forward_paths.push_back({std::to_string(pick(1000)), "example.net"});
        std::string content = id.text() + std::string(pick(pick(4) == 0 ? 20'000 : 500), 'x') + "\r\n";
        ++unanswered_;
        life_->spool.accept(make(id, envelope, content, pick(8) == 0), [this, id](std::error_code error) {
            --unanswered_;
            REQUIRE_FALSE(error);
            known_[id.value].acknowledged = true;
            known_[id.value].note("accepted");
        });
        segments_used_ = std::max(segments_used_, last_segment());
    }

    StoredPtr report(const Stored& stored, const std::vector<std::uint16_t>& failed) {
        Known& original = known(stored);
        if (stored.message.envelope.reverse_path.null()) {
            for (auto at : failed) ++original.reported[at];
            original.note("failed without a sender");
            reported(stored);
            return nullptr;
        }
        std::string content = stored.message.id.text();
        for (auto at : failed) content += ' ' + std::to_string(at);
        Envelope envelope;
        envelope.forward_paths = {stored.message.envelope.reverse_path};
        envelope.bounce = true;
        MessageId id = life_->spool.new_id();
        REQUIRE_FALSE(known_.contains(id.value));
        original.note("report " + id.text() + " about " + content);
        return make(id, envelope, content + "\r\n", false);
    }

    /// A report has reached the end of its way, whatever that was: its recipients count as reported.
    void reported(const Stored& stored) {
        if (!stored.message.envelope.bounce) return;
        std::istringstream in(known(stored).content);
        std::string id;
        in >> id;
        for (unsigned at; in >> at;)
            ++known_.at(MessageId::parse(id)->value).reported[static_cast<std::uint16_t>(at)];
        known_.at(MessageId::parse(id)->value).note("report has ended");
    }

    void check_content(const Job& job) {
        const Stored& stored = *job.message->stored;
        const Content& content = stored.message.content;
        std::string octets;
        if (!content.file.empty()) {
            std::ifstream in(content.file, std::ios::binary);
            octets.assign(std::istreambuf_iterator<char>(in), {});
        } else if (content.bytes) {
            octets = *content.bytes;
        } else {
            auto loaded = life_->spool.load_content(stored.message);
            REQUIRE(loaded);
            octets = **loaded;
        }
        REQUIRE(octets == known(stored).content);
    }

    void work(bool deliver) {
        if (offered_.empty()) return;
        std::size_t at = pick(offered_.size());
        Job job = offered_[at];
        offered_.erase(offered_.begin() + static_cast<std::ptrdiff_t>(at));
        Stored& stored = *job.message->stored;
        REQUIRE_FALSE(job.recipients.empty());
        known(stored).note("job to " + job.route.text());
        if (job.message->halted()) return life_->queue.give_back(job);
        check_content(job);
        if (!deliver && pick(12) == 0) return life_->queue.give_back(job);
        if (!deliver && pick(200) == 0) {
            known(stored).removed = true;
            reported(stored);
            return life_->queue.set_aside_damaged(job, "a test says so");
        }
        bool lost = !deliver && pick(10) == 0;
        std::vector<Outcome> outcomes(job.recipients.size());
        for (std::size_t one = 0; one < outcomes.size(); ++one) {
            Outcome& outcome = outcomes[one];
            std::size_t chance = deliver ? 0 : pick(10);
            if (lost) {
                outcome.reason = "connection lost";
                outcome.destination = true;
                outcome.attempted = pick(2) == 0;
                down_.insert(job.route);
            } else if (chance < 6) {
                outcome.result = Outcome::Result::delivered;
                outcome.reply = Reply{250, {}, "ok"};
                ++known(stored).delivered[job.recipients[one]];
                ++deliveries_;
            } else if (chance < 8) {
                outcome.reply = Reply{450, {}, "later"};
            } else {
                outcome.result = Outcome::Result::failed;
                outcome.reply = Reply{550, {}, "never"};
            }
            if (outcome.result == Outcome::Result::delivered) reported(stored);
            known(stored).note(std::to_string(job.recipients[one]) + " " +
                               (outcome.result == Outcome::Result::delivered  ? "delivered"
                                : outcome.result == Outcome::Result::deferred ? "deferred"
                                                                              : "failed"));
        }
        life_->queue.settle(job, std::move(outcomes));
    }

    void look_around() {
        life_->queue.run(now() + std::chrono::minutes(pick(20) == 0 ? 2 : 0));
        for (std::size_t at = 0; at < routes; ++at)
            if (!down_.contains(route(at))) life_->queue.refill(route(at));
        for (const RouteKey& other : {RouteKey::primary("main"), RouteKey::gateway("extra")})
            if (!down_.contains(other)) life_->queue.refill(other);
    }

    /// By an operator, with what is in hand and what waits.
    void operate() {
        auto ids = some_messages();
        switch (pick(5)) {
            case 0: life_->queue.hold(ids); break;
            case 1:
            case 2: life_->queue.release(ids); break;
            case 3: life_->queue.bounce(ids, "not wanted"); break;
            case 4:
                for (MessageId id : ids) known_.at(id.value).note("moved");
                life_->queue.move(ids, RouteKey::of(pick(2) == 0   ? "gateway:extra"
                                                    : pick(2) == 0 ? "gateway:gone"
                                                                   : ""));
                break;
        }
        std::vector<Job> kept;
        for (Job& job : std::exchange(offered_, {})) {
            if (job.message->halted())
                life_->queue.give_back(job);
            else
                kept.push_back(std::move(job));
        }
        for (Job& job : offered_) kept.push_back(std::move(job));
        offered_ = std::move(kept);
    }

    std::vector<MessageId> some_messages() {
        std::vector<MessageId> out;
        for (MessageId id : life_->spool.messages({}, 1000))
            if (pick(8) == 0) out.push_back(id);
        return out;
    }

    void retry() { life_->queue.retry(some_messages()); }

    void remove() {
        if (pick(4) > 0) return;
        auto ids = some_messages();
        for (MessageId id : ids) {
            known_.at(id.value).removed = true;
            auto loaded = life_->spool.load(id);
            if (loaded && loaded->stored) reported(*loaded->stored);
        }
        life_->queue.remove(ids);
    }

    void restart() {
        for (auto& [id, message] : known_) message.note("restart");
        offered_.clear();
        life_.reset();
        unanswered_ = 0;
        open();
        CHECK(life_->reports() == std::vector<std::string>());
        // What waits may be called before the recovery has come to it.
        if (pick(2) == 0)
            for (std::size_t at = 0; at < routes; ++at) life_->queue.refill(route(at));
    }

    void crash() {
        life_->hold();
        accept();
        life_->wait_until_held();
        auto copy = std::make_unique<Folder>();
        fs::copy(folder_->path(), copy->path(), fs::copy_options::recursive);
        for (auto& [id, message] : known_) {
            message.crashed = true;
            message.note("crash");
        }
        if (pick(3) == 0) {
            // The machine went down: what was written without a sync is gone.
            life_->forget_some(folder_->path(), copy->path(), random_);
            for (auto& [id, message] : known_) message.power_lost = true;
        }
        offered_.clear();
        life_.reset();
        unanswered_ = 0;
        folder_ = std::move(copy);
        open();
        // What was not synced yet may be there in part, and nobody was told that it was taken.
        for (const auto& report : life_->reports())
            CHECK(report.find("had not been acknowledged") != std::string::npos);
    }

    std::mt19937 random_;
    SettingsPtr settings_;
    std::unique_ptr<Folder> folder_;
    std::map<std::uint64_t, Known> known_;
    std::set<RouteKey> down_;
    std::vector<Job> offered_;
    std::size_t shift_ = 0, unanswered_ = 0, segments_used_ = 0, deliveries_ = 0, delivered_events_ = 0;
    postern::base::SystemClock clock_;
    std::unique_ptr<GatewayLife> life_;
};

}  // namespace

TEST_CASE("no message is lost or delivered twice, whatever happens", "[queue][model]") {
    const char* given = std::getenv("POSTERN_SEED");
    const unsigned seed =
        given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device{}();
    std::cout << "queue model: POSTERN_SEED=" << seed << std::endl;
    CAPTURE(seed);
    Model model(seed);
    for (int steps = 0; steps < 1500; ++steps) model.step();
    model.drain();
    model.judge();
    CHECK(model.delivered_events() == model.deliveries());
    CHECK(model.segments_used() > 1);
    CHECK(model.messages() > 100);
}
