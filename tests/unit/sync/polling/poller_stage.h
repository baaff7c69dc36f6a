// A poller whose primaries say what a test has them say.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "sync/polling/poller.h"
#include "tests/unit/stepped_clock.h"
#include "tests/unit/sync/fixture.h"

namespace postern::tests {

using namespace postern::sync;
using namespace std::chrono_literals;

/// What a scripted primary says next; shared with the test.
struct Script {
    Result<std::vector<ListedDomain>> domains =
        std::vector<ListedDomain>{{"example.com", "Example.com", true}};
    std::map<std::string, Result<DomainReading>> readings;
    std::vector<std::string> calls;
    std::uint64_t requests_a_domain = 1, more_requests = 0;
    bool hurried = false;
    std::vector<std::string> first_readings;  // those in a hurry
    bool broken = false;
    std::function<void()> meanwhile;      // happens while the domains are being listed
    std::function<void()> while_reading;  // happens while a domain is being read
    std::chrono::milliseconds gap{-1};    // as told last
};

inline DomainReading full_reading(const std::vector<std::string>& users) {
    DomainReading reading;
    reading.options = DomainOptions{};
    reading.users = address_list(Kind::user, users);
    reading.aliases = reading.lists = reading.resources = AddressList{};
    reading.domain_aliases = std::vector<std::string>{};
    return reading;
}

class ScriptedPrimary final : public Primary {
public:
    explicit ScriptedPrimary(Script& script) : script_(script) {}
    Result<void> sign_in() override { return {}; }
    Result<std::vector<ListedDomain>> domains() override {
        script_.calls.push_back("domains");
        if (script_.meanwhile) script_.meanwhile();
        if (script_.broken) throw std::runtime_error("a library's fault");
        return script_.domains;
    }
    Result<DomainReading> read(const DomainRecord& known) override {
        script_.calls.push_back(known.spelling);
        if (script_.while_reading) script_.while_reading();
        script_.more_requests += script_.requests_a_domain - 1;
        if (script_.hurried) script_.first_readings.push_back(known.spelling);
        const auto found = script_.readings.find(known.spelling);
        return found == script_.readings.end() ? full_reading({"alice"}) : found->second;
    }
    std::uint64_t requests() const override { return script_.calls.size() + script_.more_requests; }
    void hurry(bool on) override { script_.hurried = on; }
    void pause_between(std::chrono::milliseconds gap) override { script_.gap = gap; }

private:
    Script& script_;
};

struct Stage {
    explicit Stage(std::vector<std::string> primaries = {"main"}, Directory known = {}) {
        std::vector<PrimarySettings> settings;
        for (const std::string& name : primaries) settings.push_back(settings_for(name));
        poller = std::make_unique<Poller>(settings, std::move(known), recorder, clock, connect());
    }
    PrimarySettings settings_for(const std::string& name) const {
        PrimarySettings settings;
        settings.name = name;
        settings.url = "http://127.0.0.1";
        settings.password_file = folder.path() / "password";
        return settings;
    }
    Poller::Connect connect() {
        return [this](const PrimarySettings& settings, const std::stop_token&) {
            ++connections;
            return std::make_unique<ScriptedPrimary>(scripts[settings.name]);
        };
    }
    /// Steps until nothing is due.
    void run() {
        while (poller->step() != Poller::Step::nothing) poller->announce();
    }
    const DomainRecord& domain(const std::string& name) const {
        return poller->directory()[0].domains.at(name);
    }

    Folder folder;
    Recorder recorder;
    SteppedClock clock;
    std::map<std::string, Script> scripts;
    int connections = 0;
    std::unique_ptr<Poller> poller;
};

}  // namespace postern::tests
