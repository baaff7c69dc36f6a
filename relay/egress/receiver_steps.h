// How far an address that warms up has come with each receiver: further by days on which the receiver took
// its mail, back by days on which it put it off.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "relay/mail/message.h"

namespace postern::relay {

struct ReceiverStep {
    unsigned step = 0;                     // of the plan, at the beginning of `day`
    std::int64_t day = 0;                  // UTC, since 1970
    std::uint32_t taken = 0, put_off = 0;  // messages on that day

    bool operator==(const ReceiverStep&) const = default;
};

/// A value; receivers are named as sites are. Of very many the ones that were met longest ago are forgotten.
class ReceiverSteps {
public:
    static constexpr std::size_t most = 10'000;
    using Key = std::pair<std::string, std::string>;  // address, site

    void took(const std::string& address, std::string_view site, Time now);
    /// The receiver wants less of the address, or doubts its mail: not that of somebody else, or one mailbox.
    void put_off(const std::string& address, std::string_view site, Time now);

    /// The step of the plan that holds today.
    unsigned step(const std::string& address, std::string_view site, Time now) const;
    /// It put off so much today that no more should be sent to it from the address.
    bool held_back(const std::string& address, std::string_view site, Time now) const;
    std::uint64_t taken_today(const std::string& address, std::string_view site, Time now) const;
    std::vector<std::string> holding_back(const std::string& address, Time now) const;  // sites

    /// Those that do not warm up any more need none.
    void forget(const std::string& address);
    /// What another gateway has of it, where that is later, or more.
    void learn(const Key& key, const ReceiverStep& theirs, Time now);
    void load(std::map<Key, ReceiverStep> steps) { steps_ = std::move(steps); }
    const std::map<Key, ReceiverStep>& all() const { return steps_; }

private:
    ReceiverStep today(const std::string& address, std::string_view site, Time now) const;
    ReceiverStep& of_today(const std::string& address, std::string_view site, Time now);

    std::map<Key, ReceiverStep> steps_;
};

}  // namespace postern::relay
