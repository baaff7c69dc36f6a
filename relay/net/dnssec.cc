#include "relay/net/dnssec.h"

#include <asio/co_spawn.hpp>

#include "relay/net/anchors.h"

namespace postern::relay::net {

namespace {

using namespace std::chrono_literals;
using Found = RootKeys::Found;

constexpr std::chrono::minutes look_every{5};
/// Between looks because of answers that do not validate: many a zone is broken by itself.
constexpr std::chrono::seconds pause_when_well{60}, pause_in_trouble{5};

std::string names_of(const DnsSettings& settings) {
    if (settings.servers.empty()) return "the name servers of the root, or what answers for them";
    std::string out = settings.servers.size() == 1 ? "the resolver" : "the resolvers";
    for (const auto& server : settings.servers) out += ' ' + server;
    return out;
}

bool ask_the_same(const DnsSettings& a, const DnsSettings& b) {
    return a.servers == b.servers && a.stub == b.stub && a.trust_anchors == b.trust_anchors;
}

}  // namespace

bool anchors_the_root(const DnsSettings& settings) {
    const auto anchored = anchored_zones_of(settings.trust_anchors);
    return anchored && anchored->contains("");
}

DnsSettings unvalidated(DnsSettings settings) {
    settings.trust_anchors.clear();
    return settings;
}

awaitable<RootKeys> find_root_keys(std::shared_ptr<Questions> questions, DnsSettings settings) {
    std::string root = ".", asker;
    const DnsAnswer proven = co_await questions->ask(asker, root, RecordType::dnskey);
    if (proven.secure) co_return RootKeys{Found::valid, {}};
    questions->reload(unvalidated(std::move(settings)));
    const DnsAnswer plain = co_await questions->ask(asker, root, RecordType::dnskey);
    if (plain.status == Lookup::transient) {
        if (plain.silent) co_return RootKeys{Found::unanswered, plain.why};
        const DnsAnswer other = co_await questions->ask(asker, root, RecordType::ns);
        const bool works = other.status != Lookup::transient;
        co_return RootKeys{works ? Found::withheld : Found::unanswered, plain.why};
    }
    if (plain.has_signatures) co_return RootKeys{Found::broken, proven.why};
    co_return RootKeys{Found::stripped, proven.why};
}

Dnssec::Dnssec(const DnsSettings& settings, bool proven) : settings_(settings), proven_(proven) {}

void Dnssec::reload(const DnsSettings& settings) {
    if (ask_the_same(settings, settings_))
        settings_ = settings;
    else
        *this = Dnssec(settings, false);
}

void Dnssec::learn(const RootKeys& keys, bool suspected) {
    if (keys.found == Found::unanswered && passed_over()) return;  // no news
    found_ = keys.found;
    reason_.clear();
    advice_.clear();
    const std::string names = names_of(settings_);
    const bool waits = !waived();
    switch (keys.found) {
        case Found::valid: proven_ = true; return;
        case Found::withheld:
        case Found::stripped:
            reason_ =
                std::string(keys.found == Found::stripped ? "no DNSSEC signatures come "
                                                          : "the DNSSEC keys of the root do not come ") +
                (proven_ ? "any more " : "") + "from " + names;
            if (keys.found == Found::withheld)
                reason_ += ", which answers other questions (" + keys.why + ')';
            advice_ =
                waits ? "they did before with the same settings, and whoever forges answers would leave "
                        "them out too. Set dns.servers to a resolver that passes them on; if this one "
                        "never will again, set dns.trust_anchors = \"\" to go without, and without DANE"
                      : "set dns.servers to a resolver that passes them on, or dns.trust_anchors = \"\" "
                        "to have it so for good; from the first time that validation works it is demanded";
            break;
        case Found::broken:
            reason_ = "no answer of the name servers can be validated (" + keys.why + ")";
            advice_ =
                "see that the clock is right and dns.trust_anchors up to date, or set dns.servers to "
                "another resolver";
            break;
        case Found::unanswered:
            if (!suspected) return;
            reason_ = "no answer can be validated, and the DNSSEC keys of the root cannot be had from " +
                      names + " (" + keys.why + ")";
            advice_ =
                "set dns.servers to a resolver that passes DNSSEC on, or dns.trust_anchors = \"\" to go "
                "without, and without DANE";
            break;
    }
    effect_ =
        reason_ + (waits ? ", so mail waits" : ", so answers are believed as they come and DANE is off");
}

std::string Dnssec::trouble() const { return reason_.empty() ? std::string() : effect_ + ": " + advice_; }

DnssecWatch::DnssecWatch(io_context& io, const base::Clock& clock, Outside& outside,
                         std::shared_ptr<Questions> questions, const DnsSettings& settings)
    : io_(io),
      clock_(clock),
      outside_(outside),
      questions_(std::move(questions)),
      rooted_(anchors_the_root(settings)),
      dnssec_(settings, false),
      timer_(io, clock) {}

void DnssecWatch::start(bool proven, Told told) {
    dnssec_ = Dnssec(dnssec_.settings(), proven);
    told_ = std::move(told);
    questions_->suspect_with([weak = weak_from_this()] {
        auto self = weak.lock();
        return self && self->suspect();
    });
    look();
}

/// An answer does not validate. True: it waits for what is found.
bool DnssecWatch::suspect() {
    if (!rooted_) return false;
    suspected_ = true;
    const auto pause = dnssec_.well() ? pause_when_well : pause_in_trouble;
    if (!looking_ && looked_ + pause < clock_.now()) look();
    return looking_ != nullptr;
}

/// With caches of its own, in which nothing is left of before.
void DnssecWatch::look() {
    if (!rooted_ || looking_ || !told_) return;
    wait();
    try {
        looking_ = std::make_shared<Questions>(io_, clock_, outside_, dnssec_.settings());
    } catch (const std::exception&) {
        return;  // no descriptors, no memory: later
    }
    asio::co_spawn(io_, find_root_keys(looking_, dnssec_.settings()),
                   [weak = weak_from_this(), by = std::weak_ptr<Questions>(looking_)](
                       const std::exception_ptr& fault, const RootKeys& keys) {
                       auto self = weak.lock();
                       if (!self || by.lock() != self->looking_) return;
                       self->found(fault ? RootKeys{Found::unanswered, "it could not be asked"} : keys);
                   });
}

void DnssecWatch::found(const RootKeys& keys) {
    std::exchange(looking_, nullptr)->close();
    const bool suspected = std::exchange(suspected_, false);
    if (suspected) looked_ = clock_.now();
    Dnssec now = dnssec_;
    now.learn(keys, suspected);
    if (now.waived() != dnssec_.waived()) try {
            questions_->reload(now.waived() ? unvalidated(now.settings()) : now.settings());
        } catch (const std::exception&) {
            return questions_->proceed(dnssec_.reason());
        }
    questions_->proceed(now.reason());
    if (now.well()) timer_.cancel();
    if (now == dnssec_) return;
    dnssec_ = std::move(now);
    told_();
}

void DnssecWatch::wait() {
    timer_.expires_after(look_every);
    timer_.async_wait([weak = weak_from_this()](std::error_code error) {
        auto self = weak.lock();
        if (!error && self) self->look();
    });
}

void DnssecWatch::reload(const DnsSettings& settings) {
    const bool same = ask_the_same(settings, dnssec_.settings()), rooted = anchors_the_root(settings);
    questions_->reload(same && dnssec_.waived() ? unvalidated(settings) : settings);
    dnssec_.reload(settings);
    if (same) return;
    questions_->proceed({});
    rooted_ = rooted;
    looked_ = {};
    if (looking_) std::exchange(looking_, nullptr)->close();
    timer_.cancel();
    look();
}

void DnssecWatch::close() {
    timer_.cancel();
    if (looking_) std::exchange(looking_, nullptr)->close();
}

}  // namespace postern::relay::net
