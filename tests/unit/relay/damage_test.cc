// Segments and contents changed behind the spool's back: it opens nevertheless, says what it misses, and
// delivers the rest unchanged. Each trial runs in a process of its own, so that a crash is a finding like any
// other.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <random>
#include <set>

#include "relay/queue/journal_scan.h"
#include "tests/unit/relay/kept_spool.h"
#include "tests/unit/shortage.h"

using namespace postern::relay;
using namespace postern::tests;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t sector = 4096;
constexpr int messages_each_time = 60;
const postern::base::SystemClock machine;

Spool::Options small_segments() {
    Spool::Options out = KeptSpool::options;
    out.segment_size = 256 << 10;
    return out;
}

std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write(const fs::path& file, const std::string& octets) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << octets;
}

/// As a process of its own. The exit code, or 256 and more for a crash.
int in_a_process(const std::function<int()>& trial) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL);
        int result = 20;
        try {
            result = trial();
        } catch (const std::exception& fault) {
            std::cerr << fault.what() << std::endl;
        }
        std::cerr.flush();
        _exit(result);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

// ---- what there is

/// Some mail comes in, and something becomes of most of it.
void live(KeptSpool& kept, std::mt19937& random) {
    const RouteKey route = RouteKey::exchangers("dest.example");
    for (int at = 0; at < messages_each_time; ++at) {
        std::vector<Address> recipients{{"r" + std::to_string(at), "dest.example"}, {"s", "dest.example"}};
        auto stored = message_with(
            kept.spool, "number " + std::to_string(random()) + std::string(random() % 20'000, 'x') + "\r\n",
            at % 10 == 0, recipients);
        const MessageId id = stored->message.id;
        if (auto error = kept.accept(stored)) throw std::system_error(error, "accepting");
        Change change;
        change.id = id;
        change.tried = true;
        change.file = stored->message.content.file;
        change.progress.emplace(recipients.size());
        for (auto& one : *change.progress) {
            one.route = route;
            one.next = machine.steady();
        }
        switch (random() % 6) {
            case 0: continue;  // never tried
            case 1:
                kept.spool.note_delivered(id, {0});
                kept.spool.wait_for_notes();
                continue;
            case 2: change.progress->front().status = RecipientStatus::delivered; break;
            case 3: break;
            case 4: change.done = true; break;
            default:
                change.done = true;
                change.bounce = message_with(kept.spool, "bounce of " + id.text() + "\r\n", false);
        }
        kept.spool.change(std::move(change));
    }
    Change nothing;  // of no message: what came before is durable
    kept.change(nothing);
    for (int at = 0; at < 3; ++at) kept.accept(message_with(kept.spool, "the last ones\r\n", false));
}

enum class End { killed_without_a_checkpoint, killed, stopped };

void fill(const fs::path& folder, End end, unsigned seed) {
    REQUIRE(in_a_process([&] {
                std::mt19937 random(seed);
                postern::base::SystemDisk disk;
                {
                    KeptSpool kept(folder, machine, disk, small_segments());
                    live(kept, random);
                }
                KeptSpool& kept = *new KeptSpool(folder, machine, disk, small_segments());
                live(kept, random);
                if (end == End::stopped) delete &kept;
                return 0;
            }) == 0);
    if (end == End::killed_without_a_checkpoint) fs::remove(folder / "spool/checkpoint");
}

struct Record {
    fs::path file;  // its name alone
    Place place;
    RecordHeader header;
};

using Recipients = std::set<std::uint16_t>;

/// What a spool that is whole holds.
struct Whole {
    std::vector<Record> records;
    std::map<std::uint64_t, std::string> contents;   // of all that was ever in it
    std::map<std::uint64_t, Recipients> waiting;     // of what is in it, those who have not got it
    std::map<fs::path, std::uint64_t> content_file;  // whose it is
};

std::vector<fs::path> segments(const fs::path& folder) {
    std::vector<fs::path> out;
    for (const auto& entry : fs::directory_iterator(folder / "spool"))
        if (entry.path().extension() == ".segment") out.push_back(entry.path());
    std::sort(out.begin(), out.end());
    return out;
}

std::vector<fs::path> content_files(const fs::path& folder) {
    std::vector<fs::path> out;
    for (const auto& entry : fs::directory_iterator(folder / "spool/content")) out.push_back(entry.path());
    std::sort(out.begin(), out.end());
    return out;
}

Whole look_at(const fs::path& folder) {
    Whole out;
    postern::base::SystemDisk disk;
    for (const auto& path : segments(folder)) {
        const auto name = SegmentName::parse(path.filename().string());
        REQUIRE(name);
        const auto file = disk.open(path, postern::base::Disk::Access::read);
        REQUIRE(file);
        JournalScan scan(**file, *name, 0, fs::file_size(path));
        for (;;) {
            const auto step = scan.next();
            REQUIRE(step);
            if (!*step) break;
            REQUIRE((*step)->what == Scanned::What::record);
            out.records.push_back({path.filename(), (*step)->place, (*step)->header});
            if ((*step)->header.kind != RecordHeader::Kind::message) continue;
            const auto parts = split_message((*step)->body);
            REQUIRE(parts);
            out.contents[(*step)->header.id.value] = std::string(parts->content);
        }
    }
    for (const auto& path : content_files(folder)) {
        const auto id = MessageId::parse(path.filename().string());
        REQUIRE(id);
        out.contents[id->value] = read(path);
        out.content_file[path.filename()] = id->value;
    }
    Folder copy;
    fs::copy(folder, copy.path(), fs::copy_options::recursive);
    KeptSpool kept(copy.path(), machine, disk, small_segments());
    CHECK(kept.reports().empty());
    for (const MessageId id : kept.spool.messages({}, 100'000)) {
        const auto loaded = kept.spool.load(id);
        REQUIRE((loaded && loaded->stored));
        for (std::size_t at = 0; at < loaded->progress.size(); ++at)
            if (loaded->progress[at].pending()) out.waiting[id.value].insert(static_cast<std::uint16_t>(at));
    }
    return out;
}

// ---- what is done to it

struct Damage {
    std::string what;
    std::map<fs::path, std::string> before;  // of segments, by their names
    std::set<fs::path> gone;                 // files that are not there, or not what they were
};

std::string noise(std::mt19937& random, std::size_t size) {
    std::string out(size, '\0');
    for (char& one : out) one = static_cast<char>(random());
    return out;
}

Damage damage(const fs::path& folder, std::mt19937& random, unsigned kind) {
    Damage out;
    const auto all = segments(folder);
    for (const auto& path : all) out.before[path.filename()] = read(path);
    const auto contents = content_files(folder);
    fs::path file = all[random() % all.size()];
    std::string octets = read(file);
    // Where something is: a segment is not full when the next one is begun by another life.
    const std::size_t used = octets.find_last_not_of('\0') + 1;
    std::size_t at = random() % std::max<std::size_t>(used, 1);
    const std::size_t page = at / sector * sector;
    switch (kind) {
        case 0:
            out.what = "a bit";
            octets[at] = static_cast<char>(octets[at] ^ (1 << random() % 8));
            break;
        case 1:
            out.what = "a sector of zeros";
            octets.replace(at = page, sector, std::string(sector, '\0'));
            break;
        case 2:
            out.what = "a sector of noise";
            octets.replace(at = page, sector, noise(random, sector));
            break;
        case 3: {
            out.what = "a sector in the place of another";
            const std::string other = read(all[random() % all.size()]);
            octets.replace(at = page, sector, other, random() % (other.size() / sector) * sector, sector);
            break;
        }
        case 4:
            out.what = "the file cut short";
            octets.resize(at);
            break;
        case 5:
            out.what = "24 sectors of noise";
            for (int left = 24; left > 0; --left)
                octets.replace(random() % (octets.size() / sector) * sector, sector, noise(random, sector));
            break;
        case 6:
            out.what = "an octet of a content file";
            file = contents[random() % contents.size()];
            octets = read(file);
            at = random() % octets.size();
            octets[at] = static_cast<char>(octets[at] ^ 0x20);
            out.gone.insert(file.filename());
            break;
        case 7:
            out.what = "a content file removed";
            file = contents[random() % contents.size()];
            out.gone.insert(file.filename());
            fs::remove(file);
            break;
        case 8:
            out.what = "a segment removed";
            out.gone.insert(file.filename());
            fs::remove(file);
            break;
        default:
            out.what = "the checkpoint";
            file = folder / "spool/checkpoint";
            if (!fs::exists(file)) break;
            octets = read(file);
            at = random() % octets.size();
            if (random() % 4 == 0)
                octets.resize(at);
            else
                octets[at] = static_cast<char>(octets[at] ^ (1 << random() % 8));
    }
    if (kind != 7 && kind != 8 && kind != 9 && fs::exists(file)) write(file, octets);
    out.what += " at " + std::to_string(at) + " of " + file.filename().string();
    return out;
}

/// What it may cost.
struct Costs {
    std::set<std::uint64_t> touched;  // messages of which a record, of any kind, is not what it was
    std::set<std::uint64_t> unknown;  // of which nothing is left that could be told
};

Costs costs_of(const Whole& whole, const Damage& damage, const fs::path& folder, End end) {
    Costs out;
    for (const auto& name : damage.gone)
        if (const auto owner = whole.content_file.find(name); owner != whole.content_file.end())
            out.touched.insert(owner->second);
    std::map<fs::path, std::string> now;
    for (const auto& path : segments(folder)) now[path.filename()] = read(path);
    std::uint64_t last = 0;  // of those that are still there
    std::vector<const Record*> lost;
    for (const auto& record : whole.records) {
        const auto after = now.find(record.file);
        const std::string& before = damage.before.at(record.file);
        const auto at = static_cast<std::size_t>(record.place.offset());
        if (after != now.end() && after->second.size() >= at + record.place.length &&
            before.compare(at, record.place.length, after->second, at, record.place.length) == 0) {
            last = std::max(last, record.header.sequence);
            continue;
        }
        out.touched.insert(record.header.id.value);
        lost.push_back(&record);
    }
    for (const Record* record : lost) {
        // Nothing behind it shows that it was there; or no checkpoint that there was a segment at all.
        if ((end != End::stopped && record->header.sequence > last) ||
            (end == End::killed_without_a_checkpoint && !now.contains(record->file)))
            out.unknown.insert(record->header.id.value);
    }
    return out;
}

// ---- what must come of it

/// Everything is found the way the queue finds it, and delivered. Who got what; nullopt when what was given
/// is not what it was.
std::optional<std::map<std::uint64_t, Recipients>> deliver(KeptSpool& kept, const Whole& whole) {
    std::set<MessageId> found;
    for (MessageId after;;) {
        const auto some = kept.spool.fresh(after, 50);
        if (some.empty()) break;
        found.insert(some.begin(), some.end());
        after = some.back();
    }
    for (const auto& line : kept.spool.routes())
        for (const auto& one :
             kept.spool.due(line.route, Time::max(), 100'000, [](MessageId) { return false; }))
            found.insert(one.id);
    std::map<std::uint64_t, Recipients> out;
    for (const MessageId id : found) {
        const auto loaded = kept.spool.load(id);
        if (!loaded) return std::nullopt;
        Change change;
        change.id = id;
        if (loaded->stored) change.file = loaded->stored->message.content.file;
        const auto content = loaded->stored ? kept.spool.load_content(loaded->stored->message)
                                            : tl::make_unexpected(ContentFault::proven("its record"));
        if (content) {
            const auto known = whole.contents.find(id.value);
            if (known == whole.contents.end() || known->second != **content) return std::nullopt;
            for (std::size_t at = 0; at < loaded->progress.size(); ++at)
                if (loaded->progress[at].pending()) out[id.value].insert(static_cast<std::uint16_t>(at));
            change.done = true;
        } else {
            if (!content.error().damaged()) return std::nullopt;
            change.damage = content.error().why;
        }
        kept.change(std::move(change));
        if (kept.spool.contains(id)) return std::nullopt;
    }
    if (kept.spool.count() != 0) return std::nullopt;  // what nobody would have found
    return out;
}

/// 0 when all is as it has to be, else what is wrong.
int open_and_deliver(const fs::path& folder, const Whole& whole, const Costs& costs) {
    postern::base::SystemDisk disk;
    MessageId later;
    {
        KeptSpool kept(folder, machine, disk, small_segments());
        const auto delivered = deliver(kept, whole);
        if (!delivered) return 10;
        for (const auto& [id, recipients] : whole.waiting) {
            const auto got = delivered->find(id);
            if (!costs.touched.contains(id) && (got == delivered->end() || got->second != recipients))
                return 11;
            if (got == delivered->end() && !costs.unknown.contains(id) && kept.reports().empty())
                return 12;  // lost without a word
        }
        for (const auto& [id, recipients] : *delivered)
            if (!costs.touched.contains(id) && !whole.waiting.contains(id)) return 13;  // sent twice
        const auto stored = message_with(kept.spool, "new mail\r\n", true);
        later = stored->message.id;
        if (kept.accept(stored)) return 14;
    }
    KeptSpool again(folder, machine, disk, small_segments());
    if (again.spool.messages({}, 10) != std::vector{later}) return 15;
    if (!again.reports().empty()) {
        std::cerr << again.reports();
        return 16;  // it was told
    }
    return 0;
}

unsigned seed_of(const char* test) {
    const char* given = std::getenv("POSTERN_SEED");
    const unsigned seed =
        given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device{}();
    std::cout << test << ": POSTERN_SEED=" << seed << std::endl;
    return seed;
}

}  // namespace

TEST_CASE("a damaged spool opens, says what is missing and delivers the rest, each once", "[spool][damage]") {
    constexpr unsigned kinds = 10;
    const unsigned seed = seed_of("damage");
    CAPTURE(seed);
    std::mt19937 random(seed);
    const char* given = std::getenv("POSTERN_TRIALS");
    const int trials = given != nullptr ? std::atoi(given) : 1;
    for (const End end : {End::killed_without_a_checkpoint, End::killed, End::stopped}) {
        CAPTURE(int(end));
        Folder folder;
        fill(folder.path(), end, seed);
        const Whole whole = look_at(folder.path());
        REQUIRE(segments(folder.path()).size() >= 3);
        REQUIRE(whole.waiting.size() > 20);
        REQUIRE(fs::exists(folder.path() / "spool/checkpoint") == (end != End::killed_without_a_checkpoint));
        CHECK(in_a_process([&] {
                  Folder copy;
                  fs::copy(folder.path(), copy.path(), fs::copy_options::recursive);
                  return open_and_deliver(copy.path(), whole, {});
              }) == 0);
        for (int trial = 0; trial < trials; ++trial)
            for (unsigned kind = 0; kind < kinds; ++kind) {
                // A sanitizer makes each process dear, and looks at what damage does to the code: once for
                // each kind.
                if (sanitized && kind % 3 != unsigned(end)) continue;
                Folder copy;
                fs::copy(folder.path(), copy.path(), fs::copy_options::recursive);
                const Damage done = damage(copy.path(), random, kind);
                CAPTURE(done.what);
                const Costs costs = costs_of(whole, done, copy.path(), end);
                CHECK(in_a_process([&] { return open_and_deliver(copy.path(), whole, costs); }) == 0);
            }
    }
}

TEST_CASE("damage that appears while it runs costs the messages it touches, and is told", "[spool][damage]") {
    Folder folder;
    postern::base::SystemDisk disk;
    std::map<std::uint64_t, std::string> contents;
    std::vector<MessageId> ids;
    MessageId later;
    {
        KeptSpool kept(folder.path(), machine, disk);
        for (int at = 0; at < 9; ++at) {
            const std::string content = "number " + std::to_string(at) + std::string(5000, 'x') + "\r\n";
            const auto stored = message_with(kept.spool, content, at % 3 == 0);
            ids.push_back(stored->message.id);
            contents[ids.back().value] = content;
            REQUIRE_FALSE(kept.accept(stored));
        }
        const Whole whole{{}, contents, {}, {}};
        const fs::path segment = segments(folder.path()).front();
        std::string octets = read(segment);
        octets[octets.find("number 4") + 2000] ^= 1;                             // of a content
        octets.replace(octets.find("number 7") - 60, 20, std::string(20, 'y'));  // of a description
        {
            // In its place: it is open.
            std::fstream out(segment, std::ios::binary | std::ios::in | std::ios::out);
            out << octets;
        }
        fs::remove(kept.spool.content_file(ids[3]));
        const auto delivered = deliver(kept, whole);
        REQUIRE(delivered);
        CHECK(delivered->size() == 6);
        for (const int lost : {3, 4, 7}) {
            CHECK_FALSE(delivered->contains(ids[static_cast<std::size_t>(lost)].value));
            CHECK_THAT(
                kept.reports(),
                Catch::Contains("message " + ids[static_cast<std::size_t>(lost)].text() + " is damaged"));
        }
        CHECK(kept.spool.set_aside_so_far() == 3);
        const auto stored = message_with(kept.spool, "new mail\r\n", false);
        later = stored->message.id;
        REQUIRE_FALSE(kept.accept(stored));
    }
    KeptSpool kept(folder.path(), machine, disk);
    CHECK(kept.spool.messages({}, 10) == std::vector{later});
    CHECK(kept.reports().empty());
}
