// What relay tells about itself, as plain values for the status endpoint and the commands.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "relay/mail/reply.h"

namespace postern::relay {

/// Which messages a queue command means; empty fields match everything, given ones must all match.
struct QueueFilter {
    std::string id;
    std::string sender;       // whole reverse-path or its domain
    std::string recipient;    // whole forward-path or its domain
    std::string route;        // gateway name or recipient domain as shown in RecipientView::route
    bool held = false;        // with recipients that are held
    std::string account{};    // account_of() the reverse-path
    bool restrained = false;  // since its sender's volume was unusual
    std::chrono::system_clock::time_point before{};  // arrived earlier; the epoch: whenever
};

/// Which messages come first in a list: the one that is tried next, the largest, the most often tried.
enum class QueueOrder : std::uint8_t { oldest, newest, next, size, attempts };

/// What waits, counted; of each kind the largest counts, and how many more there are.
struct QueueSummary {
    /// Where one column of ages ends and the next begins; what is older has a column of its own.
    static constexpr std::array<std::chrono::minutes, 7> ages{
        std::chrono::minutes(5), std::chrono::minutes(15), std::chrono::hours(1), std::chrono::hours(4),
        std::chrono::hours(12),  std::chrono::hours(24),   std::chrono::hours(72)};
    struct Destination {
        std::string route;           // also of what is held
        std::uint64_t messages = 0;  // with recipients there
        std::array<std::uint64_t, ages.size() + 1> by_age{};
    };
    struct Sender {
        std::string address;
        std::uint64_t messages = 0, bytes = 0;
    };
    struct Reason {
        std::string text;  // without what differs from one message to the other
        std::uint64_t recipients = 0;
    };
    std::uint64_t messages = 0, recipients = 0, held = 0, bytes = 0;  // held: of the recipients
    std::chrono::system_clock::time_point oldest{};                   // when it arrived
    std::vector<Destination> destinations;
    std::vector<Sender> senders;
    std::vector<Reason> reasons;
    std::uint64_t more_destinations = 0, more_senders = 0, more_reasons = 0;
};

/// What a recipient is at. Pages and commands have its text.
enum class RecipientState : std::uint8_t { ready, delivering, waiting, held, delivered, failed };

constexpr const char* text_of(RecipientState state) {
    constexpr std::array texts{"ready", "delivering", "waiting", "held", "delivered", "failed"};
    static_assert(texts.size() == static_cast<std::size_t>(RecipientState::failed) + 1);
    return texts[static_cast<std::size_t>(state)];
}

struct RecipientView {
    std::string address;
    RecipientState state = RecipientState::ready;
    std::string route;  // "mx:example.net", "gateway:archive", "primary:main"
    unsigned attempts = 0;
    std::chrono::system_clock::time_point next;  // of waiting recipients
    std::string why;                             // in words: remote reply or error, host and stage
    std::string egress;   // our address at the last attempt, "" for the system's choice
    std::string tls;      // wanted and reached at the last attempt
    bool pinned = false;  // to its route by an operator
};

struct MessageView {
    std::string id, from, client, primary;
    std::string origin;  // in words, of what was another message before; "" for most
    std::chrono::system_clock::time_point arrived, expires;  // expires: the epoch for never
    std::uint64_t size = 0;
    std::vector<RecipientView> recipients;
    std::string header;  // of one message that is shown, at most 64 KiB, without our own field
};

/// A part of the queue.
struct QueuePage {
    std::vector<MessageView> messages;
    bool more = false;  // others follow
};

/// What came of something an operator asked of messages.
struct Applied {
    std::size_t messages = 0;    // it applies to
    std::size_t delivering = 0;  // of those: being sent just now, which comes first
    std::size_t held = 0;        // not of those: held, and must be released before

    Applied& operator+=(const Applied& other) {
        messages += other.messages;
        delivering += other.delivering;
        held += other.held;
        return *this;
    }
};

struct DestinationView {
    std::string route;
    std::string site;  // the mail exchangers it leads to, "" while not known; limits are the site's
    std::size_t ready = 0, delivering = 0, waiting = 0, connections = 0;
    std::string trouble;                               // "" when healthy
    std::chrono::system_clock::time_point next_try{};  // when trouble is set
};

struct GatewayView {
    std::string name, address, tls, type;
    bool enabled = true;
    std::size_t connections = 0, waiting = 0;
    std::string trouble;  // "" when healthy
    std::chrono::system_clock::time_point next_try{};
};

/// Why one of our addresses is not used.
struct ListingView {
    std::string site;  // "" for everywhere
    std::string by, text;
    std::chrono::system_clock::time_point since, until;
    bool probing = false;  // little mail is let through to see whether it is over
};

/// A domain's TLS sessions of a day, or until its report was wanted. Times are of the wall.
struct TlsReportView {
    std::string domain;
    std::chrono::system_clock::time_point begin{}, end{}, due{};
    std::uint64_t successful = 0, failed = 0;
    unsigned attempts = 0;   // that no reader took the report at
    std::string_view state;  // counted, waits, under way, sent, not wanted, given up
    std::string trouble;     // of the last attempt
};

struct EgressView {
    std::string address, hostname;  // address "" for the system's choice
    bool suspended = false;
    std::uint64_t sent_today = 0;
    std::uint64_t allowance = 0;           // messages today while it warms up, 0: no limit
    unsigned warm_up_day = 0;              // from 1
    std::vector<std::string> held_back{};  // sites that hold its warm-up back today
    std::vector<ListingView> listings;
};

/// Whether the archive takes the copies that are made for it.
struct ArchiveView {
    std::chrono::system_clock::time_point since;  // it takes none; the epoch: it does
    std::string reason;
};

struct State {
    std::uint64_t messages = 0;                      // in the spool
    std::uint64_t held = 0;                          // of those, counted up to 100,000
    std::chrono::system_clock::time_point oldest{};  // when the one that waits longest arrived
    std::uint64_t bytes = 0;                         // the spool's files on disk
    std::uint64_t sessions = 0;                      // incoming, open now
    std::uint64_t connections = 0;                   // outgoing, open now
    std::uint64_t damaged = 0;                       // records set aside since the start
    ArchiveView archive;
    std::chrono::seconds overdue{
        0};                 // how long mail is past its time that no trouble of its destination delays
    std::string not_ready;  // why mail is not accepted, "" when it is
    std::vector<DestinationView> destinations;  // at most 1000, those with trouble first
};

/// What a look at all of the spool's files found.
struct SpoolCheck {
    std::uint64_t segments = 0, records = 0, octets = 0;  // of the journal
    std::uint64_t messages = 0;                           // that wait, by the journal
    std::uint64_t contents = 0;                           // of those, with a file of their own
    std::vector<std::string> faults;                      // in words, each with its place
    std::vector<std::string> remarks;                     // what is no fault, but worth knowing
    std::string trouble;                                  // why they cannot be looked at, "" when they were
};

/// A file of what was set aside, in STATE_DIR/damaged.
struct SetAsideView {
    std::string file;
    std::uint64_t size = 0;  // octets
    std::string what;        // in words
    // Of a message whose envelope still proves itself:
    bool restorable = false;
    std::string from;
    std::vector<std::string> to;  // who may not have it yet
    std::chrono::system_clock::time_point arrived{};
};
struct SetAsidePage {
    std::vector<SetAsideView> files;
    bool more = false;
    std::string trouble{};  // why it cannot be seen
};

/// What came of taking one of them again.
struct Restored {
    enum class Result : std::uint8_t {
        done,
        absent,   // there is no such file
        useless,  // it cannot be taken
        put_off,  // the spool takes nothing at present
    };
    Result result = Result::done;
    std::string why;  // of what is not done; of what is: what else to know, "" for nothing
    std::string id, from;
    std::vector<std::string> to;
    bool whole = true;  // its content is as it was accepted
};

/// What would happen to a message, in words. Sends nothing.
struct Explanation {
    Reply sender;     // 250 or the refusal
    Reply recipient;  // 250 or the refusal
    std::string sender_why, recipient_why;
    std::string route;               // as in RecipientView::route, "" when refused
    std::string route_why;           // which rule chose it
    std::vector<std::string> hosts;  // next hops in the order they would be tried, name[address]:port
    std::string tls;                 // the policy, and what made it
    std::string egress;              // address and EHLO name it would leave with, and why
    std::string limits;              // connections and messages per minute of the site
    std::string volume;              // how much the sender sends, and what is usual for it
    std::string signatures;          // DKIM keys it would be signed with, were From the sender; "" for none
    std::string trouble;             // of the destination just now, "" when there is none
    std::chrono::system_clock::time_point next_try{};  // when there is
};

/// What went through the screening gateway, since the counts began.
struct ScreeningView {
    struct Message {
        std::string id, sender;
        std::uint64_t recipients = 0;  // it did not come back for
        std::chrono::system_clock::time_point since;
    };
    std::string gateway;               // "": there is none
    std::uint64_t went = 0, back = 0;  // messages
    std::uint64_t away = 0;            // at present, and of them `missing` for longer than they may
    std::uint64_t missing = 0;
    std::uint64_t again = 0;     // came back more often than they went
    std::uint64_t given_up = 0;  // that nobody waits for any more
    std::vector<Message> list;   // of the missing ones, the oldest first, at most 1000
};

}  // namespace postern::relay
