// What relay tells about itself, as plain values for the status endpoint and the commands.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "relay/mail/reply.h"

namespace postern::relay {

/// Which messages a queue command means; empty fields match everything, given ones must all match.
struct QueueFilter {
    std::string id;
    std::string sender;     // whole reverse-path or its domain
    std::string recipient;  // whole forward-path or its domain
    std::string route;      // gateway name or recipient domain as shown in RecipientView::route
};

struct RecipientView {
    std::string address;
    std::string state;  // "ready", "delivering", "waiting", "delivered", "failed"
    std::string route;  // "mx:example.net", "gateway:archive", "primary:main"
    unsigned attempts = 0;
    std::chrono::system_clock::time_point next;  // of waiting recipients
    std::string why;                             // in words: remote reply or error, host and stage
};

struct MessageView {
    std::string id, from, client, primary;
    std::chrono::system_clock::time_point arrived, expires;
    std::uint64_t size = 0;
    std::vector<RecipientView> recipients;
};

struct DestinationView {
    std::string route;
    std::size_t ready = 0, delivering = 0, waiting = 0, connections = 0;
    std::string trouble;                               // "" when healthy
    std::chrono::system_clock::time_point next_try{};  // when trouble is set
};

struct State {
    std::uint64_t messages = 0;                 // in the spool
    std::uint64_t bytes = 0;                    // the spool's files on disk
    std::uint64_t sessions = 0;                 // incoming, open now
    std::uint64_t connections = 0;              // outgoing, open now
    std::uint64_t damaged = 0;                  // records set aside since the start
    std::string not_ready;                      // why mail is not accepted, "" when it is
    std::vector<DestinationView> destinations;  // at most 1000, those with trouble first
};

/// What would happen to a message, in words. Sends nothing.
struct Explanation {
    Reply sender;     // 250 or the refusal
    Reply recipient;  // 250 or the refusal
    std::string sender_why, recipient_why;
    std::string route;               // as in RecipientView::route, "" when refused
    std::string route_why;           // which rule chose it
    std::vector<std::string> hosts;  // next hops in the order they would be tried, name[address]:port
    std::string tls;
};

}  // namespace postern::relay
