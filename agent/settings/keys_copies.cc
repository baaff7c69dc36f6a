#include "agent/settings/keys_copies.h"

#include <string>
#include <string_view>

#include "agent/settings/key_types.h"
#include "relay/mail/address.h"
#include "sync/base/ascii.h"

namespace postern::agent {
namespace {

std::string set_archive(Settings& settings, const Value& value) {
    const auto& text = std::get<std::string>(value);
    if (!text.empty() && !relay::parse_address(text))
        return key::quoted(text) + " is not an address such as \"journal@archive.example\"";
    settings.relay.journal.to = text;
    return {};
}

template <class Place>
Key of(Place place, std::string_view help) {
    return {"of", "list of \"user@domain\", \"domain\", \"*\"", std::vector<std::string>{"*"}, help,
            [place](Settings& settings, const Value& value) {
                auto& meant = place(settings);
                meant.clear();
                for (const auto& text : std::get<std::vector<std::string>>(value)) {
                    if (!is_route_sender(text))
                        return key::quoted(text) +
                               " is not a user (\"user@example.com\"), a domain (\"example.com\") or \"*\" "
                               "for everybody";
                    meant.push_back(base::lower(text));
                }
                return std::string();
            }};
}

Section journal() {
    using Direction = relay::JournalSettings::Direction;
    return {
        .name = "journal",
        .help =
            "Copies for an archive: of each message one journal report, with its envelope and the "
            "message as it came.",
        .keys = {
            {"to", "address", std::string(),
             "the archive's address, as \"journal@archive.example\"; empty: nothing is copied", set_archive},
            key::text(
                "gateway", "", [](Settings& s) -> auto& { return s.relay.journal.gateway; },
                "name of a [[gateway]] that leads to the archive; empty: as other mail for its address"),
            of([](Settings& s) -> auto& { return s.relay.journal.of; }, "whose mail, sent or received"),
            key::choice<Direction>(
                "direction", "all",
                {{"all", Direction::all},
                 {"outgoing", Direction::outgoing},
                 {"incoming", Direction::incoming}},
                [](Settings& s) -> auto& { return s.relay.journal.direction; },
                "outgoing: what primaries hand over; incoming: what others do")}};
}

Section screening() {
    return {.name = "screening",
            .help =
                "A gateway that looks into what primaries send (a data-loss filter): mail goes out "
                "through it and comes back.",
            .keys = {key::text(
                         "gateway", "", [](Settings& s) -> auto& { return s.relay.screening.gateway; },
                         "name of a [[gateway]]; empty: nothing is screened"),
                     key::networks(
                         "addresses", {}, [](Settings& s) -> auto& { return s.relay.screening.addresses; },
                         "where it hands mail back from; nobody else may send from there"),
                     of([](Settings& s) -> auto& { return s.relay.screening.of; },
                        "senders whose mail is screened"),
                     key::duration(
                         "expected_within", "1h", "10s", "7d",
                         [](Settings& s) -> auto& { return s.relay.screening.expected_within; },
                         "what has not come back by then is told")}};
}

}  // namespace

std::vector<Section> copies_sections() { return {journal(), screening()}; }

}  // namespace postern::agent
