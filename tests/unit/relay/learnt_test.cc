#include "relay/delivery/learnt.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "relay/delivery/dnssec_memory.h"
#include "tests/unit/power_cut.h"
#include "tests/unit/relay/folder.h"
#include "tests/unit/relay/kept_spool.h"

using namespace postern;
using namespace postern::relay;
using namespace postern::tests;

namespace {

const std::filesystem::path state_dir = "/state";

/// Delivery's environment, with one thread for everything.
class World {
public:
    Learnt learnt(base::Disk& disk) {
        env_ =
            std::make_unique<Environment>(Environment{io_,
                                                      Carriers({&io_}),
                                                      clock_,
                                                      disk,
                                                      outside_,
                                                      {executor_, executor_, executor_, executor_, executor_},
                                                      kept_.spool,
                                                      observer_,
                                                      settings(),
                                                      {},
                                                      {},
                                                      {},
                                                      returns_});
        return Learnt(*env_);
    }
    void work() {
        io_.restart();
        io_.run();
    }

private:
    static SettingsPtr settings() {
        auto out = std::make_shared<Settings>();
        out->state_dir = state_dir;
        return out;
    }

    Returns returns_;
    const base::SystemClock clock_;
    Folder folder_;
    base::SystemDisk other_;  // the spool's
    KeptSpool kept_{folder_.path(), clock_, other_};
    net::SystemOutside outside_;
    Observer observer_;
    net::io_context io_{1};
    const asio::any_io_executor executor_ = io_.get_executor();
    std::unique_ptr<Environment> env_;
};

}  // namespace

TEST_CASE("after a power cut there is what was learnt before, or what was learnt last", "[learnt]") {
    World world;
    for (const char* name : {egress_file, policies_file, dnssec_file}) {
        CAPTURE(name);
        const Keeping keeping{[&](base::Disk& disk, const std::string& text) {
                                  bool failed = false;
                                  auto learnt = world.learnt(disk);
                                  learnt.write(name, text, [&](const std::string&) { failed = true; });
                                  world.work();
                                  return !failed;
                              },
                              [&](base::Disk& disk) { return world.learnt(disk).recall(name); }};
        check_power_cuts(keeping, "", "first");
        check_power_cuts(keeping, "few", std::string(3000, 'x'));
    }
}

TEST_CASE("what was learnt and cannot be read is not taken for nothing", "[learnt]") {
    World world;
    MemoryDisk disk;
    auto learnt = world.learnt(disk);
    CHECK(learnt.recall(egress_file).empty());
    disk.put(state_dir / egress_file, "x");
    CHECK(learnt.recall(egress_file) == "x");
    disk.fail(MemoryDisk::Act::open, std::errc::io_error);
    CHECK_THROWS_WITH(learnt.recall(egress_file), Catch::Contains("egress.state: Input/output error"));
    disk.fail(MemoryDisk::Act::read, std::errc::io_error);
    CHECK_THROWS_WITH(learnt.recall(egress_file), Catch::Contains("egress.state: Input/output error"));
}

TEST_CASE("a proof of DNSSEC that cannot be read is damaged, not missing", "[learnt]") {
    const DnsSettings settings;
    base::SystemDisk system;
    const Folder folder;
    CHECK(recall_proof(system, folder.path(), settings) == net::Proof::none);
    CHECK(recall_proof(system, folder.path() / "none", settings) == net::Proof::none);
    std::filesystem::create_symlink("nowhere", folder.path() / dnssec_file);
    CHECK(recall_proof(system, folder.path(), settings) == net::Proof::damaged);

    MemoryDisk disk;
    disk.make_folder(state_dir);
    CHECK(recall_proof(disk, state_dir, settings) == net::Proof::none);
    disk.put(state_dir / dnssec_file, net::write_proof(settings));
    CHECK(recall_proof(disk, state_dir, settings) == net::Proof::given);
    disk.fail(MemoryDisk::Act::open, std::errc::too_many_files_open);
    CHECK(recall_proof(disk, state_dir, settings) == net::Proof::damaged);
}
