#include "relay/queue/recovery.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <random>
#include <string>

#include "memory_disk.h"
#include "same_index.h"
#include "tests/unit/shortage.h"

using namespace postern::relay;
using namespace postern::tests;
using Kind = RecordHeader::Kind;
using Act = MemoryDisk::Act;

namespace {

const std::filesystem::path folder = "/spool";
constexpr std::uint64_t segment_size = 16 << 10;

/// The journal and what it holds, changed as the spool and its upkeep do.
class Machine {
public:
    Machine() { disk.make_folder(folder); }

    void start() {
        journal.reset();
        holdings = std::make_unique<Holdings>();
        journal.emplace(disk, folder, segment_size);
        auto found = recover(disk, *journal, *holdings);
        REQUIRE(found);
        recovered = std::move(*found);
        checkpoint = recovered.checkpoint.segment;
    }

    std::vector<Place> append(std::vector<Draft> drafts) {
        auto places = journal->append(drafts);
        REQUIRE(places);
        for (const auto& one : drafts) holdings->last_id = std::max(holdings->last_id, one.header.id);
        return *places;
    }
    /// Its sequence.
    std::uint64_t accept(std::uint64_t id, const std::string& body) {
        const auto places = append({Draft(Kind::message, MessageId{id}, body)});
        holdings->index.insert(MessageId{id}, places[0]);
        return journal->next() - 1;
    }
    std::uint64_t progress(std::uint64_t id, const Progress& progress) {
        const std::string body = encode_progress(progress);
        const auto places = append({Draft(Kind::progress, MessageId{id}, body)});
        holdings->index.progress(MessageId{id}, places[0], false, places_in_line(progress));
        holdings->index.forget_notes(MessageId{id}, progress);
        return journal->next() - 1;
    }
    void note(std::uint64_t id, const std::vector<std::uint16_t>& recipients) {
        const std::string body = encode_delivered(recipients);
        append({Draft(Kind::delivered, MessageId{id}, body)});
        holdings->index.note_delivered(MessageId{id}, recipients);
    }
    /// With a bounce in front, unless that is 0.
    std::uint64_t done(std::uint64_t id, std::uint64_t bounce, const std::string& bounce_body) {
        const auto entry = holdings->index.find(MessageId{id}).value();
        Graves graves{entry.message.segment, entry.message.segment};
        if (!holdings->emptied.empty()) graves.first = std::min(graves.first, *holdings->emptied.begin());
        const std::string body = encode_graves(graves);
        std::vector<Draft> drafts;
        if (bounce != 0) {
            drafts.emplace_back(Kind::message, MessageId{bounce}, bounce_body);
            drafts.back().header.followed = true;
        }
        drafts.emplace_back(Kind::done, MessageId{id}, body);
        drafts.back().header.follows = bounce != 0;
        const auto places = append(std::move(drafts));
        holdings->index.erase(MessageId{id});
        holdings->graves.add(places.back().segment, graves);
        if (bounce != 0) holdings->index.insert(MessageId{bounce}, places[0]);
        return journal->next() - 1;
    }
    void move(std::uint64_t id) {
        const auto entry = holdings->index.find(MessageId{id}).value();
        for (const bool message : {false, true}) {
            const Place from = message ? entry.message : entry.progress;
            if (!from) continue;
            const auto record = journal->read(from);
            REQUIRE(record);
            Draft draft(record->header.kind, MessageId{id}, record->body);
            draft.header.fresh = record->header.fresh;
            draft.header.copy = true;
            const auto places = append({draft});
            if (message) {
                holdings->emptied.insert(from.segment);
                holdings->index.move_message(MessageId{id}, places[0]);
            } else {
                holdings->index.move_progress(MessageId{id}, places[0]);
            }
        }
    }
    /// `meanwhile` is done again and again while it is written.
    void write_checkpoint(const std::function<void()>& meanwhile) {
        const Place place = journal->position();
        const CheckpointStart begin{place.segment, place.offset(), journal->next()};
        CheckpointWriter writer(disk, folder, *holdings, begin);
        for (bool last = false; !last;) {
            meanwhile();
            last = writer.step().value();
        }
        meanwhile();
        REQUIRE_FALSE(journal->sync());
        REQUIRE(writer.finish());
        checkpoint = begin.segment;
    }
    void remove_dead() {
        for (const MessageId id : holdings->index.noted()) {
            const auto& all = *holdings->index.delivered(id);
            note(id.value, {all.begin(), all.end()});
        }
        REQUIRE_FALSE(journal->sync());
        const auto all = journal->segments();
        for (const auto& [number, segment] : all) {
            const bool behind = checkpoint == 0 || number < checkpoint;
            if (number >= journal->active() || !behind || holdings->index.live(number) != 0 ||
                holdings->graves.needed(number, journal->segments()) != 0)
                continue;
            REQUIRE_FALSE(journal->remove(number));
            holdings->graves.forget(number);
            holdings->emptied.erase(number);
        }
    }

    MemoryDisk disk;
    std::optional<Journal> journal;
    std::unique_ptr<Holdings> holdings;
    Recovered recovered;
    std::uint32_t checkpoint = 0;
};

/// What is known of each message, and must hold whatever happens.
class History {
public:
    explicit History(unsigned seed) : random_(seed) { machine_.start(); }

    void step() {
        switch (random_() % 14) {
            case 0:
            case 1:
            case 2: return accept();
            case 3:
            case 4: return progress();
            case 5:
            case 6: return note();
            case 7:
            case 8: return done();
            case 9: return sync();
            case 10:
                if (const auto id = any()) machine_.move(id);
                return;
            case 11:
                if (random_() % 2 == 0) REQUIRE_FALSE(machine_.journal->prepare_spare());
                if (random_() % 3 == 0) machine_.write_checkpoint([&] { change(); });
                machine_.remove_dead();
                return;
            case 12: return kill();
            default:
                if (random_() % 3 == 0) crash();
        }
    }

private:
    static constexpr std::size_t recipients = 5;
    struct Message {
        std::string body;
        std::uint64_t accepted = 0, ended = 0;  // sequences; 0: not, or for good
        std::uint64_t bounce = 0;
        bool there = false;      // when it was last looked
        bool gone = false;       // for good
        std::uint64_t told = 0;  // sequence of its last progress or note
        std::set<std::uint16_t> noted;
        Progress progress = Progress(recipients);  // as it was last written
    };

    void change() {
        switch (random_() % 4) {
            case 0: return accept();
            case 1: return progress();
            case 2: return note();
            default: return done();
        }
    }
    std::uint64_t any() {
        const auto ids = machine_.holdings->index.messages(MessageId{random_() % (next_ + 1)}, 1);
        return ids.empty() ? 0 : ids[0].value;
    }
    std::string body() { return std::string(random_() % 1500, static_cast<char>('a' + random_() % 26)); }

    void accept() {
        Message one;
        one.body = body();
        one.accepted = machine_.accept(next_, one.body);
        messages_[next_++] = one;
        if (random_() % 4 != 0) sync();
    }
    void progress() {
        const auto id = any();
        if (id == 0) return;
        Progress& all = messages_[id].progress;
        for (auto& one : all) {
            if (random_() % 8 == 0) one.status = RecipientStatus::delivered;
            one.route = RouteKey::exchangers("d" + std::to_string(random_() % 3));
            one.next = Time(std::chrono::seconds(random_() % 10));
        }
        messages_[id].told = machine_.progress(id, all);
        // A note may have overtaken a progress that does not know of it.
        std::erase_if(messages_[id].noted, [&](std::uint16_t at) { return !all[at].pending(); });
    }
    void note() {
        const auto id = any();
        if (id == 0) return;
        const auto recipient = static_cast<std::uint16_t>(random_() % recipients);
        if (!messages_[id].progress[recipient].pending()) return;
        machine_.note(id, {recipient});
        messages_[id].told = machine_.journal->next() - 1;
        messages_[id].noted.insert(recipient);
    }
    void done() {
        const auto id = any();
        if (id == 0) return;
        Message& one = messages_[id];
        one.bounce = random_() % 2 == 0 ? next_++ : 0;
        Message bounce;
        bounce.body = body();
        one.ended = machine_.done(id, one.bounce, bounce.body);
        bounce.accepted = one.ended - 1;
        if (one.bounce != 0) messages_[one.bounce] = bounce;
    }
    void sync() { REQUIRE_FALSE(machine_.journal->sync()); }

    /// The process ends: all that was appended is there, exactly.
    void kill() {
        const auto before = std::move(machine_.holdings);
        const auto next = machine_.journal->next();
        machine_.start();
        if (!same_index(before->index, machine_.holdings->index)) FAIL("something was lost with the process");
        CHECK(machine_.journal->next() == next);
        CHECK(machine_.holdings->last_id == before->last_id);
        check_losses();
        check_readable();
    }

    /// The machine stops: what was synced is there.
    void crash() {
        const auto durable = machine_.journal->durable();
        const unsigned likely = 1 + random_() % 15;
        machine_.disk.crash([&] { return random_() % 16 < likely; });
        machine_.start();
        CHECK(machine_.journal->next() >= durable);
        for (auto& [id, one] : messages_) {
            const bool there = machine_.holdings->index.contains(MessageId{id});
            const auto synced = [&](std::uint64_t sequence) { return sequence < durable; };
            if (there && one.gone) FAIL("message " << id << " came back to life");
            if (!one.gone) {
                if (one.ended == 0 && synced(one.accepted) && !there) FAIL("message " << id << " is lost");
                if (one.ended != 0 && synced(one.ended) && there) FAIL("message " << id << " is there again");
                if (one.ended != 0 && !there && synced(one.accepted) && one.bounce != 0) {
                    const Message& bounce = messages_.at(one.bounce);
                    if (bounce.ended == 0 && !machine_.holdings->index.contains(MessageId{one.bounce}))
                        FAIL("message " << id << " is gone without its bounce");
                }
            }
            if (there && one.told != 0 && synced(one.told)) {
                const auto* noted = machine_.holdings->index.delivered(MessageId{id});
                if (noted == nullptr ? !one.noted.empty() : *noted != one.noted) FAIL("notes of " << id);
            }
            // From now on it stays as it was found.
            one.gone = !there;
            one.accepted = one.ended = one.told = 0;
            if (!there) continue;
            const auto* noted = machine_.holdings->index.delivered(MessageId{id});
            one.noted = noted == nullptr ? std::set<std::uint16_t>() : *noted;
        }
        check_losses();
        check_readable();
    }

    void check_losses() {
        for (const auto& loss : machine_.recovered.losses)
            if (!loss.torn) FAIL("octet " << loss.place.offset() << " is told as damaged");
        CHECK(machine_.recovered.missing.empty());
        CHECK(machine_.recovered.checkpoint_fault.empty());
    }
    void check_readable() {
        for (const MessageId id : machine_.holdings->index.messages({}, 100000)) {
            const auto entry = machine_.holdings->index.find(id);
            const auto message = machine_.journal->read(entry->message);
            if (!message || message->body != messages_.at(id.value).body || message->header.id != id)
                FAIL("message " << id.value
                                << " cannot be read: " << (message ? "it is another" : message.error().why));
            if (!entry->progress) continue;
            const auto progress = machine_.journal->read(entry->progress);
            if (!progress || progress->header.id != id || progress->header.kind != Kind::progress)
                FAIL("progress of " << id.value << " cannot be read");
        }
    }

    std::mt19937 random_;
    Machine machine_;
    std::map<std::uint64_t, Message> messages_;
    std::uint64_t next_ = 1;
};

}  // namespace

TEST_CASE("whenever the process or the machine stops, what was durable is there and what was over stays so") {
    for (unsigned seed = 0; seed < (sanitized ? 15 : 50); ++seed) {
        INFO("seed " << seed);
        History history(seed);
        for (int step = 0; step < 250; ++step) history.step();
    }
}

TEST_CASE("what is known of segments that are gone is forgotten with them") {
    Machine machine;
    machine.start();
    machine.accept(1, "a");
    machine.holdings->emptied = {1, 77};
    machine.holdings->graves.add(1, {1, 77});
    machine.holdings->graves.add(77, {1, 77});
    machine.write_checkpoint([] {});
    machine.start();
    CHECK(machine.holdings->emptied == std::set<std::uint32_t>{1});
    CHECK(machine.holdings->graves.by_segment().size() == 1);
    CHECK(machine.holdings->graves.by_segment().contains(1));
}

TEST_CASE("a segment for which there was no room leaves its number unused") {
    Machine machine;
    machine.start();
    const std::string body(segment_size / 2, 'x');
    machine.accept(1, body);
    // The file that was begun cannot be taken away either.
    machine.disk.fail(Act::reserve, std::errc::no_space_on_device);
    machine.disk.fail(Act::remove, std::errc::io_error);
    std::vector<Draft> drafts{Draft(Kind::message, MessageId{2}, body)};
    const auto refused = machine.journal->append(drafts);
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == std::errc::no_space_on_device);
    machine.accept(3, body);
    REQUIRE_FALSE(machine.journal->sync());
    machine.start();
    CHECK(machine.holdings->index.messages({}, 10) == std::vector<MessageId>{MessageId{1}, MessageId{3}});
    std::set<std::uint32_t> numbers;
    const auto names = machine.disk.names(folder).value();
    for (const auto& name : names)
        if (const auto segment = SegmentName::parse(name)) CHECK(numbers.insert(segment->number).second);
}

TEST_CASE("a segment that is missing costs the messages in it, and is told") {
    Machine machine;
    machine.start();
    const std::string body(segment_size / 3, 'x');
    for (std::uint64_t id = 1; id <= 6; ++id) machine.accept(id, body);
    machine.write_checkpoint([] {});
    const auto next = machine.journal->next();
    const auto active = machine.journal->active();
    const auto lost = machine.holdings->index.find(MessageId{1})->message.segment;
    REQUIRE_FALSE(machine.disk.remove(folder / machine.journal->segments().at(lost).name.text()));
    machine.start();
    CHECK(machine.recovered.missing == std::vector<MessageId>{MessageId{1}, MessageId{2}});
    CHECK(machine.holdings->index.messages({}, 10).size() == 4);
    CHECK(machine.journal->next() >= next);
    // All of them.
    for (const auto& [number, segment] : machine.journal->segments())
        REQUIRE_FALSE(machine.disk.remove(folder / segment.name.text()));
    machine.start();
    CHECK(machine.recovered.missing.size() == 6);
    CHECK(machine.holdings->index.size() == 0);
    CHECK(machine.journal->active() > active);
    CHECK(machine.journal->next() >= next);
}
