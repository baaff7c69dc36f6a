#include "relay/delivery/meaning.h"

#include <algorithm>
#include <string>

#include "relay/mail/address.h"
#include "sync/base/ascii.h"

namespace postern::relay {

namespace {

bool positive(const Reply& reply) { return reply.code >= 200 && reply.code < 300; }
bool go_ahead(const Reply& reply) { return reply.code >= 300 && reply.code < 400; }
bool is_one_of(const Reply& reply, std::initializer_list<int> codes) {
    return std::find(codes.begin(), codes.end(), int(reply.code)) != codes.end();
}

Meaning verdict(const Reply& reply) { return reply.permanent() ? Meaning::failed : Meaning::deferred; }

/// It is at another point than we are.
bool lost_track(const Reply& reply) { return is_one_of(reply, {500, 502, 503}); }

/// By code (530 is of RFC 3207 §4), by status, or in words.
bool asks_for_tls(const Reply& reply) {
    if (is_one_of(reply, {523, 530}) || (reply.status.subject == 7 && reply.status.detail == 10)) return true;
    const std::string text = base::lower(reply.text);
    return text.find("tls") != std::string::npos || text.find("encrypt") != std::string::npos ||
           text.find("secure connection") != std::string::npos;
}

/// X.5.3 is "too many recipients", whatever the code. Without a status that says otherwise 452 is (RFC 5321
/// §4.5.3.1.10), and 552 as older servers have it; a mailbox that is full says X.2.2.
bool too_many(const Reply& reply) {
    const EnhancedStatus& status = reply.status;
    if (status)
        return (status.subject == 5 && status.detail == 3) || (reply.code == 452 && status.subject == 3);
    return is_one_of(reply, {452, 552});
}

Meaning of_opening(Stage stage, const Reply& reply, const Before& before) {
    if (stage == Stage::tls) return reply.code == 220 ? Meaning::go_on : Meaning::clear_text;
    if (reply.code == 0)
        return stage == Stage::ehlo && before.unproven_tls ? Meaning::clear_text : Meaning::host;
    if (stage == Stage::greeting && reply.code == 220) return Meaning::go_on;
    if (stage == Stage::ehlo && positive(reply)) return Meaning::go_on;
    if (before.gave_up_tls) return Meaning::host;
    if (reply.code == 521 && stage != Stage::auth) return Meaning::host_for_good;  // RFC 7504
    // Whom it refuses by name it refuses; what it does not understand it may tomorrow.
    if (stage == Stage::ehlo && reply.permanent() && !lost_track(reply) && !is_one_of(reply, {501, 504}))
        return Meaning::host_for_good;
    return Meaning::host;
}

Meaning of_silence(Stage stage, const Before& before) {
    if (stage == Stage::dot) return Meaning::broken;  // it may have been taken
    if (before.reused) return Meaning::session;
    return stage == Stage::mail && before.unproven_tls ? Meaning::clear_text : Meaning::broken;
}

Meaning of_refusal(Stage stage, const Reply& reply, const Before& before) {
    const bool enough = stage == Stage::rcpt && before.recipients > 0 && too_many(reply);
    if (enough) return Meaning::too_many;
    if (stage == Stage::dot) return verdict(reply);
    if (reply.code == 421) return before.reused ? Meaning::session : Meaning::deferred;
    if (stage == Stage::content) return verdict(reply);
    if (before.reused && (lost_track(reply) || reply.code == 530)) return Meaning::session;
    // A session may have its fill of messages: only a fresh one tells whether it is about this one.
    if (stage == Stage::mail && before.took) return Meaning::session;
    if (stage != Stage::mail && reply.code == 503) return Meaning::broken;  // it had taken what went before
    const bool of_address = reply.status.subject == 1;
    if (before.parameters && is_one_of(reply, {501, 504, 555}) && !of_address) return Meaning::bare;
    // That clear text is not welcome says no more than that TLS failed.
    if (before.gave_up_tls && (stage == Stage::mail || asks_for_tls(reply))) return Meaning::deferred;
    return verdict(reply);
}

}  // namespace

Meaning meaning_of(Stage stage, const Reply& reply, const Before& before) {
    if (stage < Stage::rset) return of_opening(stage, reply, before);
    if (stage == Stage::rset) return positive(reply) ? Meaning::go_on : Meaning::session;
    if (reply.code == 0) return of_silence(stage, before);
    const bool hoped = stage == Stage::data ? go_ahead(reply) : positive(reply) && stage != Stage::content;
    if (hoped) return Meaning::go_on;
    if (reply.positive()) return stage == Stage::dot ? Meaning::broken : of_silence(Stage::data, before);
    return of_refusal(stage, reply, before);
}

}  // namespace postern::relay
