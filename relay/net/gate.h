// The end of what goes on on a loop, awaited.
#pragma once

#include <cstddef>
#include <memory>

#include "relay/net/asio.h"
#include "sync/base/clock.h"

namespace postern::relay::net {

/// Counts what goes on. Whoever waits for the last of it is woken by it, and does not look again and again.
/// Used on one loop; passes may outlive the gate.
class Gate final {
public:
    Gate(io_context& io, const base::Clock& clock);

    /// Counted as long as it lives.
    class Pass final {
    public:
        Pass(Pass&&) noexcept = default;
        Pass& operator=(Pass&&) = delete;
        ~Pass();

    private:
        friend class Gate;
        struct Inside;
        explicit Pass(std::shared_ptr<Inside> inside) : inside_(std::move(inside)) {}
        std::shared_ptr<Inside> inside_;
    };

    Pass enter();
    std::size_t inside() const;
    /// Until nobody is inside, at the latest until then; true when nobody is.
    awaitable<bool> empty(base::Moment until);
    /// Whoever waits for that waits no longer.
    void give_up();

private:
    io_context& io_;
    const base::Clock& clock_;
    std::shared_ptr<Pass::Inside> inside_;
};

}  // namespace postern::relay::net
