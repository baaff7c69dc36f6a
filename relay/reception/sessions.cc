#include "relay/reception/sessions.h"

#include <exception>
#include <utility>

#include "relay/reception/session.h"

namespace postern::relay {

Sessions::Sessions(net::io_context& io, unsigned number, Commons& commons, SessionTerms terms)
    : context_{io,
               number,
               commons,
               commons.clock,
               commons.spool,
               commons.observer,
               std::move(terms.settings),
               std::move(terms.directory),
               std::move(terms.tls),
               std::move(terms.srs),
               std::move(terms.marks)},
      running_(io, commons.clock) {}

Sessions::~Sessions() = default;

void Sessions::begin(net::Arrival arrival, ListenerTls tls, std::function<void()> over) {
    auto session =
        std::make_shared<Session>(context_, net::Connection::create(std::move(arrival), context_.clock), tls);
    const auto place = sessions_.insert(sessions_.end(), session);
    asio::co_spawn(context_.io, session->run(),
                   [this, session, place, over = std::move(over),
                    pass = running_.enter()](const std::exception_ptr& fault) {
                       session->end();
                       sessions_.erase(place);
                       over();
                       if (!fault) return;
                       try {
                           std::rethrow_exception(fault);
                       } catch (const std::exception& what) {
                           context_.observer.on(event::Trouble{event::Area::session, what.what(), true});
                       }
                   });
}

void Sessions::leave() {
    context_.stopping = true;
    for (const auto& session : sessions_) session->leave();
}

net::awaitable<void> Sessions::end(base::Moment until) {
    if (!hurried_) co_await running_.empty(until);
    for (const auto& session : sessions_) session->cut_off();
    co_await running_.empty(context_.clock.now() + std::chrono::seconds(1));
}

void Sessions::hurry() {
    hurried_ = true;
    running_.give_up();
}

void Sessions::reload(SettingsPtr settings, const net::PreparedTls& tls, std::shared_ptr<const Srs> srs,
                      std::shared_ptr<const Marks> marks) {
    context_.settings = std::move(settings);
    context_.srs = std::move(srs);
    context_.marks = std::move(marks);
    // Sessions and listeners that have said that they have TLS keep it, also when its certificate is gone.
    if (tls && *tls) context_.tls = *tls;
}

}  // namespace postern::relay
