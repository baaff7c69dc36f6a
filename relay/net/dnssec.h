// Whether the name servers pass DNSSEC on, and what follows from it.
//
// A resolver may strip the DNSSEC records from its answers, as small routers do, or refuse to be asked for
// them. With the keys of the root given no answer validates then, and all mail would wait for ever. So where
// validation never worked with these settings it is done without, until it works; DANE is off meanwhile, and
// that is told. Once it worked it stays demanded as long as the settings are the same: otherwise whoever can
// forge answers could switch DANE off by stripping them himself.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "relay/net/asio.h"
#include "relay/net/questions.h"
#include "relay/settings.h"

namespace postern::relay::net {

/// What asking for the root's keys has come to.
struct RootKeys {
    enum class Found : std::uint8_t {
        valid,
        stripped,    // the name servers answer, without signatures: they do not pass DNSSEC on
        withheld,    // they answer other questions, and say that they cannot answer this one
        broken,      // signatures come, and do not validate
        unanswered,  // nobody knows
    };
    Found found = Found::unanswered;
    std::string why;  // in words, unless valid
};

/// Whether the trust anchors are there and have the root's keys. Where they are only for zones of the
/// administrator's own nothing is looked at: who put them there wants them.
bool anchors_the_root(const DnsSettings& settings);

/// The settings without validation.
DnsSettings unvalidated(DnsSettings settings);

/// `questions` are made for this, with settings that anchor the root, and are of no use afterwards: they are
/// not validated any more. Takes three questions at most.
awaitable<RootKeys> find_root_keys(std::shared_ptr<Questions> questions, DnsSettings settings);

/// What is known, and what to do about it. A value.
class Dnssec {
public:
    /// `proven`: validation worked before with these settings.
    Dnssec(const DnsSettings& settings, bool proven);

    /// With other servers, stubs or anchors nothing is known any more.
    void reload(const DnsSettings& settings);
    /// `suspected`: an answer did not validate, so that keys that are not answered are trouble too.
    void learn(const RootKeys& keys, bool suspected);
    const DnsSettings& settings() const { return settings_; }
    bool proven() const { return proven_; }
    bool well() const { return found_ == RootKeys::Found::valid; }
    /// Whether answers that are not validated are believed.
    bool waived() const { return !proven_ && passed_over(); }
    /// What is wrong, in words; "" when all is well, or nothing is known. Why answers do not validate, where
    /// they are not believed.
    const std::string& reason() const { return reason_; }
    const std::string& effect() const { return effect_; }  // the same with what follows from it
    const std::string& advice() const { return advice_; }
    std::string trouble() const;  // both, "" when all is well
    bool operator==(const Dnssec&) const = default;

private:
    /// The name servers work, without DNSSEC.
    bool passed_over() const {
        return found_ == RootKeys::Found::stripped || found_ == RootKeys::Found::withheld;
    }

    DnsSettings settings_;
    bool proven_;
    RootKeys::Found found_ = RootKeys::Found::unanswered;
    std::string reason_, effect_, advice_;
};

/// Looks for the root's keys at the start, when an answer does not validate, and every five minutes while
/// they are not valid. Answers that fail validation wait for that. Used from the thread of its io_context.
class DnssecWatch : public std::enable_shared_from_this<DnssecWatch> {
public:
    using Told = std::function<void()>;

    DnssecWatch(io_context& io, const base::Clock& clock, Outside& outside,
                std::shared_ptr<Questions> questions, const DnsSettings& settings);

    /// Nothing is looked at before. `told`: there is something else in dnssec() than before.
    void start(bool proven, Told told);
    /// Throws as Questions does, and changes nothing then. What was proven with other servers, stubs or
    /// anchors does not count any more.
    void reload(const DnsSettings& settings);
    void close();
    const Dnssec& dnssec() const { return dnssec_; }

private:
    bool suspect();
    void look();
    void found(const RootKeys& keys);
    void wait();

    io_context& io_;
    const base::Clock& clock_;
    Outside& outside_;
    std::shared_ptr<Questions> questions_, looking_;
    bool rooted_;  // there is something to look for
    Dnssec dnssec_;
    Told told_;
    Timer timer_;
    base::Moment looked_{};  // because of a suspicion
    bool suspected_ = false;
};

}  // namespace postern::relay::net
