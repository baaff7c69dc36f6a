// What one gateway learnt about addresses and the others were not told yet.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "relay/egress/pool.h"
#include "relay/mail/message.h"
#include "sync/base/cluster.h"

namespace postern::relay {

inline constexpr std::string_view egress_fact = "egress.known", egress_over_fact = "egress.over";

/// Used by one thread, that of the pool.
class EgressNews {
public:
    /// What has changed since: nothing twice within some seconds.
    void take(std::vector<base::Fact>& out, const EgressPool& pool, Time now);
    /// All that is known, for one that begins.
    static void all(std::vector<base::Fact>& out, const EgressPool& pool);
    /// What another one learnt goes into the pool, and is no news of this one. Other facts are passed over.
    void hear(EgressPool& pool, const base::Fact& fact, Time now);

private:
    std::map<std::string, std::string> told_;  // lines, by what they are about
    std::uint64_t version_ = 0;
    Time looked_{};
};

}  // namespace postern::relay
