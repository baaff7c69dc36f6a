// An unusual volume from its beginning to its end.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "relay/volume/judgement.h"
#include "sync/base/clock.h"

namespace postern::relay {

/// A value. Times are steady ones.
struct Episode {
    static constexpr std::size_t most_samples = 5, sample_octets = 80;

    VolumeLevel level = VolumeLevel::noted;
    base::Time since, raised;                            // when it began, and was answered more strongly
    base::Time next;                                     // when the next message of a slowed sender may leave
    std::uint64_t recipients = 0, slowed = 0, held = 0;  // since; and messages
    UsualVolume usual;
    std::string why;
    std::vector<std::string> subjects;                           // of some messages
    std::vector<std::pair<base::Time, std::uint32_t>> withheld;  // recipients not learnt, by hours
};

/// An administrator said that it is all right.
struct Permission {
    base::Time until;
    VolumeUsed usual;  // as much is, until then
};

/// An administrator decided about one.
struct VolumeDecision {
    std::string who;
    base::Time at;          // steady time
    bool released = false;  // else dropped
};

/// What is told of an episode: its beginning, that it is answered more strongly, its end (usual).
struct VolumeChange {
    std::string who;
    VolumeLevel level = VolumeLevel::usual;
    bool monitored = false;  // it would be answered so
    std::string why;
};

struct EpisodeView {
    std::string who;
    VolumeLevel level = VolumeLevel::noted;
    bool monitored = false;
    base::Time since, next;
    std::uint64_t recipients = 0, slowed = 0, held = 0;
    UsualVolume usual;
    std::string why;
    std::vector<std::string> subjects;
};

}  // namespace postern::relay
