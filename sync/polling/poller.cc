#include "sync/polling/poller.h"

#include <algorithm>

#include "sync/back_ends.h"
#include "sync/base/clock.h"
#include "sync/limits.h"
#include "sync/polling/merge.h"

namespace postern::sync {

namespace {

constexpr unsigned most_barren = 3;
constexpr std::uint64_t brisk_requests = 120;  // of a round; those that follow take twice the gap each
constexpr std::size_t most_told = 20;          // domains with unusable names, in a round

/// So much that a round of unchanged domains takes about half of the time until the next one.
RoundScope scope_of(const Pace& pace, bool all, const Hold& hold) {
    constexpr int usual_requests = 8;  // for one domain
    if (pace.gap.count() == 0) return {all, static_cast<std::size_t>(-1), hold};
    const auto domains = std::chrono::milliseconds(pace.poll_every) / (2 * pace.gap * usual_requests);
    return {all, static_cast<std::size_t>(std::max<std::chrono::milliseconds::rep>(domains, 1)), hold};
}

std::size_t octets(const DomainReading& reading) {
    std::size_t sum = reading.domain_aliases ? sync::octets(*reading.domain_aliases) : 0;
    for (const auto* part : {&reading.users, &reading.aliases, &reading.lists, &reading.resources})
        if (*part) sum += sync::octets(**part);
    return sum;
}

FileState state_of(const std::filesystem::path& file) {
    std::error_code missing;
    FileState state;
    state.modified = std::filesystem::last_write_time(file, missing);
    state.size = std::filesystem::file_size(file, missing);
    return missing ? FileState{} : state;
}

/// Takes those out that can be no domain of mail; gives them in words, "" when there are none.
std::string take_unusable(std::vector<ListedDomain>& listed) {
    Unfit unfit;
    std::erase_if(listed, [&](const ListedDomain& domain) {
        if (domain.name.empty()) unfit.note(domain.spelling);
        return domain.name.empty();
    });
    return unfit.words("domains");
}

}  // namespace

Poller::Poller(std::vector<PrimarySettings> settings, Directory known, Observer& observer,
               const base::Clock& clock, Connect connect, std::function<void()> answered)
    : directory_(std::move(known)),
      observer_(observer),
      clock_(clock),
      connect_(std::move(connect)),
      answered_(std::move(answered)) {
    reload(std::move(settings));
}

Poller::Source Poller::make_source(PrimarySettings settings) {
    Source source;
    source.primary = std::make_unique<Correspondent>(
        [&](std::stop_token stop) { return connect_(settings, std::move(stop)); }, clock_, answered_);
    source.pace = pace_of(settings, turn_);
    source.schedule = Schedule(clock_.now(), source.pace.poll_every);
    source.report.name = settings.name;
    source.report.url = settings.url;
    source.settings = std::move(settings);
    return source;
}

void Poller::reload(std::vector<PrimarySettings> settings) {
    synced_.reset();  // it refers to a source
    std::vector<Source> sources;
    std::vector<std::optional<std::size_t>> kept(settings.size());  // which source goes on
    for (std::size_t i = 0; i < settings.size(); ++i) {
        for (std::size_t old = 0; old < sources_.size(); ++old)
            if (sources_[old].settings == settings[i]) kept[i] = old;
        sources.push_back(kept[i] ? Source{}
                                  : make_source(settings[i]));  // may throw: nothing is changed yet
    }
    Directory directory;
    for (std::size_t i = 0; i < settings.size(); ++i) {
        if (kept[i]) sources[i] = std::move(sources_[*kept[i]]);
        const auto record =
            std::find_if(directory_.begin(), directory_.end(),
                         [&](const PrimaryRecord& other) { return other.name == settings[i].name; });
        directory.push_back(record == directory_.end() ? PrimaryRecord{settings[i].name}
                                                       : std::move(*record));
        directory.back().trust_for = settings[i].trust_for;
        directory.back().own = settings[i].own;
        std::sort(directory.back().own.begin(), directory.back().own.end());
        const bool listed = std::exchange(directory.back().lists, back_end(settings[i]).lists);
        if (!kept[i] && listed && directory.back().lists) sources[i].whole = directory.back().listed;
        if (!directory.back().lists) name_domains(directory.back(), clock_.wall());
    }
    sources_ = std::move(sources);
    directory_ = std::move(directory);
}

void Poller::prefer(std::set<std::string, std::less<>> domains) {
    if (preferred_.size() + domains.size() > limits::preferred) preferred_.clear();
    preferred_.merge(std::move(domains));
}

void Poller::poll_now() {
    if (follows()) return;
    for (Source& source : sources_)
        if (!source.round) source.schedule.request(clock_.now());
}

base::Moment Poller::next_due() const {
    base::Moment next = clock_.now() + std::chrono::hours(1);
    for (const Source& source : sources_)
        if (!follows() && !source.primary->waiting()) next = std::min(next, source.schedule.due());
    return next;
}

void Poller::interrupt() {
    for (Source& source : sources_) source.primary->interrupt();
}

Time Poller::due_time(const Source& source) const {
    return clock_.wall() + std::chrono::duration_cast<Time::duration>(source.schedule.due() - clock_.now());
}

void Poller::accept_suspicions() {
    if (follows()) return;
    for (std::size_t i = 0; i < sources_.size(); ++i)
        if (confirm(directory_[i]) && sources_[i].round) sources_[i].schedule.request_follow_up();
    poll_now();
}

void Poller::announce() {
    if (synced_) observer_.on(*std::exchange(synced_, std::nullopt));
}

std::vector<PrimaryReport> Poller::report() const {
    std::vector<PrimaryReport> reports;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
        const Source& source = sources_[i];
        PrimaryReport report = source.report;
        const PrimaryRecord& record = directory_[i];
        report.trusted_until = record.listed == Time{} ? Time{} : record.listed + record.trust_for;
        report.lists = record.lists;
        report.suspicion = record.suspicion ? record.suspicion : record.disabling;
        report.polling = source.round.has_value();
        if (follows()) {
            report.polled_by = turn_.name.empty() ? "unnamed" : turn_.name;
            report.reachable = true;  // who asks nothing has nothing to say against it
        } else {
            report.next_round = due_time(source);
        }
        report.requests = source.primary->requests();
        reports.push_back(std::move(report));
    }
    return reports;
}

Poller::Step Poller::step() {
    if (const Step step = take_answer(); step != Step::nothing || follows()) return step;
    Source* next = nullptr;
    for (Source& source : sources_)
        if (!source.primary->waiting() && (next == nullptr || source.schedule.due() < next->schedule.due()))
            next = &source;
    if (next == nullptr || next->schedule.due() > clock_.now()) return Step::nothing;
    if (next->round)
        ask_about_domain(*next, directory_[static_cast<std::size_t>(next - sources_.data())]);
    else
        ask_for_domains(*next, directory_[static_cast<std::size_t>(next - sources_.data())]);
    return take_answer();
}

Poller::Step Poller::take_answer() {
    for (std::size_t i = 0; i < sources_.size(); ++i) {
        auto answer = sources_[i].primary->take();
        if (!answer || !sources_[i].round) continue;  // the round may have been given up meanwhile
        try {
            if (auto* listed = std::get_if<Correspondent::Listing>(&answer->content))
                return domains_listed(sources_[i], directory_[i], std::move(*listed));
            auto reading = std::get<Correspondent::Reading>(std::move(answer->content));
            return domain_read(sources_[i], directory_[i], std::move(reading), *answer);
        } catch (const std::exception& error) {  // out of memory
            return fail(sources_[i], {Fault::unreadable, error.what(), {}}, {});
        }
    }
    return Step::nothing;
}

void Poller::ask_for_domains(Source& source, PrimaryRecord& record) {
    const FileState password = state_of(source.settings.password_file);
    if (source.schedule.in_vain(clock_.now()) && password == source.password_state)
        return source.schedule.put_off(clock_.now());
    if (!record.lists) name_domains(record, clock_.wall());  // they do not grow old
    source.password_state = password;  // as it was before it is used, so that no change is missed
    source.round = Round{};
    source.round->started = clock_.now();
    source.round->requests = source.primary->requests();
    source.round->all = source.schedule.begin();
    source.primary->list(source.pace.gap);
}

Poller::Step Poller::domains_listed(Source& source, PrimaryRecord& record, Correspondent::Listing listed) {
    if (!listed) return fail(source, listed.error(), {});
    source.report.reachable = true;
    source.report.refused_since = {};
    source.schedule.accepted();
    tell_unusable_domains(source, take_unusable(*listed));
    std::vector<Loss> losses;
    source.round->queue =
        merge(record, std::move(*listed), clock_.wall(), losses,
              scope_of(source.pace, source.round->all, {clock_.steady(), source.settings.sudden_loss_hold}));
    std::stable_partition(source.round->queue.begin(), source.round->queue.end(),
                          [this](const std::string& name) { return preferred_.contains(name); });
    for (const std::string& name : source.round->queue) preferred_.erase(name);
    tell(source, {}, losses);
    source.octets = 0;
    for (const auto& [name, domain] : record.domains) source.octets += octets(domain);
    if (source.round->queue.empty()) return end_round(source, record);
    source.schedule.go_on(clock_.now());
    return Step::progress;
}

void Poller::ask_about_domain(Source& source, PrimaryRecord& record) {
    Round& round = *source.round;
    round.reading = round.queue[round.next++];
    const DomainRecord& domain = record.domains.at(round.reading);
    round.began = clock_.wall();
    round.first = domain.complete() == Time{} && domain.error.empty();
    source.primary->read(domain, round.first, source.pace.gap);
}

Poller::Step Poller::domain_read(Source& source, PrimaryRecord& record, Correspondent::Reading reading,
                                 const Correspondent::Answer& answer) {
    Round& round = *source.round;
    const std::string name = round.reading;
    DomainRecord& domain = record.domains.at(name);
    if (round.first)
        round.hurried += answer.took;
    else
        round.polite += answer.requests;
    if (!reading && reading.error().fault != Fault::interrupted) {
        domain.error = reading.error().words;
        domain.error_at = clock_.wall();
    }
    if (!reading) return fail(source, reading.error(), name);
    const Applied applied = take_over(source, domain, *reading);
    round.barren = applied.any ? 0 : round.barren + 1;
    round.unreadable += applied.errors.empty() ? 0 : 1;
    note(source, name, domain, applied.errors);
    tell(source, name, applied.losses);
    if (round.barren == most_barren)
        return fail(source, {Fault::unreadable, "nothing can be read any more: " + applied.errors, {}}, {});
    if (round.next == round.queue.size()) return end_round(source, record);
    const auto pace =
        2 * source.pace.gap * static_cast<int>(round.polite - std::min(round.polite, brisk_requests));
    source.schedule.go_on(std::max(clock_.now(), round.started + round.hurried + pace));
    return Step::progress;
}

/// Mail of such a domain will be refused: told once, not in every round.
void Poller::tell_unusable_domains(Source& source, std::string words) {
    if (!words.empty() && words != source.report.unusable)
        observer_.on(event::NamesUnusable{source.settings.name, {}, words});
    source.report.unusable = std::move(words);
}

/// Takes over what was read, unless the primary would have more names than are kept of one.
Applied Poller::take_over(Source& source, DomainRecord& domain, DomainReading& reading) {
    const std::size_t before = octets(domain);
    if (source.octets - before + octets(reading) > limits::octets) {
        const Failure failure{Fault::unreadable,
                              "the primary would have more names than are kept of one, " +
                                  std::to_string(limits::octets >> 20) + " MiB",
                              {},
                              Trouble::too_large};
        for (auto* part : {&reading.users, &reading.aliases, &reading.lists, &reading.resources})
            *part = tl::make_unexpected(failure);
        reading.domain_aliases = tl::make_unexpected(failure);
    }
    const std::string known = unusable(domain);
    Applied applied =
        apply(domain, reading, source.round->began, {clock_.steady(), source.settings.sudden_loss_hold});
    source.octets += octets(domain) - before;
    if (const std::string now = unusable(domain); !now.empty() && now != known)
        tell_unusable_names(source, now);
    return applied;
}

/// Once, not in every round; of very many domains a few.
void Poller::tell_unusable_names(Source& source, const std::string& names) {
    Round& round = *source.round;
    if (++round.told <= most_told)
        observer_.on(event::NamesUnusable{source.settings.name, round.reading, names});
}

void Poller::tell(const Source& source, std::string_view domain, const std::vector<Loss>& losses) {
    for (const auto& [what, suspicion, taken] : losses)
        observer_.on(event::SuddenLoss{source.settings.name, domain, what, suspicion.before, suspicion.now,
                                       suspicion.since, taken});
}

void Poller::note(Source& source, const std::string& domain, DomainRecord& record, std::string error) {
    if (!error.empty() && error != record.error)  // told once, not in every round
        observer_.on(event::SyncFailed{source.settings.name, domain, error, due_time(source)});
    record.error_at = error.empty() ? Time{} : clock_.wall();
    record.error = std::move(error);
}

Poller::Step Poller::end_round(Source& source, PrimaryRecord& record) {
    const Round round = *std::exchange(source.round, std::nullopt);
    std::vector<Loss> losses;
    settle(record, clock_.wall(), losses, {clock_.steady(), source.settings.sudden_loss_hold});
    tell(source, {}, losses);
    if (round.told > most_told)
        observer_.on(event::NamesUnusable{
            source.settings.name,
            {},
            "names in " + std::to_string(round.told - most_told) + " more domains; see postern directory"});
    source.schedule.succeeded(clock_.now(), chance());
    source.report.last_round = source.report.last_success = clock_.wall();
    source.whole = record.listed;
    source.report.error = round.unreadable == 0
                              ? ""
                              : std::to_string(round.unreadable) + " domains could not be read completely";
    std::size_t addresses = 0;
    for (const auto& [name, domain] : record.domains)
        for (const Part<AddressList>* part :
             {&domain.users, &domain.aliases, &domain.lists, &domain.resources})
            addresses += part->content.size();
    synced_ =
        event::Synced{source.settings.name,
                      record.domains.size(),
                      addresses,
                      round.unreadable,
                      source.primary->requests() - round.requests,
                      std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - round.started),
                      due_time(source)};
    return Step::round_ended;
}

Poller::Step Poller::fail(Source& source, const Failure& failure, std::string_view domain) {
    source.round.reset();
    if (failure.fault == Fault::interrupted) {
        source.schedule.interrupted(clock_.now());
        return Step::nothing;
    }
    source.report.reachable = failure.fault != Fault::unreachable;
    source.report.last_round = clock_.wall();
    source.report.error = failure.words;
    if (failure.fault == Fault::credentials) {
        if (source.report.refused_since == Time{}) source.report.refused_since = clock_.wall();
        source.schedule.rejected(clock_.now());
        const Time next = clock_.wall() + rejected_pause;
        observer_.on(event::CredentialsRefused{source.settings.name, failure.words, next, failure.trouble});
        return Step::round_ended;
    }
    source.schedule.failed(clock_.now(), failure.retry_after, chance());
    observer_.on(
        event::SyncFailed{source.settings.name, domain, failure.words, due_time(source), failure.trouble});
    return Step::round_ended;
}

}  // namespace postern::sync
