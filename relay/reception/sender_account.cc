#include "relay/reception/sender_account.h"

#include <algorithm>
#include <utility>

#include "sync/base/ascii.h"

namespace postern::relay {

void SenderAccount::charge(const VolumeSender& sender, const Address& recipient, bool monitored,
                           Decision& decision, bool* tell) {
    const auto refused = [&](Decision no) {
        no.monitored = monitored;
        if (monitored) no.reply = decision.reply;
        decision = std::move(no);
    };
    if (std::string why = volume_.watch.refuses(sender); !why.empty()) {
        refused(too_much_held(std::move(why)));
        if (!monitored) return;
    }
    const auto reached = volume_.tally.take(charge_, sender, clock_.steady(), monitored, tell);
    if (tell != nullptr && *tell) return;
    if (reached) refused(beyond_limit(*reached, clock_.on_the_wall(reached->until)));
    if (reached && !monitored) return;
    sender_ = sender;
    recipients_.push_back(Acquaintances::recipient(base::lower(recipient.text())));
}

WatchedMail SenderAccount::watched(std::string_view subject) const {
    return {sender_, recipients_, charge_.announced(), subject};
}

VolumeAnswer SenderAccount::restrain(Message& message, std::string_view subject) {
    VolumeAnswer out = volume_.watch.judge(watched(subject), clock_.steady(), clock_.wall());
    if (out.level < VolumeLevel::slowed) return out;
    auto concerned = recipients_;
    std::sort(concerned.begin(), concerned.end());
    const auto& paths = message.envelope.forward_paths;
    for (std::size_t at = 0; at < paths.size(); ++at) {
        const auto one = Acquaintances::recipient(base::lower(paths[at].text()));
        if (!std::binary_search(concerned.begin(), concerned.end(), one))
            message.envelope.exempt.push_back(static_cast<std::uint16_t>(at));
    }
    message.envelope.held = out.level >= VolumeLevel::held;
    message.envelope.not_before = out.until;
    message.envelope.restrained =
        "the volume of <" + message.envelope.reverse_path.text() + "> is unusual: " + out.why;
    return out;
}

void SenderAccount::keep(const VolumeAnswer& answer, std::string_view subject) {
    volume_.watch.accepted(watched(subject), answer, clock_.steady(), clock_.wall());
    charge_.keep();
    recipients_.clear();
}

void SenderAccount::not_kept(const VolumeAnswer& answer) {
    volume_.watch.not_accepted(watched({}), answer);
    give_back();
}

void SenderAccount::give_back() {
    charge_.give_back();
    recipients_.clear();
}

}  // namespace postern::relay
