// What one gateway saw of senders, gathered until the others are told, and read where it is heard.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "relay/volume/judgement.h"
#include "sync/base/clock.h"
#include "sync/base/cluster.h"

namespace postern::relay {

inline constexpr std::string_view sent_fact = "volume.sent", answered_fact = "volume.answered",
                                  unusual_fact = "volume.unusual", history_fact = "volume.history";

/// Mail of one user that was accepted elsewhere.
struct SentElsewhere {
    std::string user;
    std::vector<std::uint64_t> recipients;  // Acquaintances::recipient()
    std::uint32_t announced = 0;            // of those, that were expected
    bool learnt = true;                     // its volume was usual
    std::chrono::milliseconds takes{0};     // of the time of a sender that is slowed down
};

/// What receivers answered about it.
struct AnsweredElsewhere {
    std::string user;
    std::uint32_t answered = 0, unknown = 0, spam = 0;
    std::string named_by;
};

/// What is done about one.
struct UnusualElsewhere {
    std::string user;
    VolumeLevel level = VolumeLevel::usual;
    std::string why;
    base::Time raised{};  // when it was found, on the wall
};

base::Fact fact_of(const SentElsewhere& sent);
base::Fact fact_of(const AnsweredElsewhere& answered);
base::Fact fact_of(const UnusualElsewhere& unusual);
// nullopt: it cannot be read.
std::optional<SentElsewhere> read_sent(std::string_view text);
std::optional<AnsweredElsewhere> read_answered(std::string_view text);
std::optional<UnusualElsewhere> read_unusual(std::string_view text);

/// A value. Of what cannot be told for very long the rest is not told at all.
class VolumeNews {
public:
    static constexpr std::size_t most_users = 20'000, most_recipients = 200'000;

    void sent(const std::string& user, std::span<const std::uint64_t> recipients, std::uint32_t announced,
              bool learnt, std::chrono::milliseconds takes);
    void answered(const std::string& user, ReceiverSays says, std::string named_by);
    void unusual(UnusualElsewhere what);

    /// Takes some of it, until there are so many octets: what is done about whom first.
    void take(std::vector<base::Fact>& out, std::size_t octets);
    std::uint64_t untold() const { return untold_; }  // recipients that never will be

private:
    std::unordered_map<std::string, SentElsewhere> usual_, unusual_sent_;  // learnt, and not
    std::unordered_map<std::string, AnsweredElsewhere> answered_;
    std::unordered_map<std::string, UnusualElsewhere> unusual_;
    std::size_t recipients_ = 0;
    std::uint64_t untold_ = 0;
};

}  // namespace postern::relay
