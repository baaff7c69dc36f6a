#include "sync/directory/publication.h"

#include <string>
#include <utility>

namespace postern::sync {

Publication::Publication(const Directory& directory, Publish publish, const base::Clock& clock)
    : publish_(std::move(publish)), clock_(clock), snapshot_(std::make_shared<const Snapshot>(directory)) {}

std::shared_ptr<const Snapshot> Publication::snapshot() const {
    const std::lock_guard lock(mutex_);
    return snapshot_;
}

std::vector<Answer> Publication::answers() const {
    const auto current = snapshot();
    return current->learned() ? current->learned()->answers() : std::vector<Answer>();
}

void Publication::put(std::shared_ptr<const Snapshot> snapshot) {
    {
        const std::lock_guard lock(mutex_);
        snapshot_ = snapshot;
    }
    if (publish_) publish_(std::move(snapshot));
}

void Publication::replace(const Directory& directory) {
    const Snapshot read(directory);  // takes long: not under the lock
    const std::lock_guard order(order_);
    std::vector<Answer> kept = answers();
    const Time now = clock_.wall();
    std::erase_if(kept, [&](const Answer& answer) {
        const Snapshot::Owner owner = read.owner(answer.domain);
        if (owner.primary.empty()) return now - answer.asked > (answer.kind ? newness_lasts : absence_lasts);
        return owner.domain != answer.domain || owner.read >= answer.asked;
    });
    put(std::make_shared<const Snapshot>(
        read, kept.empty() ? nullptr : std::make_shared<const Learned>(std::move(kept))));
}

void Publication::learn(Answer answer) {
    const std::lock_guard order(order_);
    std::vector<Answer> all = answers();
    std::erase_if(all, [&](const Answer& other) {
        const bool same = other.local_part == answer.local_part && other.domain == answer.domain;
        return same || !other.fresh(answer.asked);
    });
    all.push_back(std::move(answer));
    put(std::make_shared<const Snapshot>(*snapshot(), std::make_shared<const Learned>(std::move(all))));
}

bool Publication::forget(std::string_view local_part, std::string_view domain) {
    const std::lock_guard order(order_);
    const auto current = snapshot();
    const Snapshot::Entry entry = current->find(local_part, domain);
    if (entry.asked == Time{}) return false;
    std::vector<Answer> all = answers();
    std::erase_if(all, [&](const Answer& other) {
        return other.local_part == entry.local_part && other.domain == entry.domain;
    });
    put(std::make_shared<const Snapshot>(*current, std::make_shared<const Learned>(std::move(all))));
    return true;
}

}  // namespace postern::sync
