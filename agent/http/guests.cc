#include "agent/http/guests.h"

#include <algorithm>
#include <map>

namespace postern::agent {

Guest::Guest(std::shared_ptr<relay::net::Connection> given, HttpPeer who)
    : connection(std::move(given)),
      peer(std::move(who)),
      hand(peer.user ? "account " + std::to_string(*peer.user) : peer.address) {}

bool Guests::make_room(const Guest& newcomer) {
    if (all_.size() < most_) return true;
    std::map<std::string, std::size_t> hands;
    std::size_t there = 0, fullest = 0;
    for (const auto& guest : all_) {
        if (guest->sent_away) continue;
        ++there;
        ++hands[guest->hand];
    }
    if (there < most_) return true;
    const auto own = hands.find(newcomer.hand);
    if (own != hands.end()) ++own->second;
    for (const auto& [hand, count] : hands) fullest = std::max(fullest, count);
    const bool of_its_own = own != hands.end() && own->second == fullest;
    for (const auto stage : {Guest::Stage::reading, Guest::Stage::answering}) {
        const auto oldest = std::find_if(all_.begin(), all_.end(), [&](const auto& guest) {
            return !guest->sent_away && guest->stage == stage &&
                   (of_its_own ? guest->hand == newcomer.hand : hands.at(guest->hand) == fullest);
        });
        if (oldest == all_.end()) continue;
        (*oldest)->sent_away = true;
        (*oldest)->connection->close();
        return true;
    }
    return all_.size() < 2 * most_;
}

std::size_t Guests::held(const std::string& hand) const {
    std::size_t octets = 0;
    for (const auto& guest : all_)
        if (guest->hand == hand) octets += guest->held;
    return octets;
}

std::size_t Guests::held() const {
    std::size_t octets = 0;
    for (const auto& guest : all_) octets += guest->held;
    return octets;
}

}  // namespace postern::agent
