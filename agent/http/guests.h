// The connections at a door, and which of them gives way when there are too many.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "agent/http/peer.h"
#include "relay/net/connection.h"

namespace postern::agent {

struct Guest {
    Guest(std::shared_ptr<relay::net::Connection> given, HttpPeer who);

    enum class Stage : std::uint8_t { reading, working, answering };

    const std::shared_ptr<relay::net::Connection> connection;
    const HttpPeer peer;
    const std::string hand;  // whose it is, of those who share
    Stage stage = Stage::reading;
    std::size_t held = 0;  // octets of its answer
    bool sent_away = false;
};
using GuestPtr = std::shared_ptr<Guest>;

class Guests {
public:
    explicit Guests(std::size_t most) : most_(most) {}

    /// When there are too many, one of the hand that has most is sent away: whoever says nothing before
    /// whoever does not take the answer; work is finished. False: there is no room at all.
    bool make_room(const Guest& newcomer);
    void add(GuestPtr guest) { all_.push_back(std::move(guest)); }
    void remove(const GuestPtr& guest) { all_.remove(guest); }
    /// Octets of answers that nobody has taken yet, those of one hand, or of all.
    std::size_t held(const std::string& hand) const;
    std::size_t held() const;
    const std::list<GuestPtr>& all() const { return all_; }  // in the order they came

private:
    std::size_t most_;
    std::list<GuestPtr> all_;
};

}  // namespace postern::agent
