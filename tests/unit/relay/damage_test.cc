// Volumes and contents changed behind the spool's back: it opens nevertheless, says what it misses, and
// delivers the rest unchanged. Each trial runs in a process of its own, so that a crash is a finding like any
// other.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <set>

#include "tests/unit/relay/folder.h"
#include "tests/unit/relay/gateway_life.h"

using namespace postern::relay;
using namespace postern::tests;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t page = 4096;
const postern::base::SystemClock machine;
const Spool::Options options{1 << 20, std::chrono::microseconds(0), std::chrono::milliseconds(1)};

SettingsPtr settings() {
    auto out = std::make_shared<Settings>();
    out->queue.retry_first = out->queue.retry_max = std::chrono::seconds(0);
    return out;
}

/// Takes whatever is offered, and remembers what it was.
struct Receiver {
    std::vector<Job> offered;
    bool open = true;
    std::size_t bounced = 0;
    Observer silent;

    Answers answers() {
        Answers out;
        out.route = [](const Envelope&, const Address& to) { return RouteKey::exchangers(to.domain); };
        out.room = [this](const RouteKey&) -> std::size_t { return open ? 10 : 0; };
        out.offer = [this](Job job) { offered.push_back(std::move(job)); };
        out.trouble = [this](const RouteKey&) { return open ? std::string() : "cannot be reached"; };
        out.next_try = [](const RouteKey&) { return machine.steady(); };
        out.exists = [](const RouteKey&) { return true; };
        out.report = [this](const Stored&, const Progress&, const std::vector<Notice>& notices) {
            bounced += notices.size();
            return nullptr;
        };
        return out;
    }
};

/// A folder with messages in two volumes: half of them wait for a destination, the others were never tried.
std::map<std::uint64_t, std::string> fill(const fs::path& folder) {
    std::map<std::uint64_t, std::string> contents;
    std::mt19937 random(7);
    Receiver receiver;
    receiver.open = false;
    GatewayLife life(folder, machine, options, settings(), receiver.silent, receiver.answers());
    for (int at = 0; at < 150; ++at) {
        auto stored = std::make_shared<Stored>();
        Message& message = stored->message;
        message.id = life.spool.new_id();
        message.envelope.reverse_path = {"s", "example.com"};
        message.envelope.forward_paths = {
            {"r" + std::to_string(at), at % 3 == 0 ? "a.example" : "b.example"}};
        std::string content = message.id.text() + std::string(random() % 20'000, 'x') + "\r\n";
        message.content.size = content.size();
        message.content.checksum = checksum(content);
        if (at % 20 == 0) {
            message.content.file = life.spool.content_file(message.id);
            stored->written = written(message.content.file, content);
        } else {
            message.content.bytes = std::make_shared<const std::string>(content);
        }
        contents[message.id.value] = std::move(content);
        life.spool.accept(stored, {});
        life.wait_for_completion();
        if (at < 100) life.take_completions();
    }
    return contents;
}

/// Opens the folder and lets everything be delivered. 0 when all is as it has to be, else what is wrong.
int open_and_deliver(const fs::path& folder, const std::map<std::uint64_t, std::string>& contents) {
    Receiver receiver;
    GatewayLife life(folder, machine, options, settings(), receiver.silent, receiver.answers());
    std::set<std::uint64_t> delivered;
    bool expired = false;
    while (life.spool.unhealthy().empty()) {
        life.take_completions();
        auto now = machine.steady();
        life.queue.run(now);
        for (const char* route : {"mx:a.example", "mx:b.example"}) life.queue.refill(RouteKey::of(route));
        if (!receiver.offered.empty()) {
            for (Job job : std::exchange(receiver.offered, {})) {
                const Stored& stored = *job.message->stored;
                const Content& content = stored.message.content;
                std::string octets;
                if (!content.file.empty()) {
                    std::ifstream in(content.file, std::ios::binary);
                    octets.assign(std::istreambuf_iterator<char>(in), {});
                } else if (auto loaded = life.spool.load_content(stored.message, stored.volume)) {
                    octets = **loaded;
                }
                if (octets.size() != content.size || checksum(octets) != content.checksum) {
                    life.queue.set_aside_damaged(job, "its content is damaged");
                    continue;
                }
                auto known = contents.find(stored.message.id.value);
                if (known != contents.end() && octets != known->second)
                    return 10;                                                     // believed what is damaged
                if (!delivered.insert(stored.message.id.value).second) return 11;  // sent twice
                std::vector<Outcome> outcomes(job.recipients.size());
                for (auto& outcome : outcomes) outcome.result = Outcome::Result::delivered;
                life.queue.settle(job, std::move(outcomes));
            }
        } else if (life.queue.active() > 0) {
            life.wait_for_completion();
        } else if (life.queue.next_run() > now) {
            if (std::exchange(expired, true)) break;
            life.queue.run(
                now + std::chrono::hours(200));  // what the index has lost comes to light when it expires
        }
    }
    std::size_t missing = contents.size() - std::min(contents.size(), delivered.size());
    if (missing > 0 && life.reports().empty() && receiver.bounced < missing)
        return 12;  // lost without a word
    return 0;
}

/// As a process of its own. The exit code, or 256 and more for a crash.
int in_a_process(const std::function<int()>& trial) {
    pid_t child = fork();
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

std::vector<fs::path> volumes(const fs::path& folder) {
    std::vector<fs::path> out;
    for (const auto& entry : fs::directory_iterator(folder / "spool"))
        if (entry.path().extension() == ".volume") out.push_back(entry.path());
    std::sort(out.begin(), out.end());
    return out;
}

std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write(const fs::path& file, const std::string& octets) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << octets;
}

/// Whether a branch or a leaf may begin there: its number and its kind are in front.
bool is_index_page(const std::string& octets, std::size_t at) {
    std::uint64_t number = 0;
    std::copy_n(octets.data() + at, sizeof number, reinterpret_cast<char*>(&number));
    return number == at / page && (octets[at + 10] == 1 || octets[at + 10] == 2) && octets[at + 11] == 0;
}

/// One way of damage, named.
std::string damage(const fs::path& folder, std::mt19937& random) {
    auto all = volumes(folder);
    fs::path file = all[random() % all.size()];
    std::string octets = read(file);
    std::size_t pages = octets.size() / page;
    std::size_t at = random() % pages * page;
    std::string what;
    switch (random() % 8) {
        case 0:
            what = "a bit";
            at = random() % octets.size();
            octets[at] = static_cast<char>(octets[at] ^ (1 << random() % 8));
            break;
        case 1:
            what = "a page of zeros";
            octets.replace(at, page, std::string(page, '\0'));
            break;
        case 2:
            what = "a page of noise";
            for (std::size_t one = at; one < at + page; ++one) octets[one] = static_cast<char>(random());
            break;
        case 3:
            // But for the two first pages: one of them taken for the other is an earlier state of the volume.
            what = "a page in the place of another";
            at = std::max(at, 2 * page);
            octets.replace(at, page, octets.substr(random() % pages * page, page));
            break;
        case 4:
            what = "the file cut short";
            at = random() % octets.size();
            octets.resize(at);
            break;
        case 5:
            what = "an octet at the beginning of a page";
            at += random() % 64;
            octets[at] = static_cast<char>(random());
            break;
        case 6:
            // Of the index: most pages are content.
            what = "a flag of a page";
            at = std::max(at, 2 * page);
            for (std::size_t left = pages; left > 0 && !is_index_page(octets, at); --left)
                at = at + 2 * page < octets.size() ? at + page : 2 * page;
            at += 10 + random() % 2;
            octets[at] = static_cast<char>(octets[at] ^ (0x40 << random() % 2));
            break;
        default: {
            what = "an octet of a content file";
            std::vector<fs::path> files;
            for (const auto& entry : fs::directory_iterator(folder / "spool/content"))
                files.push_back(entry.path());
            std::sort(files.begin(), files.end());
            file = files[random() % files.size()];
            octets = read(file);
            at = random() % octets.size();
            octets[at] = static_cast<char>(octets[at] ^ 0x20);
        }
    }
    write(file, octets);
    return what + " at " + std::to_string(at) + " of " + file.filename().string();
}

}  // namespace

TEST_CASE("a damaged spool opens, says what is missing and delivers the rest", "[spool][damage]") {
    const char* given = std::getenv("POSTERN_SEED");
    const unsigned seed =
        given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device{}();
    std::cout << "damage: POSTERN_SEED=" << seed << std::endl;
    CAPTURE(seed);
    std::mt19937 random(seed);
    Folder whole;
    const auto contents = fill(whole.path());
    REQUIRE(volumes(whole.path()).size() >= 2);

    auto trial = [&](bool damaged) {
        Folder folder;
        fs::copy(whole.path(), folder.path(), fs::copy_options::recursive);
        std::string what = damaged ? damage(folder.path(), random) : "nothing";
        CAPTURE(what);
        CHECK(in_a_process([&] { return open_and_deliver(folder.path(), contents); }) == 0);
    };
    trial(false);
    const char* trials = std::getenv("POSTERN_TRIALS");
    for (int left = trials != nullptr ? std::atoi(trials) : 5; left > 0; --left) trial(true);
}
