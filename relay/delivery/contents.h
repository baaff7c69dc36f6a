// The octets of messages for hosts: read and converted beside the loop, so that no disk holds it up.
#pragma once

#include "relay/delivery/environment.h"
#include "relay/delivery/form.h"
#include "relay/net/asio.h"

namespace postern::relay {

/// On the delivery loop.
class Contents {
public:
    explicit Contents(Environment& env) : env_(env) {}

    /// The message as such a host takes it; null with `why` set when it cannot, or the content cannot be had.
    net::awaitable<FormPtr> form_for(StoredPtr stored, Abilities host, Formless& why);

private:
    Environment& env_;
    Forms forms_;  // used where there is one conversion at a time only
};

}  // namespace postern::relay
