#include "relay/security/sts_fetch.h"

#include "relay/net/addresses.h"
#include "relay/net/timer.h"
#include "relay/net/turns.h"
#include "relay/security/mta_sts.h"

namespace postern::relay {

struct StsFetch::Impl {
    struct Waiting {
        Waiting(net::io_context& io, const base::Clock& clock) : turn(io, clock) {}
        net::Timer turn;
        bool come = false;
    };

    Impl(net::io_context& io_, const base::Clock& clock_, net::Outside& outside_, StsFetchLimits limits_)
        : io(io_),
          clock(clock_),
          outside(outside_),
          limits(limits_),
          turns(limits.at_once, limits.each, limits.line) {}

    void call() {
        while (auto next = turns.next()) {
            auto waiting = next->second.lock();
            if (!waiting) {  // it was given up
                turns.done(next->first);
                continue;
            }
            waiting->come = true;
            waiting->turn.cancel();
        }
    }

    net::io_context& io;
    const base::Clock& clock;
    net::Outside& outside;
    StsFetchLimits limits;
    net::TlsContext tls;
    std::vector<Network> ignored;
    std::shared_ptr<OwnAddresses> own;
    net::Turns<std::weak_ptr<Waiting>> turns;
};

namespace {

StsFetched not_got(net::Asked asked, std::string why) { return StsFetched{asked, {}, std::move(why)}; }

}  // namespace

StsFetch::StsFetch(net::io_context& io, const base::Clock& clock, net::Outside& outside,
                   StsFetchLimits limits)
    : impl_(std::make_shared<Impl>(io, clock, outside, limits)) {}

void StsFetch::terms(net::TlsContext tls, std::vector<Network> ignored, std::shared_ptr<OwnAddresses> own) {
    impl_->tls = std::move(tls);
    impl_->ignored = std::move(ignored);
    impl_->own = std::move(own);
}

net::awaitable<StsFetched> StsFetch::get(std::string domain, std::vector<asio::ip::address> addresses) {
    /// A place, or one in the line for it, which goes back however this ends.
    struct Place {
        Place(std::shared_ptr<Impl> impl_, std::string asker_)
            : impl(std::move(impl_)),
              asker(std::move(asker_)),
              own(std::make_shared<Impl::Waiting>(impl->io, impl->clock)) {}
        ~Place() {
            if (!own->come) return;
            impl->turns.done(asker);
            impl->call();
        }
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;

        std::shared_ptr<Impl> impl;
        std::string asker;
        std::shared_ptr<Impl::Waiting> own;
    };

    auto impl = impl_;
    const std::string host = "mta-sts." + domain;
    if (addresses.empty()) co_return not_got(net::Asked::failed, host + " has no address");
    for (auto& address : addresses) address = plain(address);
    const std::string first = addresses.front().to_string();
    std::erase_if(addresses,
                  [&](const auto& address) { return must_ignore(impl->ignored, *impl->own, address); });
    if (addresses.empty())
        co_return not_got(net::Asked::failed,
                          host + " leads to " + first + ", where no host of others is asked");

    const Place place(impl, network_of(addresses.front(), 48));
    if (!impl->turns.push(place.asker, place.own))
        co_return not_got(net::Asked::not_made, "too many policies are being fetched");
    impl->call();
    if (!place.own->come) co_await place.own->turn.async_wait(net::as_value);

    net::HttpsRequest request;
    request.host = host;
    request.path = "/.well-known/mta-sts.txt";
    request.addresses = std::move(addresses);
    request.port = impl->limits.port;
    request.connect = impl->limits.connect;
    request.total = impl->limits.total;
    request.body = sts_policy_max;
    net::HttpsReply got =
        co_await net::https_get(impl->io, impl->clock, impl->outside, impl->tls, std::move(request));
    if (got.asked != net::Asked::answered)
        co_return StsFetched{got.asked, {}, std::move(got.why), got.untrusted};
    auto body = sts_reply(std::move(got.reply));
    if (!body) co_return not_got(net::Asked::failed, host + ' ' + body.error());
    co_return StsFetched{net::Asked::answered, std::move(*body), {}};
}

}  // namespace postern::relay
