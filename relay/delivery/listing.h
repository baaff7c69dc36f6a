// What receivers' words and blocklists say of our addresses, and what comes of it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/delivery/environment.h"
#include "relay/delivery/names.h"
#include "relay/delivery/site.h"
#include "relay/delivery/sorting.h"
#include "relay/delivery/sources.h"
#include "relay/net/timer.h"

namespace postern::relay {

/// Judges, remembers in the egress pool and tells; it settles no mail and moves none. On the delivery loop.
class Listing {
public:
    Listing(Environment& env, Sources& sources, Names& names);

    /// Of a reply before any mail was named. True when it is about our address: mail is better sent from
    /// another.
    bool learn_from_reply(const Site& site, const Source& source, const Reply& reply, const Target& target);

    /// What a host's replies to a job say of our address.
    struct Words {
        bool listed = false;     // it is, by the rules
        bool suspected = false;  // nobody knows the text, and it may be about the address
    };
    /// Marks in `results` who was refused for our address and not for the mail: what was refused for good
    /// then waits, should no other address be left.
    Words weigh(Site& site, const Source& source, const Job& job, Results& results, const Target& target);
    /// The site took mail from it. What was suspected elsewhere is compared with that.
    void accepted(Site& site, const Source& source, const Job& job);
    /// No address of ours may send there: told with the one its mail left from last.
    void none_left(const Site& site, const std::string& why);
    void forget(const std::function<bool(const std::string& site)>& gone);

    /// Asks the blocklists, over and over, until the stop; `asked` is called after each round.
    net::awaitable<void> watch(std::function<void()> asked);
    void ask_now() { pause_.cancel(); }

private:
    void announce_listing(const std::optional<EgressPool::Verdict>& verdict);
    void announce_unlisting(const std::vector<EgressPool::Verdict>& verdicts, std::string_view why);
    void apply_judgement(const Site& site, const Source& source, const Judgement& judgement,
                         const Reply& reply, const EgressPool::Refuser& who);
    Judgement judge(const Job& job, std::size_t recipient, const Outcome& outcome, const Source& source,
                    std::string_view host) const;
    bool taken_at_its_word(const Site& site, const Job& job, std::size_t recipient, const Source& source,
                           const Outcome& outcome, std::string_view host) const;

    Environment& env_;
    Sources& sources_;
    EgressPool& pool_;
    Names& names_;
    std::map<std::string, std::string> leading_;  // by site: the address its mail left from last
    net::Timer pause_;                            // between two rounds of the blocklists
};

}  // namespace postern::relay
