// What happened to the directory, told to whoever wants to log or count it. sync itself does neither.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sync/directory/snapshot.h"
#include "sync/trouble.h"

namespace postern::sync {

/// Text in events may come from the network: bounded, without control characters, otherwise as received.
namespace event {

struct Synced {  // a round has ended in which the primary's domains were read; the snapshot is out
    std::string_view primary;
    std::size_t domains = 0, addresses = 0;
    std::size_t unreadable = 0;  // domains with a part that could not be read and was kept as it was
    std::uint64_t requests = 0;  // of this round
    std::chrono::milliseconds took{0};
    Time next;
};

struct SyncFailed {
    std::string_view primary;
    std::string_view domain;  // "" when the whole round failed
    std::string_view reason;
    Time next;  // when it is tried again
    Trouble trouble = Trouble::other;
};

struct CredentialsRefused {
    std::string_view primary, reason;
    Time next;  // tried again then, when the password file changes, or on request
    Trouble trouble = Trouble::other;
};

/// An answer with far fewer entries than are in force: everything gone, or more than ten and a fifth.
struct SuddenLoss {
    std::string_view primary, domain;  // domain: "" when domains are gone
    std::string_view what;             // "users", "domains", ...
    std::size_t before = 0, now = 0;   // entries
    Time since;
    bool taken = false;  // false: held back until seen again for long enough, in two rounds, or confirmed
};

struct DomainClaimed {                            // by two primaries
    std::string_view domain, primary, overruled;  // primary: whose answer counts
};

struct NamesUnusable {  // the primary has them, and no mail can have them
    std::string_view primary;
    std::string_view domain;  // that has them; "" for domains, and for what more domains have than are told
    std::string_view names;   // how many of what, and a few of them
};

struct NotAdopted {            // what another gateway has read: what is known here stays
    std::string_view primary;  // "" when it is none of ours, or cannot be told
    std::string_view reason;
};

struct CacheDamaged {
    std::string_view file, set_aside;  // set_aside: its new name, "" when it could not be renamed
    std::string_view reason;
};

struct CacheUnwritable {
    std::string_view file, reason;
};

/// The server through which several gateways share what they know is reached, or is not.
struct Cluster {
    std::string_view where;  // its name, without credentials
    bool reached = false;
    std::string_view why;  // it is not: in words
};

/// Of several gateways another polls the primaries from now on.
struct PollTurn {
    std::string_view gateway;  // "" when that is not known
    bool ours = false;
    bool known = false;  // false: each polls for itself, less often
};

}  // namespace event

/// Called on the directory thread, CacheDamaged also from Sync's constructor: implementations are quick and
/// do not throw.
class Observer {
public:
    virtual ~Observer() = default;
    virtual void on(const event::Synced&) {}
    virtual void on(const event::SyncFailed&) {}
    virtual void on(const event::CredentialsRefused&) {}
    virtual void on(const event::SuddenLoss&) {}
    virtual void on(const event::DomainClaimed&) {}
    virtual void on(const event::NamesUnusable&) {}
    virtual void on(const event::NotAdopted&) {}
    virtual void on(const event::CacheDamaged&) {}
    virtual void on(const event::CacheUnwritable&) {}
    // On the cluster's thread.
    virtual void on(const event::Cluster&) {}
    virtual void on(const event::PollTurn&) {}
};

}  // namespace postern::sync
