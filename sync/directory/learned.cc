#include "sync/directory/learned.h"

#include <algorithm>

#include "sync/directory/fold.h"
#include "sync/limits.h"

namespace postern::sync {

namespace {

std::uint32_t hash(std::string_view local_part, std::string_view domain) {
    return fold::hash(local_part, fold::hash(domain, 0));
}

}  // namespace

Learned::Learned(std::vector<Answer> answers) : answers_(std::move(answers)) {
    if (answers_.size() > limits::learned) {
        std::stable_sort(answers_.begin(), answers_.end(),
                         [](const Answer& a, const Answer& b) { return a.asked > b.asked; });
        answers_.resize(limits::learned);
    }
    for (const Answer& answer : answers_)
        places_.push_back(
            {hash(answer.local_part, answer.domain), static_cast<std::uint32_t>(places_.size())});
    std::sort(places_.begin(), places_.end(), [](Place a, Place b) { return a.hash < b.hash; });
}

const Answer* Learned::find(std::string_view local_part, std::string_view domain) const {
    const std::uint32_t wanted = hash(local_part, domain);
    auto at = std::lower_bound(places_.begin(), places_.end(), wanted,
                               [](Place place, std::uint32_t value) { return place.hash < value; });
    for (; at != places_.end() && at->hash == wanted; ++at) {
        const Answer& answer = answers_[at->index];
        if (fold::same(local_part, answer.local_part) && fold::same(domain, answer.domain)) return &answer;
    }
    return nullptr;
}

}  // namespace postern::sync
