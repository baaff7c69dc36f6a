#include "sync/polling/askers.h"

#include "sync/back_ends.h"
#include "sync/base/ascii.h"
#include "sync/directory/address_list.h"
#include "sync/directory/learned.h"
#include "sync/directory/snapshot.h"

namespace postern::sync {

namespace {

/// What fits a directory fits a question.
bool askable(std::string_view local_part) {
    return AddressList().add(Kind::user, local_part) && local_part.find('@') == local_part.npos;
}

std::string without_folder(std::string local_part) {
    if (const auto plus = local_part.find('+'); plus != local_part.npos && plus > 0) local_part.resize(plus);
    return local_part;
}

/// When it was asked about last; epoch: it was not.
Time asked_at(const Snapshot& current, std::string_view local_part, std::string_view domain) {
    if (!current.owner(domain).primary.empty()) return current.find(local_part, domain).asked;
    const Learned* learned = current.learned().get();
    const Answer* answer = learned != nullptr ? learned->find(local_part, domain) : nullptr;
    return answer != nullptr ? answer->asked : Time{};
}

}  // namespace

void Askers::keep(const std::vector<PrimarySettings>& settings) {
    ByName askers, old;
    several_ = settings.size() > 1;
    std::unique_lock lock(mutex_);
    for (const PrimarySettings& primary : settings) {
        const auto found = askers_.find(primary.name);
        const bool same = found != askers_.end() && found->second.first == primary;
        askers[primary.name] = {primary, same ? found->second.second : make(primary)};
    }
    old = std::exchange(askers_, std::move(askers));
    lock.unlock();  // before those that are not kept any more end, and tell who waits
}

std::shared_ptr<Asker> Askers::make(PrimarySettings settings) {
    settings.gap = {};
    settings.patience = Asker::patience;
    return std::make_shared<Asker>(
        [this, settings](std::stop_token stop) { return connect_(settings, std::move(stop)); },
        [this](Answer answer) {
            // That one primary has no such address says nothing about the others' domains.
            if (!answer.kind && several_ && publication_.snapshot()->owner(answer.domain).primary.empty())
                return;
            publication_.learn(std::move(answer));
        },
        clock_);
}

void Askers::heard(const std::vector<PrimaryReport>& primaries) {
    const std::lock_guard lock(mutex_);
    for (const PrimaryReport& primary : primaries)
        if (const auto asker = askers_.find(primary.name); asker != askers_.end())
            asker->second.second->heard(primary.refused_since != Time{},
                                        primary.polled_by.empty() ? primary.last_success : Time{});
}

/// Nobody where the answer is known. About a domain that is in no list yet all are asked: whose it is, is
/// asked too.
std::vector<std::shared_ptr<Asker>> Askers::whom_to_ask(std::string_view local_part, std::string_view domain,
                                                        const Snapshot& current) {
    const Time now = clock_.wall(), asked = asked_at(current, local_part, domain);
    const Snapshot::Owner owner = current.owner(domain);
    const bool unlisted = owner.primary.empty();
    const bool said_just_now = asked != Time{} && now - asked < absence_lasts;
    std::vector<std::shared_ptr<Asker>> askers;
    if (said_just_now || !(owner.enabled || unlisted)) return askers;
    if (current.address(local_part, domain, now).standing == Standing::good) return askers;
    const std::lock_guard lock(mutex_);
    for (const auto& [name, asker] : askers_)
        if (unlisted || name == owner.primary) askers.push_back(asker.second);
    return askers;
}

void Askers::ask(std::string local_part, std::string domain, const std::function<void(bool)>& done) {
    domain = base::lower(domain);
    const auto current = publication_.snapshot();
    const auto askers = whom_to_ask(local_part, domain, *current);
    local_part = base::lower(without_folder(std::move(local_part)));
    if (askers.empty() || !askable(local_part)) return done(true);
    const Snapshot::Owner owner = current->owner(domain);
    const bool unlisted = owner.primary.empty();
    Question question{std::move(local_part), unlisted ? domain : std::string(owner.domain),
                      unlisted ? domain : std::string(owner.spelling), unlisted};
    struct Open {
        explicit Open(std::size_t count) : askers(count) {}
        std::atomic<std::size_t> askers;
        std::atomic<bool> answered{true};  // by all
    };
    const auto open = std::make_shared<Open>(askers.size());
    for (const auto& asker : askers)
        asker->ask(question, [open, done](bool answered) {
            if (!answered) open->answered = false;
            if (--open->askers == 0) done(open->answered);
        });
}

void Askers::refresh(std::string_view local_part, std::string_view domain) {
    const auto current = publication_.snapshot();
    const Snapshot::Owner owner = current->owner(domain);
    const Snapshot::Entry entry = current->find(local_part, domain);
    if (entry.asked == Time{} || clock_.wall() - entry.asked < presence_lasts) return;
    std::unique_lock lock(mutex_);
    const auto found = askers_.find(owner.primary);
    if (found == askers_.end() || back_end(found->second.first).lists) return;
    const auto asker = found->second.second;
    lock.unlock();
    asker->ask({std::string(entry.local_part), std::string(owner.domain), std::string(owner.spelling)},
               [](bool) {});
}

}  // namespace postern::sync
