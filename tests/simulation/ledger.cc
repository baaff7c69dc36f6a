#include "tests/simulation/ledger.h"

#include <charconv>
#include <utility>

namespace postern::simulation {

namespace {

using namespace std::chrono_literals;
namespace event = relay::event;

constexpr std::size_t story_max = 4000;
/// Notes are synced within a second; the disk and its threads have as much again.
constexpr auto unsynced = 2s;

std::string_view after(std::string_view text, std::string_view what) {
    const auto found = text.find(what);
    return found == std::string_view::npos ? std::string_view() : text.substr(found + what.size());
}

std::string_view line_of(std::string_view text) { return text.substr(0, text.find('\r')); }

std::string text_of(std::string_view text) { return std::string(text); }

/// What is called otherwise each time: the gateway's folder, and the random marks of segments.
std::string without_names(std::string text, const std::string& folder) {
    constexpr std::string_view segment = ".segment";
    constexpr std::size_t mark = 16;
    for (auto at = text.find(folder); at != std::string::npos; at = text.find(folder))
        text.replace(at, folder.size(), "STATE_DIR");
    for (auto at = text.find(segment); at != std::string::npos; at = text.find(segment, at + 1))
        if (at > mark) text.replace(at - mark, mark, mark, 'x');
    return text;
}

}  // namespace

std::uint64_t number_in(std::string_view content) {
    const auto rest = after(content, "Message-ID: <");
    std::uint64_t out = 0;
    std::from_chars(rest.data(), rest.data() + rest.size(), out);
    return out;
}

void Ledger::note(const std::string& what) {
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now().time_since_epoch());
    const std::string line =
        std::to_string(time.count() - 3'600'000'000) + ' ' + without_names(what, folder_);
    for (const char c : line) digest_ = (digest_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    story_.push_back(line);
    if (story_.size() > story_max) story_.pop_front();
}

void Ledger::fail(const std::string& why) {
    note("FAULT " + why);
    if (fault_.empty()) fault_ = why;
}

Mail& Ledger::begin(std::uint64_t number, std::string from, std::string content) {
    Mail& out = mails_[number];
    out.number = number;
    out.life = life_;
    out.from = std::move(from);
    out.content = std::move(content);
    return out;
}

Mail* Ledger::of(std::string_view id) {
    const auto found = ids_.find(id);
    return found == ids_.end() ? nullptr : &mails_.at(found->second);
}

void Ledger::reports(std::string_view id, const Mail& mail) {
    ids_.erase(text_of(id));
    reports_.insert_or_assign(text_of(id), Report{mail.number, clock_.wall()});
}

/// What becomes of a message is told later than that it was accepted, or made. What a process was about to
/// say when it ended is not said any more.
void Ledger::must_be_known(std::string_view id) {
    if (!crashed_ && !ids_.contains(id) && !reports_.contains(id) && !copies_.contains(id))
        fail("something is told of " + text_of(id) + " before it was accepted");
}

void Ledger::received(std::uint64_t number, const std::vector<std::string>& recipients,
                      const std::string& content, const std::shared_ptr<const Arrival>& answer) {
    const auto found = mails_.find(number);
    if (found == mails_.end()) return fail("a receiver got a message that nobody sent");
    Mail& mail = found->second;
    if (!content.starts_with("Received: ") || !content.ends_with(mail.content) ||
        content.find("\r\nReceived: ", 1) < content.size() - mail.content.size())
        fail("message " + std::to_string(number) + " did not arrive as it was sent");
    for (const auto& recipient : recipients) {
        auto leg = mail.legs.find(recipient);
        if (leg == mail.legs.end() || !leg->second.taken) {
            fail("message " + std::to_string(number) + " is delivered to " + recipient + ", who was refused");
            continue;
        }
        leg->second.receipts.push_back({life_, answer});
        ++delivered_;
    }
}

void Ledger::reported(const std::string& to, const std::string& content) {
    auto number = number_in(after(content, "\r\n\r\n"));
    if (number == 0) {
        // The message could not be read for its report: whom it was for says which it is.
        const auto rest = after(content, "Final-Recipient: rfc822; r");
        std::from_chars(rest.data(), rest.data() + rest.size(), number);
    }
    const auto found = mails_.find(number);
    if (found == mails_.end()) return fail("a report about a message that nobody sent");
    Mail& mail = found->second;
    if (to != mail.from) fail("a report about message " + std::to_string(number) + " went to " + to);
    if (mail.told == Told::refused)
        fail("a report about message " + std::to_string(number) + ", which was refused");
    for (auto rest = after(content, "Final-Recipient: rfc822; "); !rest.empty();
         rest = after(rest, "Final-Recipient: rfc822; ")) {
        const std::string recipient = text_of(line_of(rest));
        const bool failed = line_of(after(rest, "Action: ")) == "failed";
        const auto leg = mail.legs.find(recipient);
        if (leg == mail.legs.end() || !leg->second.taken) {
            fail("a report about " + recipient + ", who was not asked for");
            continue;
        }
        if (failed) {
            ++leg->second.failures;
            ++failures_;
        }
    }
}

void Ledger::archived(const std::string& content) {
    const auto attached = after(content, "Content-Type: message/rfc822\r\n");
    const auto found = mails_.find(number_in(attached));
    if (found == mails_.end()) return fail("the archive got a copy of a message that nobody sent");
    if (attached.find(found->second.content) == attached.npos)
        fail("the copy of message " + std::to_string(found->first) + " is not as it was sent");
    ++found->second.archived;
}

void Ledger::new_life() {
    crashed_ = true;
    ++life_;
}

void Ledger::removed(const std::string& id, bool told) {
    if (const auto copy = copies_.find(id); copy != copies_.end()) mails_.at(copy->second).copy_ended = true;
    Mail* mail = of(id);
    if (const auto report = reports_.find(id); report != reports_.end())
        mail = &mails_.at(report->second.number);
    if (mail != nullptr && !(told && mail->id == id))
        for (auto& [recipient, leg] : mail->legs) leg.removed = true;
}

std::size_t Ledger::taken() const {
    std::size_t out = 0;
    for (const auto& [number, mail] : mails_) out += mail.told == Told::taken ? 1 : 0;
    return out;
}

/// What was said of it may have been forgotten again.
bool Ledger::may_be_forgotten(const Receipt& receipt) const {
    if (troubled_lives_.contains(receipt.life) || receipt.answer->lost()) return true;
    const auto cut = power_cuts_.find(receipt.life);
    return cut != power_cuts_.end() && cut->second - *receipt.answer->came < unsynced;
}

std::string Ledger::judge(const Mail& mail, const std::string& recipient, const Leg& leg, bool kept) const {
    const std::string what = "message " + std::to_string(mail.number) + " (" + mail.id + ") to " + recipient;
    // The last of them is what counts; whoever had it before must have been forgotten for a reason.
    std::size_t sure = 0;
    for (const auto& receipt : leg.receipts) sure += may_be_forgotten(receipt) ? 0 : 1;
    if (sure > 1) return what + " was delivered twice";
    if (sure > 0 && leg.failures > 0) return what + " was delivered, and reported as failed";
    // What could not be synced cannot be taken back for certain.
    if (mail.told == Told::refused && !leg.receipts.empty() && !troubled_lives_.contains(mail.life))
        return what + " was refused, and delivered";
    if (mail.told != Told::taken || kept || !leg.taken || leg.removed || leg.untold) return "";
    return leg.receipts.empty() && leg.failures == 0 ? what + " was accepted and is gone" : "";
}

void Ledger::close(const std::set<std::string>& kept, bool copied) {
    std::size_t wrong = 0;
    for (const auto& [number, mail] : mails_) {
        std::string why;
        for (const auto& [recipient, leg] : mail.legs)
            if (why.empty()) why = judge(mail, recipient, leg, kept.contains(mail.id));
        const bool lost =
            mail.told == Told::taken && mail.archived == 0 && !mail.copy_ended && !kept.contains(mail.copy);
        if (why.empty() && copied && lost)
            why = "message " + std::to_string(number) + " (" + mail.id + ") was accepted, and its copy " +
                  mail.copy + " is gone";
        if (why.empty()) continue;
        note("- " + why);
        if (++wrong > damages_) fail(damages_ == 0 ? why : "more is wrong than was damaged: " + why);
    }
}

// ---- what the gateway says

void Ledger::on(const event::Accepted& what) {
    if (deaf_) return;
    note("accepted " + text_of(what.id) + " from " + text_of(what.from) + ' ' + text_of(what.message_id));
    const std::string header = "Message-ID: " + text_of(what.message_id);
    const auto number = number_in(header);
    if (number == 0) return;
    if (ids_.contains(what.id)) fail("the id " + text_of(what.id) + " is given twice");
    ids_.insert_or_assign(text_of(what.id), number);
    reports_.erase(text_of(what.id));
    mails_[number].id = what.id;
    if (what.journal.empty()) return;
    mails_[number].copy = what.journal;
    copies_.insert_or_assign(text_of(what.journal), number);
}

void Ledger::on(const event::Refused& what) {
    if (!deaf_)
        note("refused " + text_of(what.client) + ' ' + text_of(what.recipient) + ' ' + text_of(what.rule) +
             ' ' + std::to_string(what.reply.code));
}

void Ledger::on(const event::Delivered& what) {
    if (deaf_) return;
    note("delivered " + text_of(what.id) + " to " + text_of(what.recipient) + " at " + text_of(what.host));
    must_be_known(what.id);
    Mail* mail = of(what.id);
    if (mail == nullptr) return;  // a report of ours
    const auto leg = mail->legs.find(text_of(what.recipient));
    if (leg == mail->legs.end()) return fail("delivered to nobody who was named: " + text_of(what.recipient));
    if (++leg->second.delivered > leg->second.receipts.size())
        fail("message " + std::to_string(mail->number) + " is said to be delivered to " +
             text_of(what.recipient) + ", where nobody took it");
}

void Ledger::on(const event::Deferred& what) {
    if (deaf_) return;
    must_be_known(what.id);

    note("deferred " + text_of(what.id) + " to " + text_of(what.recipient) + ": " + text_of(what.stage) +
         ' ' + text_of(what.reason));
}

void Ledger::on(const event::Bounced& what) {
    if (deaf_) return;
    note("bounced " + text_of(what.id) + " to " + text_of(what.recipient) + ": " + text_of(what.stage) + ' ' +
         text_of(what.reason) + " in " + text_of(what.bounce_id));
    must_be_known(what.id);
    Mail* mail = of(what.id);
    if (mail != nullptr && !what.bounce_id.empty()) reports(what.bounce_id, *mail);
    if (const auto copy = copies_.find(what.id); copy != copies_.end())
        mails_.at(copy->second).copy_ended = true;
    // A report that its sender's server did not take for so long is told to nobody.
    const auto report = reports_.find(what.id);
    if (report != reports_.end() && what.bounce_id.empty() &&
        clock_.wall() - report->second.made >= expire_ - 1min)
        for (auto& [recipient, leg] : mails_.at(report->second.number).legs)
            leg.untold = leg.untold || leg.bounced;
    if (mail != nullptr)
        if (auto leg = mail->legs.find(text_of(what.recipient)); leg != mail->legs.end())
            leg->second.bounced = true;
}

void Ledger::on(const event::Removed& what) {
    if (!deaf_) note("removed " + text_of(what.id));
}
void Ledger::on(const event::Reported& what) {
    if (deaf_) return;
    must_be_known(what.id);
    if (const Mail* mail = of(what.id)) reports(what.report_id, *mail);
    note("reported " + text_of(what.id) + ' ' + text_of(what.action));
}
void Ledger::on(const event::Held& what) {
    if (!deaf_) note((what.released ? "released " : "held ") + text_of(what.id));
}
void Ledger::on(const event::Listed& what) {
    if (!deaf_)
        note("listed " + text_of(what.address) + " at " + text_of(what.site) + " by " + text_of(what.by));
}
void Ledger::on(const event::Unlisted& what) {
    if (!deaf_) note("unlisted " + text_of(what.address) + " at " + text_of(what.site));
}
void Ledger::on(const event::Rotated& what) {
    if (!deaf_) note("rotated " + text_of(what.site) + " to " + text_of(what.to));
}
void Ledger::on(const event::Trouble& what) {
    if (deaf_) return;
    note("trouble " + text_of(text_of(what.where)) + ": " + text_of(what.text));
    const bool of_damage =
        what.text.find(" damaged") != what.text.npos || what.text.find(" missing") != what.text.npos;
    if (what.grave && of_damage && damages_ == 0) fail("something is called damaged that is not");
}

}  // namespace postern::simulation
