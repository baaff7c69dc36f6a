// The REST generation of the primary's web services: builds 16.x and 100.x, base path /api/v1/.
#pragma once

#include <stop_token>
#include <string>
#include <string_view>

#include "sync/primary/attempts.h"
#include "sync/primary/http.h"
#include "sync/primary/primary.h"
#include "sync/rest/rest_reply.h"
#include "sync/settings.h"

namespace postern::sync {

/// One thing: every request may find the session ended, and then signs in again for all.
class Rest final : public Primary {
public:
    /// `client_id` must be stable and nobody else's: the primary keeps one session per user and client.
    /// Throws std::invalid_argument when settings.url is no URL.
    Rest(PrimarySettings settings, std::string client_id, const base::Clock& clock, std::stop_token stop);

    Result<void> sign_in() override;
    Result<std::vector<ListedDomain>> domains() override;
    Result<DomainReading> read(const DomainRecord& known) override;
    Result<std::optional<Kind>> look_up(const std::string& local_part, const std::string& domain,
                                        base::Moment until) override;
    std::uint64_t requests() const override { return http_.sent(); }
    void hurry(bool on) override { http_.hurry(on); }
    void pause_between(std::chrono::milliseconds gap) override { http_.pause_between(gap); }

private:
    /// Ways for an administrator into a domain.
    enum class Context : std::uint8_t { header, manage, impersonate };

    struct Token {
        std::string access, refresh;
        base::Moment refresh_at;
    };

    rest::Reply view(const HttpReply& reply) const;
    template <class Parse>
    auto ask(const HttpRequest& request, Parse&& parse);
    template <class Parse>
    auto ask_in_domain(const std::string& domain, const HttpRequest& request, Parse&& parse);
    Result<HttpReply> send(HttpRequest request, std::string_view token);
    Result<HttpReply> send_signed_in(const HttpRequest& request);
    Result<void> renew();
    Result<void> new_session();
    void keep(rest::TokenPair session, const HttpReply& reply);
    Result<std::string> token_in(const std::string& domain, Context context);

    Result<AddressList> users(const std::string& domain, const DomainRecord& known);
    Result<AddressList> resolve_disabled(const std::string& domain, const AddressList& listed,
                                         const AddressList& known);
    Result<AddressList> aliases(const std::string& domain);
    Result<std::optional<Kind>> user_kind(const std::string& local_part, const std::string& domain);
    Result<AddressList> search(const std::string& domain, rest::AccountType wanted);

    PrimarySettings settings_;
    std::string client_id_;
    const base::Clock& clock_;
    std::stop_token stop_;
    HttpClient http_;
    base::TokenBucket sign_ins_{attempts_rate},
        renewals_{attempts_rate};  // renewals: after a token was not taken
    Token token_;
    struct Way {
        Context context = Context::header;
        bool proven = false;  // in this round
    };
    Way way_, idn_way_;           // the latter: into domains that the header can name by A-labels only
    std::string entered_domain_;  // that entered_token_ acts in
    std::string entered_token_;
    std::size_t disabled_cursor_ = 0;  // among the users whose mail setting is looked at again
};

}  // namespace postern::sync
