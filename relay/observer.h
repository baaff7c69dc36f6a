// What happened, told to whoever wants to log or count it. relay itself does neither.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "relay/mail/reply.h"

namespace postern::relay {

/// All text in events may come from the network: bounded, but not escaped.
namespace event {

struct Accepted {
    std::string_view id, from;  // `from` is "" for the null reverse-path
    std::size_t recipients = 0;
    std::uint64_t size = 0;                       // bytes, our Received field included
    std::string_view client, helo, primary, tls;  // tls: protocol and cipher, "" for clear text
    std::string_view message_id;                  // of the header, at most 250 octets; "" when it has none
    std::chrono::microseconds commit{0};          // from the end of data to the 250
    std::string_view journal{};                   // id of its copy for the archive, "" for none
    std::string_view
        screened{};      // the id that it went to the screening gateway with, "" when that is not known
    bool back = false;   // it comes from that gateway
    bool again = false;  // and did before
};

struct Refused {
    std::string_view client, helo, from, recipient;  // recipient "" when the message or sender was refused
    Reply reply;
    std::string_view rule;    // the configuration key or RFC rule that decided, e.g. "accept.sender"
    std::string_view reason;  // the verdict in words
    std::chrono::seconds directory_age{0};
    bool monitored = false;    // true: would have been refused, accept.mode is "monitor"
    std::uint64_t times = 1;   // more: so many of the rule together, of a stranger or of several
    std::string_view stage{};  // mail, rcpt, data, dot: what was answered; "" for anything else
};

/// Mail of one primary goes to another one, the first time since the start.
struct BetweenPrimaries {
    std::string_view from, to, domain;
};

struct Delivered {
    std::string_view id, from, recipient, route, host, tls;  // host: name[address]:port; tls: wanted, reached
    std::string_view egress;                                 // our address, "" for the system's choice
    Reply reply;
    std::chrono::milliseconds delay{0};  // since acceptance
    std::string_view signed_by{};        // names of DKIM keys, with spaces between
    bool to_screening = false;           // it comes back, and goes on from there
};

struct Deferred {
    std::string_view id, from, recipient, route, host;
    std::string_view stage;   // dns, connect, tls, ehlo, mail, rcpt, data, dot
    std::string_view reason;  // the remote reply's text or the error in words
    Reply reply;              // code 0: no reply, an error of the network
    std::chrono::system_clock::time_point next;
    unsigned attempts = 0;
    std::string_view egress;
};

struct Bounced {
    std::string_view id, from, recipient, route, host, stage, reason;
    Reply reply;
    std::string_view bounce_id;  // of the report sent, "" when none was due (null reverse-path, NOTIFY=NEVER)
    std::string_view egress;
    bool by_screening = false;  // that gateway refused it, and no recipient's host
};

/// A report that is not about a failure went to the sender.
struct Reported {
    std::string_view id, from, report_id, action;  // action: "delayed" or "relayed"
    std::size_t recipients = 0;
};

struct Removed {  // by an operator
    std::string_view id, from;
    std::string_view to;  // the first of those it had not reached yet
    std::size_t recipients = 0;
};

struct Held {  // by an operator, or released again; by itself where there is a reason
    std::string_view id, from;
    std::string_view to;  // as in Removed
    std::size_t recipients = 0;
    bool released = false;
    std::string_view why{};
};

/// A message waits for its turn, since its sender is slowed down.
struct Throttled {
    std::string_view id, from;
    std::size_t recipients = 0;
    std::string_view why;
    std::chrono::system_clock::time_point until;
};

/// A sender's volume is unusual, is answered more strongly, or is usual again.
struct Unusual {
    std::string_view sender, level;  // usual, noted, slowed, held
    std::string_view why;
    bool monitored = false;  // it would be answered so
};

/// Mail that went to the screening gateway and has not come back in time.
struct NotBack {
    std::string_view gateway;
    std::size_t messages = 0;
    std::string_view example, from;  // one of them: its id and sender
    std::chrono::seconds after{0};
};

/// One of our addresses is refused: nothing more leaves from it, to that site or at all.
struct Listed {
    std::string_view address;
    std::string_view site;  // "" for everywhere
    std::string_view by;    // "reply RULE", "blocklist ZONE" or "comparison"
    std::string_view text;  // what the receiver or the zone said
    std::chrono::system_clock::time_point until;
};

/// A verdict is over: mail leaves from the address again.
struct Unlisted {
    std::string_view address, site, why;
};

/// Mail for a site leaves from another address than before.
struct Rotated {
    std::string_view site, from, to, why;  // `to` is "" when none is left and mail waits
};

/// A domain that asks for it was told of TLS sessions with its hosts, or could not be for a day.
struct TlsReport {
    std::string_view domain;
    bool sent = false;
    std::string_view to;                       // who took it, with commas between
    std::string_view message;                  // the id of the mail that it is in, "" for none
    std::uint64_t successful = 0, failed = 0;  // sessions
    std::string_view why;                      // some reader did not take it
};

/// What a trouble is in. The log and the counters have its text.
enum class Area : std::uint8_t { delivery, dns, egress, listener, queue, reception, session, spool, tls };

constexpr std::string_view text_of(Area area) {
    constexpr std::array texts{"delivery",  "dns",     "egress", "listener", "queue",
                               "reception", "session", "spool",  "tls"};
    static_assert(texts.size() == static_cast<std::size_t>(Area::tls) + 1);
    return texts[static_cast<std::size_t>(area)];
}

/// Something an operator should know that belongs to no message.
struct Trouble {
    Area where = Area::delivery;
    std::string_view text;
    bool grave = false;  // mail is not accepted, or a record was set aside
};

/// A session ended; for counters and debugging, not an event line of its own.
struct SessionClosed {
    std::string_view client;
    unsigned commands = 0, messages = 0;
};

}  // namespace event

/// Called on relay's own threads, several at once: implementations are thread-safe, quick and do not throw.
class Observer {
public:
    virtual ~Observer() = default;
    virtual void on(const event::Accepted&) {}
    virtual void on(const event::Refused&) {}
    virtual void on(const event::BetweenPrimaries&) {}
    virtual void on(const event::Delivered&) {}
    virtual void on(const event::Deferred&) {}
    virtual void on(const event::Bounced&) {}
    virtual void on(const event::Removed&) {}
    virtual void on(const event::Reported&) {}
    virtual void on(const event::Held&) {}
    virtual void on(const event::Throttled&) {}
    virtual void on(const event::Unusual&) {}
    virtual void on(const event::NotBack&) {}
    virtual void on(const event::Listed&) {}
    virtual void on(const event::Unlisted&) {}
    virtual void on(const event::Rotated&) {}
    virtual void on(const event::TlsReport&) {}
    virtual void on(const event::Trouble&) {}
    virtual void on(const event::SessionClosed&) {}
};

}  // namespace postern::relay
