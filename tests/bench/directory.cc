// What the directory costs: requests to a primary, memory, the time to load it and to look something up.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sync/directory/cache.h"
#include "sync/directory/snapshot.h"
#include "sync/polling/poller.h"
#include "sync/rest/rest.h"
#include "tests/support/primary_double.h"

using namespace postern;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

double milliseconds(Clock::duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

class Folder {
public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "postern-bench-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
        path = name;
    }
    ~Folder() { std::filesystem::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    std::filesystem::path path;
};

tests::Json world(int domains) {
    tests::Json world = tests::example_world();
    world["domains"] = tests::Json::array();
    for (int i = 0; i < domains; ++i) {
        tests::Json users = tests::Json::array();
        for (int user = 0; user < 40; ++user) users.push_back("user" + std::to_string(user));
        world["domains"].push_back({{"name", "d" + std::to_string(i) + ".example"},
                                    {"users", std::move(users)},
                                    {"aliases", {"info", "sales"}}});
    }
    return world;
}

/// Gives the requests of one round.
std::uint64_t round(sync::Poller& poller, std::uint64_t before) {
    while (poller.step() != sync::Poller::Step::round_ended) std::this_thread::sleep_until(poller.next_due());
    return poller.report()[0].requests - before;
}

void requests(int domains) {
    const Folder folder;
    std::ofstream(folder.path / "password") << "secret\n";
    tests::PrimaryDouble primary(world(domains));
    sync::PrimarySettings settings;
    settings.name = "main";
    settings.url = primary.url();
    settings.username = "gateway";
    settings.password_file = folder.path / "password";
    settings.poll_every = 1s;
    settings.gap = 0ms;
    const base::SystemClock clock;
    sync::Observer nobody;
    sync::Poller poller(
        {settings}, {}, nobody, clock, [&clock](const sync::PrimarySettings& given, std::stop_token stop) {
            return std::make_unique<sync::Rest>(given, "postern-bench", clock, std::move(stop));
        });
    const auto first = round(poller, 0);
    std::uint64_t all = first, steady = 0;
    for (int i = 0; i < 3; ++i) {
        const auto next = round(poller, all);
        all += next;
        steady = std::max(steady, next);
    }
    // With the usual settings: a round each 300 s, at most so many unchanged domains in it.
    const double each = static_cast<double>(first) / domains;
    const double capped = std::min(static_cast<double>(steady), 1 + 75 * each);
    std::printf("%7d  %12llu  %12.0f  %10.0f  %8.2f\n", domains, static_cast<unsigned long long>(first),
                capped, capped * 288, capped / 300);
}

void million() {
    const Folder folder;
    const auto local = [](int i) { return "first.last" + std::to_string(i); };
    const auto domain = [](int i) { return "customer" + std::to_string(i % 1000) + ".example"; };
    constexpr int count = 1'000'000;
    const auto now = std::chrono::system_clock::now();
    base::SystemDisk disk;
    const sync::Cache cache(disk, folder.path / "directory.cache");
    {
        sync::PrimaryRecord primary{"main", 72h, now};
        for (int i = 0; i < count; ++i) {
            sync::DomainRecord& record = primary.domains[domain(i)];
            record.spelling = domain(i);
            record.listed = record.options.read = record.users.read = record.aliases.read =
                record.lists.read = record.domain_aliases.read = now;
            record.users.content.add(sync::Kind::user, local(i));
        }
        if (!cache.save({std::move(primary)})) throw std::runtime_error("the cache cannot be written");
    }
    const auto start = Clock::now();
    auto directory = cache.load();
    if (!directory) throw std::runtime_error(directory.error().reason);
    directory->front().trust_for = 72h;
    const sync::Snapshot snapshot(*directory);
    const auto loaded = Clock::now();

    std::vector<int> order(count);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::minstd_rand(1));
    std::vector<std::pair<std::string, std::string>> addresses;
    for (const int i : order) addresses.emplace_back(local(i), domain(i));
    std::size_t good = 0;
    const auto before = Clock::now();
    for (const auto& [name, where] : addresses)
        good += snapshot.address(name, where, now).standing == sync::Standing::good ? 1 : 0;
    const auto looked = Clock::now() - before;
    if (good != addresses.size()) throw std::runtime_error("an address was not found");
    std::printf("1,000,000 addresses: snapshot %.1f MiB, loaded in %.0f ms, %.0f ns a look-up (cold)\n",
                static_cast<double>(snapshot.memory()) / (1 << 20), milliseconds(loaded - start),
                milliseconds(looked) * 1e6 / count);
}

}  // namespace

int main() {
    std::printf("domains  first round  later rounds  per day     per second\n");
    for (const int domains : {10, 500, 5000}) requests(domains);
    million();
}
