#include "relay/delivery/contents.h"

#include <utility>

#include "relay/net/elsewhere.h"

namespace postern::relay {

net::awaitable<FormPtr> Contents::form_for(StoredPtr stored, Abilities host, Formless& why) {
    const Content& content = stored->message.content;
    if (!needs_a_look(stored->message.envelope, host)) {
        if (content.bytes)
            co_return std::make_shared<const Form>(
                Form{Fit::as_is, content.bytes, std::nullopt, content.size, content.dots});
        auto open = [&spool = env_.spool, stored] { return plain_form(spool, *stored); };
        auto plain = co_await net::elsewhere(env_.workers.reading, open);
        if (!plain) why = std::move(plain.error());
        co_return plain ? std::move(*plain) : nullptr;
    }
    auto make = [this, stored, host, minimum = env_.settings->accept.minimum_free] {
        return forms_.make(env_.spool, *stored, host, minimum);
    };
    auto made = co_await net::elsewhere(env_.workers.converting, make);
    if (!made) why = std::move(made.error());
    co_return made ? std::move(*made) : nullptr;
}

}  // namespace postern::relay
