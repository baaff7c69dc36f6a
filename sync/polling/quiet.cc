#include "sync/polling/quiet.h"

#include <algorithm>

namespace postern::sync {

namespace {

constexpr std::chrono::seconds after_failure(5), after_refusal = std::chrono::hours(1);
constexpr std::chrono::seconds longest = std::chrono::minutes(10);  // whatever Retry-After says

}  // namespace

void Quiet::failed(const Failure& failure, base::Moment now, Time wall) {
    if (!failure.ends_round() || failure.fault == Fault::interrupted) return;
    std::chrono::seconds quiet = after_failure;
    if (failure.retry_after) quiet = std::clamp(*failure.retry_after, quiet, longest);
    if (failure.fault == Fault::credentials) {
        quiet = after_refusal;
        refused_at_ = wall;
    }
    until_ = now + quiet;
}

void Quiet::heard(bool refused, Time last_success) {
    refused_ = refused;
    if (refused_at_ != Time{} && last_success > refused_at_) {
        refused_at_ = {};
        until_ = {};
    }
}

}  // namespace postern::sync
