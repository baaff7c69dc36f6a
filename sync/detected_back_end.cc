#include "sync/detected_back_end.h"

#include <utility>

#include "sync/base/encoding.h"
#include "sync/primary/http.h"
#include "sync/rest/rest.h"
#include "sync/soap/soap.h"

namespace postern::sync {

namespace {

constexpr auto choose_at_most_every = std::chrono::minutes(10);
constexpr std::size_t largest_memory = 4096;

std::filesystem::path file_in(const base::StateFolder& memory, const std::string& name) {
    return memory.path / ("generation-" + base::percent_encoded(name, "@"));
}

/// True when the answer, if there was one, is not of the generation that was asked.
bool foreign(const Failure& failure) {
    if (failure.trouble == Trouble::compressed) return false;
    return failure.fault == Fault::unreadable || failure.fault == Fault::refused;
}

}  // namespace

DetectedBackEnd::DetectedBackEnd(PrimarySettings settings, std::string client_id,
                                 const base::StateFolder& memory, const base::Clock& clock,
                                 std::stop_token stop)
    : settings_(std::move(settings)),
      client_id_(std::move(client_id)),
      disk_(memory.disk),
      file_(file_in(memory, settings_.name)),
      clock_(clock),
      stop_(std::move(stop)),
      api_(remembered()) {
    if (api_ == Api::soap) {
        primary_ = std::make_unique<Soap>(settings_, clock_, stop_);
    } else {
        primary_ = std::make_unique<Rest>(settings_, client_id_, clock_, stop_);
    }
}

/// What cannot be read is chosen anew, as after a change of the url: that costs a few requests.
DetectedBackEnd::Api DetectedBackEnd::remembered() const {
    if (disk_ == nullptr) return Api::none;
    const auto text = base::read_file(*disk_, file_, largest_memory);
    if (text == "soap " + settings_.url + '\n') return Api::soap;
    if (text == "rest " + settings_.url + '\n') return Api::rest;
    return Api::none;
}

/// Forgetting it costs a few requests after the next start, so a failure changes nothing.
void DetectedBackEnd::remember() const {
    if (disk_ == nullptr) return;
    [[maybe_unused]] const auto ignored =
        base::replace_file(*disk_, file_, (api_ == Api::soap ? "soap " : "rest ") + settings_.url + '\n');
}

void DetectedBackEnd::take(Api api, std::unique_ptr<Primary> primary) {
    std::swap(primary_, primary);
    spent_ += primary->requests();
    primary_->hurry(hurry_);
    if (std::exchange(api_, api) != api) remember();
}

Result<void> DetectedBackEnd::choose() {
    auto rest = std::make_unique<Rest>(settings_, client_id_, clock_, stop_);
    Result<void> session = rest->sign_in();
    if (session || session.error().fault == Fault::credentials) {
        take(Api::rest, std::move(rest));
        return session;
    }
    spent_ += rest->requests();
    if (!foreign(session.error())) return session;
    auto soap = std::make_unique<Soap>(settings_, clock_, stop_);
    Result<void> described = soap->probe();
    if (described) {
        take(Api::soap, std::move(soap));
        return {};
    }
    spent_ += soap->requests();
    if (!foreign(described.error())) return described;
    if (session.error().trouble == Trouble::redirected) return session;
    return tl::make_unexpected(Failure{Fault::unreadable,
                                       "neither generation of the web services answers at this url; REST: " +
                                           session.error().words + "; SOAP: " + described.error().words,
                                       {},
                                       Trouble::not_web_service});
}

Result<void> DetectedBackEnd::sign_in() { return api_ == Api::none ? choose() : primary_->sign_in(); }

Result<std::vector<ListedDomain>> DetectedBackEnd::domains() {
    if (api_ == Api::none)
        if (const Result<void> chosen = choose(); !chosen) return tl::make_unexpected(chosen.error());
    auto listed = primary_->domains();
    if (listed || !foreign(listed.error()) || clock_.now() < choose_again_) return listed;
    choose_again_ = clock_.now() + choose_at_most_every;
    const Api before = api_;
    if (const Result<void> chosen = choose(); !chosen || api_ == before) return listed;
    return primary_->domains();
}

Result<DomainReading> DetectedBackEnd::read(const DomainRecord& known) { return primary_->read(known); }

Result<std::optional<Kind>> DetectedBackEnd::look_up(const std::string& local_part, const std::string& domain,
                                                     base::Moment until) {
    return sign_in().and_then([&] { return primary_->look_up(local_part, domain, until); });
}

void DetectedBackEnd::hurry(bool on) {
    hurry_ = on;
    primary_->hurry(on);
}

void DetectedBackEnd::pause_between(std::chrono::milliseconds gap) {
    settings_.gap = gap;  // for those that are tried later
    primary_->pause_between(gap);
}

std::uint64_t DetectedBackEnd::requests() const { return spent_ + primary_->requests(); }

}  // namespace postern::sync
