// The octets of messages for hosts: read and converted beside the loop, so that no disk holds it up.
#pragma once

#include <asio/thread_pool.hpp>

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
    asio::thread_pool& files() { return files_; }  // where contents are read

private:
    Environment& env_;
    Forms forms_;  // used on converter_ only
    asio::thread_pool files_{4};
    asio::thread_pool converter_{1};
};

}  // namespace postern::relay
