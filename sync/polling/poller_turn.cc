// What the poller does and leaves because there are other gateways.
#include <algorithm>

#include "sync/directory/cache.h"
#include "sync/polling/adoption.h"
#include "sync/polling/poller.h"
#include "sync/primary/words.h"

namespace postern::sync {

void Poller::take_turn(const Turn& turn) {
    const bool followed = follows();
    turn_ = turn;
    for (Source& source : sources_) {
        source.pace = pace_of(source.settings, turn_);
        source.schedule.set_pause(source.pace.poll_every);
        if (follows()) {
            source.round.reset();
            source.schedule.leave();
        } else if (followed) {
            resume(source);
        }
    }
}

/// By the clock on the wall, as another gateway may have read it.
void Poller::resume(Source& source) {
    const Time read = source.report.last_success;
    source.schedule.resume(clock_.now(), read == Time{} ? std::nullopt : std::optional(clock_.wall() - read),
                           chance());
}

const PrimaryRecord* Poller::just_read() const {
    if (!synced_) return nullptr;
    const auto found = std::find_if(directory_.begin(), directory_.end(),
                                    [&](const auto& record) { return record.name == synced_->primary; });
    return found == directory_.end() ? nullptr : &*found;
}

std::vector<const PrimaryRecord*> Poller::read_whole() const {
    std::vector<const PrimaryRecord*> records;
    for (std::size_t i = 0; i < sources_.size(); ++i)
        if (sources_[i].whole != Time{}) records.push_back(&directory_[i]);
    return records;
}

bool Poller::adopt(std::string_view octets) {
    auto handed = decode(octets);
    if (!handed) {
        observer_.on(event::NotAdopted{{}, handed.error()});
        return false;
    }
    bool any = false;
    for (PrimaryRecord& theirs : *handed) {
        const auto source = std::find_if(sources_.begin(), sources_.end(),
                                         [&](const Source& one) { return one.settings.name == theirs.name; });
        if (source != sources_.end())
            any |= adopt(*source, directory_[static_cast<std::size_t>(source - sources_.begin())],
                         std::move(theirs));
        else
            observer_.on(
                event::NotAdopted{{}, "no primary has the name \"" + one_line(theirs.name) + "\" here"});
    }
    return any;
}

/// Than what was read whole, or is being read: what a round that was given up has left is part old, part new.
/// What came from the cache may have been saved before its round had ended.
bool Poller::newer(const Source& source, const PrimaryRecord& record, Time listed) const {
    const Time ours = source.round ? std::max(source.whole, record.listed) : source.whole;
    if (ours > clock_.wall() + most_ahead) return true;  // the clock was wrong then
    return listed > ours || (listed == ours && source.report.last_success == Time{});
}

bool Poller::adopt(Source& source, PrimaryRecord& record, PrimaryRecord theirs) {
    const Time listed = theirs.listed;
    if (!newer(source, record, listed)) return false;
    if (const std::string why = objection_to(theirs, record.lists, clock_.wall()); !why.empty()) {
        observer_.on(event::NotAdopted{source.settings.name, why});
        return false;
    }
    for (auto& [name, domain] : theirs.domains) domain.error = one_line(domain.error);
    theirs.trust_for = record.trust_for;
    theirs.own = std::move(record.own);
    record = std::move(theirs);
    if (!record.lists) name_domains(record, clock_.wall());
    source.round.reset();
    source.whole = source.report.last_success = listed;
    source.report.reachable = true;
    source.report.error.clear();
    source.report.unusable.clear();
    // A refusal counts for as long as it is not tried again, lest single questions try it instead.
    if (!source.schedule.in_vain(clock_.now())) source.report.refused_since = {};
    resume(source);
    return true;
}

}  // namespace postern::sync
