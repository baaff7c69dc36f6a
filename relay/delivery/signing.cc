#include "relay/delivery/signing.h"

#include <exception>
#include <string>

#include "relay/net/elsewhere.h"
#include "sync/base/forget_oldest.h"

namespace postern::relay {

namespace {

constexpr std::size_t made_most = 2000, made_kept = 1000;
constexpr std::chrono::hours made_for{1};
constexpr std::size_t piece = 128 << 10;

using Result = tl::expected<SignaturesPtr, ContentFault>;

/// May wait for a disk.
Result sign(const Keyring& keyring, const Message& message, const Form& form, Time now) {
    Signer signer(keyring, message.envelope.reverse_path);
    if (form.bytes) {
        signer.add(*form.bytes);
    } else {
        ContentFile file = *form.file;
        std::string space;
        for (bool more = true; more;) {
            const auto octets = file.next(space, piece);
            if (!octets) return tl::unexpected(octets.error());
            more = !octets->empty() && signer.add(*octets);
        }
    }
    return std::make_shared<const Signatures>(signer.finish(now));
}

}  // namespace

void Signing::reload(KeyringPtr keyring) {
    keyring_ = std::move(keyring);
    made_.clear();
}

net::awaitable<Result> Signing::of(StoredPtr stored, FormPtr form) {
    static const SignaturesPtr none = std::make_shared<const Signatures>();
    const KeyringPtr keyring = keyring_;
    if (keyring->empty()) co_return none;
    const Key key{stored->message.id.value, form->fit == Fit::seven_bit};
    const Time time = env_.clock.steady();
    if (const auto found = made_.find(key); found != made_.end() && time - found->second.at < made_for)
        co_return found->second.signatures;
    if (const auto found = making_.find(key); found != making_.end()) {
        const auto end = found->second;
        co_await end->async_wait(net::as_value);
        if (const auto made = made_.find(key); made != made_.end()) co_return made->second.signatures;
    }
    const auto end = std::make_shared<net::Timer>(env_.io, env_.clock);
    making_.insert_or_assign(key, end);
    const auto over = [&] {
        if (const auto found = making_.find(key); found != making_.end() && found->second == end)
            making_.erase(found);
        end->cancel();
    };
    std::string why;
    try {
        auto work = [keyring, stored, form, now = env_.clock.wall()] {
            return sign(*keyring, stored->message, *form, now);
        };
        auto signatures = co_await net::elsewhere(env_.workers.signing, work);
        over();
        if (signatures && keyring == keyring_) {
            made_.insert_or_assign(key, Made{*signatures, time});
            if (made_.size() > made_most)
                base::forget_oldest(
                    made_, made_kept, [](const Made&) { return true; },
                    [](const Made& one) { return one.at; });
        }
        co_return signatures;
    } catch (const std::exception& fault) {
        over();
        why = fault.what();
    }
    env_.tell_our_trouble("message " + stored->message.id.text() +
                          " leaves without a DKIM signature: " + why);
    co_return none;
}

}  // namespace postern::relay
