// What an egress pool learnt, as it may come back from a damaged disk: read, used, and written again the
// same.
#include "relay/egress/state.h"

#include "relay/egress/pool.h"
#include "tests/fuzz/target.h"

using namespace postern::relay;
using namespace postern::fuzz;

namespace {

SettingsPtr settings() {
    auto settings = std::make_shared<Settings>();
    settings->hostname = "gw.example";
    for (const char* address : {"192.0.2.1", "2001:db8::1"}) {
        settings->egress.emplace_back();
        settings->egress.back().address = address;
    }
    settings->delivery.blocklists = {"zen.example"};
    return settings;
}

void use(std::string_view state) {
    static const SettingsPtr fixed = settings();
    const Time now{std::chrono::hours(24 * 20'000)};
    EgressPool pool(fixed, state, now);
    for (const char* site : {"mx.example", "x"})
        for (const auto time : {now, now - std::chrono::hours(1000), now + std::chrono::hours(100'000)}) {
            const auto choice = pool.choose(site, "example.org", {}, time);
            require(choice.source ? pool.usable(choice.source->address, site, time) : choice.again > time);
            pool.accepted("192.0.2.1", site, time);
            pool.refused("2001:db8::1", site, {ReplyMeaning::listed, "rule", {}}, {550, {}, "no"}, time);
        }
    (void)pool.views(now);
    (void)pool.save();
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string input(text_of(data, size));
    for (const auto& state : {input, "postern-egress 1\n" + input}) {
        const auto again = encode_egress_state(decode_egress_state(state));
        require(encode_egress_state(decode_egress_state(again)) == again);
        use(state);
    }
    return 0;
}
