// What went out through the screening gateway, and what of it came back.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/message.h"
#include "relay/views.h"

namespace postern::relay {

/// Whoever screens may keep mail for good: that is what it is for. So what stays away is counted and told,
/// and nothing is done about it. Bounded. Any thread.
class Returns {
public:
    /// The screening gateway took a message, for so many recipients.
    void went(MessageId id, std::string_view sender, std::size_t recipients, Time now);
    /// For so many of them it came back, perhaps before went() was told.
    /// True when it comes for more recipients than it went to.
    bool came(MessageId id, std::size_t recipients, Time now);

    /// Messages that are away for longer than `patience`, and were not told of before.
    struct Missing {
        std::size_t count = 0;
        MessageId example;
        std::string sender;
    };
    std::optional<Missing> newly_missing(Time now, std::chrono::seconds patience);
    ScreeningView view(Time now, std::chrono::seconds patience) const;

    /// nullopt when nothing has changed since; a line that restore() does not understand is left out.
    std::optional<std::string> save();
    void not_saved();
    void restore(std::string_view text);

private:
    struct Trip {
        std::string sender;
        std::uint64_t sent = 0, back = 0;  // recipients
        Time since{};
        bool told = false;
        bool early = false;  // it was more than it had gone to, as went() saw

        bool away() const { return sent > back; }
        bool over() const { return sent > 0 && back >= sent; }
    };

    void note_over(std::uint64_t id);
    void forget(Time now);
    void bound();

    mutable std::mutex mutex_;
    std::map<std::uint64_t, Trip>
        trips_;                       // those that are over for a while, so that a second return is known
    std::deque<std::uint64_t> over_;  // in the order in which they were
    std::uint64_t went_ = 0, back_ = 0, given_up_ = 0, again_ = 0;  // messages
    bool changed_ = false;
};

}  // namespace postern::relay
