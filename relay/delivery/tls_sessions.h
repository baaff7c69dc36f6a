// Which domains a session, or one that there is none of, counts for in the reports about TLS (RFC 8460).
#pragma once

#include <set>
#include <string>

#include "relay/delivery/client.h"
#include "relay/delivery/site.h"
#include "relay/delivery/workplace.h"

namespace postern::relay {

/// One connection's: it counts for each domain once, when there is mail for it.
class TlsSessions {
public:
    explicit TlsSessions(Workplace& at) : at_(at) {}
    void carries(const Site& site, const Client& client, const Job& job);

private:
    Workplace& at_;
    std::set<std::string> counted_;
};

/// TLS failed, so that there is no session: for each domain with mail in line, of very many the first.
void count_failed_session(Workplace& at, const Site& site, const SourceQueue& from, const Target& target,
                          const Refusal& refusal);

}  // namespace postern::relay
