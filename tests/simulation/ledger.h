// What was told to whom, and whether that holds: nothing accepted is lost, nothing is delivered twice but
// where the answer was under way, and every event has its order.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "relay/observer.h"
#include "sync/base/clock.h"
#include "tests/simulation/wire.h"

namespace postern::simulation {

/// A receiver said 250 to the content.
struct Receipt {
    unsigned life;  // of the gateway
    std::shared_ptr<const Arrival> answer;
};

/// One recipient of one message, as the world outside knows it.
struct Leg {
    bool taken = false;  // RCPT was answered with 250
    std::vector<Receipt> receipts;
    unsigned delivered = 0;  // how often the gateway said so
    unsigned failures = 0;   // reports to the sender that say so
    bool removed = false;    // by an operator
    bool untold = false;     // the report could not be delivered for as long as mail is tried
    bool bounced = false;    // the gateway says so
};

enum class Told : std::uint8_t { nothing, taken, refused };

struct Mail {
    std::uint64_t number = 0;
    std::string from, content;
    std::map<std::string, Leg> legs;  // by recipient
    Told told = Told::nothing;
    unsigned life = 0;  // of the gateway, when it was sent there
    std::string id;     // the gateway's
    std::string copy;   // id of the one for the archive; "" where none is known
    unsigned archived = 0;
    bool copy_ended = false;  // by an operator
};

/// The observer's part is called by threads that have their turn, the rest by the one that simulates: never
/// two at once.
class Ledger final : public relay::Observer {
public:
    /// `folder`: the gateway's, which is called otherwise each time. `expire`: it gives up after that.
    Ledger(const base::Clock& clock, std::string folder, std::chrono::seconds expire)
        : clock_(clock), folder_(std::move(folder)), expire_(expire) {}

    // By clients.
    Mail& begin(std::uint64_t number, std::string from, std::string content);
    // By receivers.
    /// A receiver has taken it for these, and its `answer` goes out now.
    void received(std::uint64_t number, const std::vector<std::string>& recipients,
                  const std::string& content, const std::shared_ptr<const Arrival>& answer);
    void reported(const std::string& to, const std::string& content);
    /// The archive has taken a journal report.
    void archived(const std::string& content);
    // By the history.
    void power_cut() { power_cuts_[life_] = clock_.now(); }
    void new_life();
    /// The disk fails now and then: what was delivered may not be noted.
    void disk_troubled() { troubled_lives_.insert(life_); }
    /// By an operator, who wants nothing of it delivered; `told`: its sender hears of that, unless it is a
    /// report.
    void removed(const std::string& id, bool told);
    /// A bit is another one where something may be kept: that costs one message, of which it is told.
    void damaged() { ++damages_; }
    std::size_t damages() const { return damages_; }
    void note(const std::string& what);  // into the story
    void fail(const std::string& why);

    /// All is over: what was accepted has come to an end. `kept`: ids that wait, or were set aside; `copied`:
    /// an archive has a copy of each message.
    void close(const std::set<std::string>& kept, bool copied);

    bool well() const { return fault_.empty(); }
    const std::string& fault() const { return fault_; }
    const std::deque<std::string>& story() const { return story_; }
    std::uint64_t digest() const { return digest_; }  // of the whole story
    std::size_t taken() const;
    std::size_t delivered() const { return delivered_; }
    std::size_t failures() const { return failures_; }

    void on(const relay::event::Accepted&) override;
    void on(const relay::event::Refused&) override;
    void on(const relay::event::Delivered&) override;
    void on(const relay::event::Deferred&) override;
    void on(const relay::event::Bounced&) override;
    void on(const relay::event::Removed&) override;
    void on(const relay::event::Reported&) override;
    void on(const relay::event::Held&) override;
    void on(const relay::event::Listed&) override;
    void on(const relay::event::Unlisted&) override;
    void on(const relay::event::Rotated&) override;
    void on(const relay::event::Trouble&) override;
    /// What the gateway says from now on is of a process that has been killed.
    void be_deaf(bool now) { deaf_ = now; }

private:
    bool may_be_forgotten(const Receipt& receipt) const;
    std::string judge(const Mail& mail, const std::string& recipient, const Leg& leg, bool kept) const;
    Mail* of(std::string_view id);
    void must_be_known(std::string_view id);
    void reports(std::string_view id, const Mail& mail);

    const base::Clock& clock_;
    const std::string folder_;
    const std::chrono::seconds expire_;
    std::map<std::uint64_t, Mail> mails_;
    std::map<std::string, std::uint64_t, std::less<>> ids_, copies_;
    struct Report {
        std::uint64_t number;  // of the message that it is about
        base::Time made;       // by the clock on the wall, as its age
    };
    std::map<std::string, Report, std::less<>> reports_;  // by their ids
    std::set<unsigned> troubled_lives_;
    std::map<unsigned, base::Moment> power_cuts_;  // by lives
    unsigned life_ = 0;
    bool deaf_ = false;
    bool crashed_ = false;  // some life did
    std::string fault_;
    std::deque<std::string> story_;
    std::uint64_t digest_ = 0;
    std::size_t delivered_ = 0, failures_ = 0, damages_ = 0;
};

/// The number in "Message-ID: <NUMBER@…>"; 0 when there is none.
std::uint64_t number_in(std::string_view content);

}  // namespace postern::simulation
