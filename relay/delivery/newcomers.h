// How many connections go to hosts that nothing good is known of: pure values.
#pragma once

#include <algorithm>
#include <map>
#include <string>

namespace postern::relay {

/// Connections to sites that have not taken part in a transaction yet, or fail. They have a part of all
/// connections, so that whatever they do, the rest is for those that were never any trouble; and those at
/// one address, and in one network, whose names may be countless and whose owner is one, have a part of that,
/// which grows with each site that turns out well.
class Newcomers {
public:
    struct Where {
        std::string address, network;
    };

    /// `connections`: all there are; `address`: of one address at first, a quarter at most; its network has
    /// four times that, three quarters at most.
    void limit(unsigned connections, unsigned address) {
        most_ = std::max(1u, connections * 7 / 10);
        address_ = std::clamp(most_ / 4, 1u, std::max(1u, address));
        network_ = std::clamp(most_ * 3 / 4, address_, 4 * address_);
    }
    bool room(const Where& where) const {
        return count_ < most_ && below(where.address, address_) && below(where.network, network_);
    }
    /// Half of what they have is in use: those that keep others waiting get less time.
    bool crowded() const { return count_ * 2 >= most_; }
    void begin(const Where& where) {
        ++count_;
        for (const std::string* part : {&where.address, &where.network}) ++parts_[*part].count;
    }
    void end(const Where& where, unsigned count = 1) {
        count_ -= std::min(count, count_);
        for (const std::string* part : {&where.address, &where.network}) {
            auto found = parts_.find(*part);
            if (found == parts_.end()) continue;
            found->second.count -= std::min(count, found->second.count);
            if (found->second.count == 0 && found->second.good == 0) parts_.erase(found);
        }
    }
    void good(const Where& where) {
        if (parts_.size() > parts_max)
            std::erase_if(parts_, [](const auto& entry) { return entry.second.count == 0; });
        for (const std::string* part : {&where.address, &where.network}) {
            unsigned& good = parts_[*part].good;
            good = std::min(good + 1, most_);
        }
    }
    void bad(const Where& where) {
        for (const std::string* part : {&where.address, &where.network})
            if (auto found = parts_.find(*part); found != parts_.end()) found->second.good /= 2;
    }
    unsigned count() const { return count_; }

private:
    struct Part {
        unsigned count = 0, good = 0;
    };
    static constexpr std::size_t parts_max = 10'000;

    bool below(const std::string& part, unsigned first) const {
        auto found = parts_.find(part);
        return found == parts_.end() || found->second.count < first + found->second.good;
    }

    unsigned most_ = 1, address_ = 1, network_ = 1, count_ = 0;
    std::map<std::string, Part> parts_;  // addresses and networks
};

}  // namespace postern::relay
