// The SOAP generation of the primary's web services: versions 2 to 16.x, base path /Services/. Every call
// carries the credentials; there are no sessions.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "sync/primary/attempts.h"
#include "sync/primary/http.h"
#include "sync/primary/primary.h"
#include "sync/primary/rotation.h"
#include "sync/settings.h"
#include "sync/soap/soap_reply.h"
#include "sync/soap/soap_request.h"

namespace postern::sync {

class Soap final : public Primary {
public:
    /// Throws std::invalid_argument when settings.url is no URL.
    Soap(PrimarySettings settings, const base::Clock& clock, std::stop_token stop);

    /// Whether this generation is there at all; shows no credentials.
    Result<void> probe();

    Result<void> sign_in() override { return {}; }
    Result<std::vector<ListedDomain>> domains() override;
    Result<DomainReading> read(const DomainRecord& known) override;
    Result<std::optional<Kind>> look_up(const std::string& local_part, const std::string& domain,
                                        base::Moment until) override;
    std::uint64_t requests() const override { return http_.sent(); }
    void hurry(bool on) override { http_.hurry(on); }
    void pause_between(std::chrono::milliseconds gap) override { http_.pause_between(gap); }

private:
    // An entry's own state takes a request each.
    static constexpr std::size_t looks_per_round = 500;   // shared among the domains, one for each at least
    static constexpr std::size_t looks_per_reading = 50;  // at most, of known entries and of new ones
    static constexpr std::size_t fresh_per_round = 500;   // new entries
    static constexpr int most_failures = 3;               // then the others would fail too

    /// What is remembered of a domain between its readings.
    struct DomainMemory {
        Rotation users, lists;
        std::set<std::string, std::less<>> closed_lists;
    };

    template <class Parse>
    auto call(const soap::Operation& operation, const std::vector<soap::Parameter>& parameters,
              Parse&& parse);
    Result<soap::Reply> send(std::optional<HttpRequest> request);
    Result<soap::SettingValues> settings_of(const soap::Operation& operation,
                                            const std::vector<soap::Parameter>& subject,
                                            const std::vector<std::string_view>& keys);
    Result<bool> switch_of(const soap::Operation& operation, const std::vector<soap::Parameter>& subject,
                           std::string_view key);
    template <class Look>
    Result<void> look_at(std::vector<std::string> fresh, const std::vector<std::string>& others,
                         Rotation& rotation, Look&& look);

    Result<DomainOptions> options(const std::string& domain);
    Result<DomainNames> domain_aliases(const std::string& domain);
    Result<AddressList> users(const std::string& domain, const Part<AddressList>& known,
                              DomainMemory& memory);
    Result<AddressList> lists(const std::string& domain, const Part<AddressList>& known,
                              DomainMemory& memory);
    Result<void> unite(const std::string& domain, const DomainMemory& memory, DomainReading& reading);
    Result<void> list_command(const std::string& domain, const DomainRecord& known, DomainReading& reading);

    PrimarySettings settings_;
    const base::Clock& clock_;
    HttpClient http_;
    base::TokenBucket attempts_{attempts_rate};  // after a refusal
    bool rejected_ = false;                      // the last call found its credentials refused

    std::map<std::string, DomainMemory, std::less<>> memory_;  // by the domain's spelling
    std::size_t share_ = looks_per_reading;                    // known entries looked at in one reading
    std::size_t fresh_left_ = fresh_per_round;           // new entries that may be looked at in this round
    std::optional<soap::DomainAliases> domain_aliases_;  // of all domains, read in this round
    bool keys_together_ = true;                          // several settings can be asked for at once
    std::optional<bool> domain_users_;  // GetDomainUsers works, as far as this round has shown
};

}  // namespace postern::sync
