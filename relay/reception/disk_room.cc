#include "relay/reception/disk_room.h"

#include <utility>

#include "relay/net/elsewhere.h"

namespace postern::relay {

namespace {

constexpr std::chrono::milliseconds look_every{500};

}  // namespace

DiskRoom::DiskRoom(net::io_context& io, const base::Clock& clock, Spool& spool, asio::any_io_executor files)
    : spool_(spool), files_(std::move(files)), tick_(io, clock), free_(spool.free_bytes()) {}

net::awaitable<void> DiskRoom::watch() {
    auto ask = [&spool = spool_] { return spool.free_bytes(); };
    while (!stopped_) {
        const std::uint64_t before = taken_;
        free_ = co_await net::elsewhere(files_, ask);
        known_ = before;
        tick_.expires_after(look_every);
        co_await tick_.async_wait(net::as_value);
    }
}

void DiskRoom::stop() {
    stopped_ = true;
    tick_.cancel();
}

std::uint64_t DiskRoom::octets() const {
    const std::uint64_t known = known_;  // before the others, so that it is never more than was taken
    const std::uint64_t since = taken_ - known, free = free_;
    return free > since ? free - since : 0;
}

}  // namespace postern::relay
