#include "sync/polling/pace.h"

#include <algorithm>

namespace postern::sync {

namespace {

constexpr unsigned most_gateways = 64;  // whatever the others say
constexpr int readings_while_trusted = 4;

}  // namespace

Pace pace_of(const PrimarySettings& settings, const Turn& turn) {
    Pace pace{settings.poll_every, settings.gap};
    if (turn.whose != Turn::Whose::unknown) return pace;
    const auto times = static_cast<int>(std::clamp(turn.gateways, 1u, most_gateways));
    const auto longest = std::max(settings.poll_every, settings.trust_for / readings_while_trusted);
    pace.poll_every = std::min(settings.poll_every * times, longest);
    pace.gap *= times;
    return pace;
}

}  // namespace postern::sync
