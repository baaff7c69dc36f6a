// A pool of addresses, and what receivers say of them.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "relay/egress/pool.h"

namespace postern::tests {

using namespace relay;
using namespace std::chrono_literals;

inline const Time noon = Time(std::chrono::sys_days(std::chrono::year(2026) / 3 / 10)) + 12h;
inline const std::string a = "192.0.2.1", b = "192.0.2.2", c = "192.0.2.3", six = "2001:db8::1";
inline constexpr Families any{};

inline Settings with(std::vector<std::string> addresses, Rotation rotation = Rotation::on_listing) {
    Settings settings;
    settings.hostname = "gw.example";
    for (auto& address : addresses) {
        EgressSettings egress;
        egress.address = address;
        egress.hostname = "h" + address + ".example";
        settings.egress.push_back(egress);
    }
    settings.delivery.rotation = rotation;
    return settings;
}

inline SettingsPtr fixed(Settings settings) { return std::make_shared<const Settings>(std::move(settings)); }

inline EgressPool pool_of(std::vector<std::string> addresses, Rotation rotation = Rotation::on_listing) {
    return EgressPool(fixed(with(std::move(addresses), rotation)), "", noon);
}

inline std::string chosen(EgressPool& pool, const SitePart& site, Time now,
                          std::string_view domain = "example.org") {
    const auto choice = pool.choose(site, domain, any, now);
    return choice.source ? choice.source->address : "none";
}

inline const Judgement listed_here{ReplyMeaning::listed, "test", 0s};
inline const Judgement listed_everywhere{ReplyMeaning::listed_everywhere, "public", 0s};
inline const Reply blocked{550, {5, 7, 1}, "blocked"};

}  // namespace postern::tests
