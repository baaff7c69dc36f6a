// A primary without web services, whose mail port is asked whether an address exists: MAIL FROM:<> and RCPT
// without a message (a "call-out"; RFC 5321 §3.3). It cannot list anything, so that its domains are those
// the settings name.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>

#include "sync/primary/primary.h"
#include "sync/primary/stream.h"
#include "sync/primary/url.h"
#include "sync/settings.h"
#include "sync/smtp/reply.h"

namespace postern::sync {

inline constexpr std::array<Scheme, 2> mail_schemes{
    {{"smtp", 25, false, false}, {"smtps", 465, true, false}}};

class Smtp final : public Primary {
public:
    /// smtp:// goes into TLS where that is offered, whatever the certificate says; smtps:// as `verify_tls`
    /// has it. Throws std::invalid_argument when settings.url is none of these.
    Smtp(PrimarySettings settings, const base::Clock& clock, std::stop_token stop);

    Result<void> sign_in() override { return {}; }
    /// Those of the settings, once the server greets.
    Result<std::vector<ListedDomain>> domains() override;
    /// Whether the domain takes every address, found by one that nobody has and remembered for hours. A
    /// catch-all of that kind is called "*".
    Result<DomainReading> read(const DomainRecord& known) override;
    Result<std::optional<Kind>> look_up(const std::string& local_part, const std::string& domain,
                                        base::Moment until) override;
    std::uint64_t requests() const override { return requests_; }

private:
    struct Test {
        bool takes_all = false;
        base::Moment lasts{};
    };

    Result<smtp::Reply> open(base::Moment deadline);
    Result<smtp::Reply> greet(base::Moment deadline);
    Result<smtp::Reply> reply(base::Moment deadline);
    Result<smtp::Reply> say(std::string_view command, base::Moment deadline);
    Result<smtp::Reply> recipient(std::string_view path);
    void leave(base::Moment deadline);
    Result<bool> exists(std::string_view local_part, std::string_view domain);

    PrimarySettings settings_;
    const base::Clock& clock_;
    Stream stream_;
    bool tls_;            // from the first octet
    bool clear_ = false;  // STARTTLS is offered, and does not work
    std::uint64_t requests_ = 0;
    std::map<std::string, Test, std::less<>> tests_;  // by domain
};

}  // namespace postern::sync
