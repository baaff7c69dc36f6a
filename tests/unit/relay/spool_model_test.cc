// Lives of the whole spool on a disk that fails, forgets and ends processes at random, in front of any of its
// operations and in the middle of a start too, held against what was told: what was accepted is there until
// it was said to be done, as it came, and with a progress no older than the last that must be there; nothing
// that was done comes back, and nothing is called damaged, since nothing is. Where some could not be read at
// a start it may be missing or older, but only until it can be.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "relay/queue/index.h"
#include "tests/unit/relay/folder.h"
#include "tests/unit/relay/journal_story.h"
#include "tests/unit/relay/kept_spool.h"
#include "tests/unit/relay/memory_disk.h"
#include "tests/unit/relay/mortal_disk.h"
#include "tests/unit/relay/spool_model.h"
#include "tests/unit/shortage.h"

using namespace postern;
using namespace postern::relay;
using namespace postern::tests;

namespace {

class Model {
public:
    explicit Model(unsigned seed)
        : random_(seed), size_(std::uint64_t{16 << 10} << pick(3)), folder_(), disk_() {
        std::filesystem::create_directories(folder_.path() / "spool/content");
        disk_.make_folder(folder_.path() / "spool");
        open();
    }
    ~Model() { end_readers(); }

    void step() {
        if (process_->dead()) return died();
        const unsigned rare = pick(400);
        if (rare == 0) return stop();
        if (rare < 4) return pick(2) == 0 ? kill_soon(rare > 1) : kill(rare > 1);
        if (rare < 7) return trouble();
        if (rare < 10) return process_->trouble({});
        const unsigned often = pick(12);
        if (often < 4) return accept();
        if (often == 4) return note();
        if (often > 5) return change();
        if (pick(10) == 0) life_->sync_soon();
        if (pick(10) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(pick(8)));
    }

    void drain() {
        trouble_allowed_ = false;
        stop();
        std::uint64_t last = 0;
        for (const MessageId id : life_->messages({}, 1'000'000)) last = finish(id, {});
        while (told_durable() < last) {
            life_->sync_soon();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        CHECK(life_->count() == 0);
        stop();
        CHECK(life_->count() == 0);
        CHECK(life_->bytes() == 0);
        CHECK(life_->routes().empty());
        CHECK(disk_.names(folder_.path() / "spool/content")->empty());
        // One that is filled, and what is ready for when it is full.
        std::vector<std::string> names;
        for (int tries = 0; tries < 2000; ++tries) {
            names = *disk_.names(folder_.path() / "spool");
            if (names.size() <= 4) break;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        CHECK(names.size() <= 4);
    }

private:
    unsigned pick(unsigned below) { return random_() % below; }

    // ---- one life after another

    void open() {
        for (int tries = 0;; ++tries) {
            process_ = std::make_unique<MortalDisk>(disk_, random_());
            if (tries < 3 && trouble_allowed_ && pick(8) == 0) trouble();
            if (tries < 4 && trouble_allowed_ && pick(6) == 0) end_in_the_middle();
            reports_.clear();
            dead_ = false;
            told_written_ = told_durable_ = 0;
            auto options = KeptSpool::options;
            options.segment_size = size_;
            try {
                life_ = std::make_unique<Spool>(
                    folder_.path(), clock_, *process_, options,
                    [this](Committed done) { committed(std::move(done)); },
                    [this](std::string_view what, bool) { report(what); });
            } catch (const std::runtime_error& fault) {
                INFO(fault.what());
                REQUIRE((process_->troubled() || process_->dead()));
                tell_life("no start");
                // What it wrote down it knew no better.
                was_blind_ = was_blind_ || process_->unread();
                if (process_->dead()) continue;
                if (all_durable_ && pick(2) == 0) disk_.crash([&] { return pick(2) == 0; });
                continue;
            }
            process_->kill_before(0, {});
            if (!process_->dead()) break;
            life_.reset();
            tell_life("no start");
        }
        process_->trouble({});
        look();
        life_->start();
        readers_.emplace(*life_, [this](MessageId id, const Loaded& loaded, const std::string* content,
                                        const std::string& why) { compare(id, loaded, content, why); });
    }

    void end_readers() {
        readers_.reset();
        REQUIRE(wrong_.empty());
    }

    void stop() {
        process_->kill_before(0, {});
        if (process_->dead()) return died();
        tell_life("stop");
        life_->stop();
        const bool well = !process_->troubled();
        settle(known_, well ? UINT64_MAX : told_written_, true);
        all_durable_ = well;
        end(pick(2) == 0 && well);
    }

    /// The process is killed, or the machine stops: what that does to what was told, and to the disk.
    std::function<void()> death(bool machine) {
        return [this, machine, kept = pick(5), chance = std::mt19937(random_())]() mutable {
            const std::lock_guard lock(mutex_);
            dead_ = true;
            died_with_machine_ = machine;
            settle(known_, machine ? told_durable_ : told_written_, !machine);
            lose(machine, kept, chance);
        };
    }
    void lose(bool machine, unsigned kept, std::mt19937& chance) {
        lives_ += machine ? " crash" + std::to_string(kept) : " kill";
        if (!machine) return disk_.kill();
        disk_.crash([&] { return chance() % 4 < kept; });
    }
    void kill(bool machine) {
        process_->kill_before(0, {});
        if (!process_->dead()) process_->kill(death(machine));
        died();
    }
    /// In front of one of the next operations, whoever asks for it.
    void kill_soon(bool machine) { process_->kill_before(1 + pick(1u << pick(8)), death(machine)); }
    /// The same of a start.
    void end_in_the_middle() {
        const bool machine = all_durable_ && pick(3) != 0;
        process_->kill_before(1 + pick(1u << pick(8)),
                              [this, machine, kept = pick(5), chance = std::mt19937(random_())]() mutable {
                                  lose(machine, kept, chance);
                              });
    }
    void died() {
        for (bool over = false; !over; std::this_thread::yield()) {
            const std::lock_guard lock(mutex_);
            over = dead_;
        }
        tell_life({});
        all_durable_ = died_with_machine_;
        end(false);
    }

    void end(bool forget) {
        end_readers();
        life_.reset();
        if (forget) disk_.crash([&] { return pick(2) == 0; });
        if (forget) lives_ += " forget";
        if (pick(4) == 0 && lose_checkpoint(disk_, folder_.path() / "spool")) lives_ += " checkpointless";
        open();
    }

    void trouble() {
        if (trouble_allowed_) process_->trouble(some_trouble(random_));
    }

    // ---- what is told

    void committed(Committed done) {
        std::vector<std::filesystem::path> refused;
        {
            const std::lock_guard lock(mutex_);
            if (dead_) return;
            for (const auto& accept : done.accepted)
                for (const auto& one : {accept.stored, accept.stored->companion}) {
                    if (!one) continue;
                    Known& known = known_.at(one->message.id);
                    (done.error ? known.refused : known.accepted) = true;
                    if (!done.error) live_.push_back(one->message.id);
                    if (const auto& file = one->message.content.file; done.error && !file.empty())
                        refused.push_back(file);
                }
            for (const auto& one : done.bounces) live_.push_back(one->message.id);
            told_written_ = std::max(told_written_, done.changes);
            told_durable_ = std::max(told_durable_, done.durable);
        }
        for (const auto& file : refused) process_->remove(file);
    }
    std::uint64_t told_durable() {
        const std::lock_guard lock(mutex_);
        return told_durable_;
    }
    void report(std::string_view what) {
        const std::lock_guard lock(mutex_);
        reports_ += std::string(what) + '\n';
    }

    // ---- operations

    StoredPtr message(bool own_file) {
        const std::size_t recipients = pick(150) == 0 ? 400 : 2 + pick(5);
        const std::string content = some_text(random_, pick(200) == 0  ? size_ * 2
                                                       : pick(10) == 0 ? 6000
                                                                       : 300);
        const auto out = message_with(*life_, content, own_file,
                                      std::vector<Address>(recipients, Address{"r", "dest.example"}));
        Known one;
        one.content = content;
        one.versions = one.ever = {Version{0, Progress(recipients), false, {}}};
        const std::lock_guard lock(mutex_);
        REQUIRE(known_.emplace(out->message.id, std::move(one)).second);
        return out;
    }
    void accept() {
        if (const std::lock_guard lock(mutex_); live_.size() > most_) return;
        try {
            const auto one = message(pick(6) == 0);
            if (pick(5) == 0) one->companion = message(false);
            if (one->companion) pairs_.emplace_back(one->message.id, one->companion->message.id);
            life_->accept(one, {});
        } catch (const std::runtime_error&) {
            CHECK((process_->troubled() || process_->dead()));  // its file cannot be written
        }
    }

    /// Any that is there.
    std::optional<MessageId> any() {
        const std::lock_guard lock(mutex_);
        while (!live_.empty()) {
            const std::size_t at =
                pick(3) == 0 ? live_.size() - 1 : pick(static_cast<unsigned>(live_.size()));
            const MessageId id = live_[at];
            if (!known_.at(id).done()) return id;
            live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(at));
        }
        return std::nullopt;
    }

    void note() {
        const auto id = any();
        if (!id) return;
        std::vector<std::uint16_t> recipients;
        {
            const std::lock_guard lock(mutex_);
            Known& one = known_.at(*id);
            // The last one ends with a change only.
            recipients.push_back(static_cast<std::uint16_t>(
                pick(static_cast<unsigned>(one.versions.back().progress.size() - 1))));
            one.noted.insert(recipients.front());
            one.ever_noted.insert(recipients.front());
        }
        life_->note_delivered(*id, recipients);
        if (pick(4) != 0) return;
        const bool well = !process_->troubled();
        life_->wait_for_notes();
        if (well && !process_->troubled() && !process_->dead()) {
            const std::lock_guard lock(mutex_);
            if (!dead_) known_.at(*id).surely_noted.insert(recipients.front());
        }
    }

    void change() {
        const auto id = any();
        if (!id) return;
        StoredPtr bounce = pick(12) == 0 ? message(false) : nullptr;
        if (pick(5) < (grows_ ? 1u : 3u)) {
            finish(*id, bounce);
        } else {
            Change change;
            change.id = *id;
            change.tried = true;
            std::unique_lock lock(mutex_);
            Known& one = known_.at(*id);
            Progress progress = one.versions.back().progress;
            lock.unlock();
            const std::string reason =
                std::to_string(++reasons_) + std::string(pick(5) == 0 ? 50 + pick(200) : 0, 'r');
            for (std::size_t at = 0; at < progress.size(); ++at) {
                auto& recipient = progress[at];
                if (!recipient.pending()) continue;
                recipient.reason = reason;
                if (at + 1 < progress.size() &&
                    (one.noted.contains(static_cast<std::uint16_t>(at)) || pick(9) == 0))
                    recipient.status = RecipientStatus::delivered;
                recipient.route =
                    pick(4) == 0 ? RouteKey{} : RouteKey::exchangers("d" + std::to_string(pick(4)));
                recipient.next = Time(std::chrono::seconds(1'000'000 + pick(3)));
            }
            change.progress = progress;
            change.bounce = bounce;
            give(*id, std::move(change), Version{0, std::move(progress), false, {}});
        }
        if (pick(300) == 0) grows_ = !grows_;
    }

    std::uint64_t finish(MessageId id, StoredPtr bounce) {
        Change change;
        change.id = id;
        change.done = true;
        change.file = life_->content_file(id);  // if there is one
        change.bounce = std::move(bounce);
        Progress last;
        {
            const std::lock_guard lock(mutex_);
            last = known_.at(id).versions.back().progress;
        }
        return give(id, std::move(change), Version{0, std::move(last), true, {}});
    }

    std::uint64_t give(MessageId id, Change change, Version version) {
        if (change.bounce) version.bounce = change.bounce->message.id;
        version.number = ++given_;
        {
            const std::lock_guard lock(mutex_);
            Known& one = known_.at(id);
            one.ever.push_back(version);
            one.versions.push_back(std::move(version));
        }
        const std::uint64_t number = life_->change(std::move(change));
        REQUIRE(number == given_);
        return number;
    }

    // ---- what is there

    /// Of a message that is there: what is known of it from now on.
    Known seen(MessageId id, const Known& one, bool vague, const Version*& now) {
        const auto loaded = life_->load(id);
        REQUIRE(loaded);
        if (!loaded->stored) FAIL("message " << id.text() << " cannot be read" << story(id) << story({}));
        const auto content = life_->load_content(loaded->stored->message);
        // Of one that was refused the file is taken away.
        if (content || !one.refused) {
            if (!content) FAIL("message " << id.text() << ": " << content.error().why << story(id));
            REQUIRE(**content == one.content);
        }
        now = one.found(loaded->progress, vague);
        if (now == nullptr)
            FAIL("message " << id.text() << " has a progress that nobody gave it" << (vague ? " (vague)" : "")
                            << story(id));
        const Version version{0, loaded->progress, false, {}};
        Known out{one.content, true, one.refused, {version}, {}, {}, one.ever, one.ever_noted};
        out.ever.push_back(version);
        return out;
    }

    /// After a start: what is there is what must be, and is what is known from now on. Of what cannot be read
    /// nothing is known: it may be missing or older than it must, until all could be read at a start.
    void look() {
        const bool blind = process_->unread(), vague = blind || was_blind_;
        was_blind_ = blind;
        INFO(reports_ << (blind ? "blind" : ""));
        if (reports_.find(" damaged") != std::string::npos || reports_.find("missing") != std::string::npos)
            FAIL_CHECK("something is called damaged that is not" << story({}));
        std::map<MessageId, Known> next;
        std::set<std::tuple<std::string, Time, MessageId>> waiting, expected;
        std::set<MessageId> fresh, there, must, must_not;
        for (const MessageId id : life_->fresh({}, 1'000'000)) fresh.insert(id);
        for (const auto& key : life_->routes())
            for (const auto& entry :
                 life_->due(key.route, Time::max(), 1'000'000, [](MessageId) { return false; }))
                waiting.emplace(key.route.text(), entry.due, entry.id);
        for (const MessageId id : life_->messages({}, 1'000'000)) there.insert(id);
        CHECK(there.size() == life_->count());
        if (vague)
            for (const MessageId id : there)
                if (auto found = gone_.extract(id)) known_.insert(std::move(found));
        for (auto& [id, one] : known_) {
            CAPTURE(id.text(), one.accepted, one.refused, one.versions.size(), one.versions.front().number);
            const Version* now = nullptr;
            if (there.erase(id) > 0) {
                Known& left = next.emplace(id, seen(id, one, vague, now)).first->second;
                const auto places = places_in_line(left.versions.front().progress);
                for (const auto& key : places) expected.emplace(key.route.text(), key.due, id);
                if (!process_->troubled()) CHECK((fresh.contains(id) || !places.empty()));
            } else if (blind) {
                Known& left = next.emplace(id, one).first->second;
                left.versions.assign(1, one.versions.front());
                left.versions.front() = {0, one.versions.front().progress, false, {}};
            } else {
                // One that need not have been there at all need not have come to its end.
                if (one.versions.back().done && one.accepted) now = &one.versions.back();
                if (now == nullptr && !(vague && one.ever_done()) && one.accepted)
                    FAIL("message " << id.text() << " was accepted and is lost" << story(id));
            }
            for (const auto& version : one.versions) {
                if (version.bounce == MessageId{} || now == nullptr || vague) continue;
                (&version <= now ? must : must_not).insert(version.bounce);
            }
        }
        for (const auto& [one, other] : std::exchange(pairs_, {}))
            if (!vague && untold(known_, one) && next.contains(one) != next.contains(other))
                FAIL("of two that are accepted together one is there" << story(one));
        for (const MessageId id : there)
            FAIL("message " << id.text() << " is there, and "
                            << (gone_.contains(id) ? "was gone for good" : "was never given") << story(id));
        for (const MessageId id : must) {
            INFO(id.text() << story(id));
            // It may be gone already by a change of its own.
            CHECK((next.contains(id) || known_.at(id).done()));
        }
        for (const MessageId id : must_not) {
            INFO(id.text() << (next.contains(id) ? story(id) : ""));
            CHECK_FALSE(next.contains(id));
        }
        if (!process_->troubled()) CHECK(waiting == expected);
        live_.clear();
        for (const auto& [id, one] : next)
            if (life_->contains(id)) live_.push_back(id);
        for (auto& [id, one] : known_)
            if (!next.contains(id)) gone_.insert_or_assign(id, std::move(one));
        known_ = std::move(next);
        given_ = 0;
    }

    /// How the last lives ended, and what the journal says of it now.
    std::string story(MessageId id) {
        const std::size_t shown = std::min<std::size_t>(lives_.size(), 300);
        return "\nlives:" + lives_.substr(lives_.size() - shown) +
               story_of(disk_, folder_.path() / "spool", id);
    }
    void tell_life(const std::string& how) { lives_ += how_it_was(how, *process_); }

    /// What a reader found.
    void compare(MessageId id, const Loaded& loaded, const std::string* content, const std::string& why) {
        const bool there = life_->contains(id);
        const std::lock_guard lock(mutex_);
        const auto known = known_.find(id);
        if (content != nullptr && (known == known_.end() || known->second.content != *content))
            wrong_ += "other content\n";
        const bool refused = known != known_.end() && known->second.refused;
        if (content == nullptr && (there || !loaded.stored) && !process_->dead() && !process_->broken() &&
            !refused)
            wrong_ += id.text() + " cannot be read: " + why + '\n';
    }

    std::mt19937 random_;
    const std::uint64_t size_;
    Folder folder_;
    MemoryDisk disk_;
    RushingClock clock_;
    std::unique_ptr<MortalDisk> process_;
    bool trouble_allowed_ = true, all_durable_ = true, grows_ = true;
    bool was_blind_ = false, died_with_machine_ = false;
    std::size_t most_ = 400, reasons_ = 0;
    std::uint64_t given_ = 0;

    std::mutex mutex_;
    std::map<MessageId, Known> known_, gone_;
    std::vector<std::pair<MessageId, MessageId>> pairs_;  // accepted together, in this life
    std::vector<MessageId> live_;
    std::uint64_t told_written_ = 0, told_durable_ = 0;
    bool dead_ = false;
    std::string reports_, wrong_, lives_;

    std::unique_ptr<Spool> life_;
    std::optional<Readers> readers_;
};

}  // namespace

// The same few lives in every run; others, and more of them, as the environment says.
TEST_CASE("the spool keeps what it told, whatever becomes of its disk and process", "[spool-model]") {
    const char* given = std::getenv("POSTERN_SEED");
    const char* runs = std::getenv("POSTERN_TRIALS");
    const unsigned first = given != nullptr ? static_cast<unsigned>(std::stoul(given)) : 1;
    const int trials = runs != nullptr ? std::atoi(runs) : sanitized ? 1 : 6;
    for (int trial = 0; trial < trials; ++trial) {
        const unsigned seed = first + static_cast<unsigned>(trial);
        INFO("POSTERN_SEED=" << seed);
        if (given != nullptr) std::cout << "spool model: POSTERN_SEED=" << seed << std::endl;
        Model model(seed);
        for (int steps = 0; steps < 4000; ++steps) model.step();
        model.drain();
    }
}
