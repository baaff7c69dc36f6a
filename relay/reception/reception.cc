#include "relay/reception/reception.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "relay/net/error.h"
#include "relay/reception/session.h"
#include "sync/base/file_fault.h"

namespace postern::relay {

namespace {

using Milliseconds = std::chrono::milliseconds;
constexpr std::chrono::seconds refusals_every{10};

net::awaitable<void> pause(net::io_context& io, const base::Clock& clock, Milliseconds time) {
    net::Timer timer(io, clock);
    timer.expires_after(time);
    co_await timer.async_wait(net::as_value);
}

}  // namespace

Reception::Reception(net::io_context& io, const net::Machine& machine, Spool& spool, SettingsPtr settings,
                     std::shared_ptr<const sync::Snapshot> directory, Observer& observer)
    : context_(io, machine, spool, std::move(settings), std::move(directory), observer),
      running_(io, machine.clock),
      tick_(io, machine.clock) {
    for (const auto& listener : context_.settings->listeners) bind(machine.outside, listener);
}

void Reception::bind(net::Outside& outside, const ListenerSettings& settings) {
    std::string name = settings.address.host + " port " + std::to_string(settings.address.port);
    auto fail = [&name](const std::error_code& error) {
        throw std::runtime_error("cannot listen on " + name + ": " + error.message());
    };
    std::error_code error;
    const net::Endpoint endpoint(asio::ip::make_address(settings.address.host, error), settings.address.port);
    if (error) fail(error);
    auto listener = outside.listen(context_.io, endpoint, settings.inherited_fd);
    if (!listener) fail(listener.error());
    doors_.push_back(Door{std::move(*listener), settings.tls});
}

void Reception::start() {
    asio::co_spawn(context_.io, tell_refusals(), [this](const std::exception_ptr& fault) {
        if (fault)
            context_.observer.on(
                event::Trouble{event::Area::session, "refusals of strangers are no longer counted", false});
    });
    asio::co_spawn(context_.io, context_.room.watch(), [this](const std::exception_ptr& fault) {
        if (fault)
            context_.observer.on(
                event::Trouble{event::Area::spool, "the room on the disk is no longer watched", true});
    });
    for (auto& door : doors_)
        asio::co_spawn(context_.io, accept(door), [this](const std::exception_ptr& fault) {
            if (fault)
                context_.observer.on(
                    event::Trouble{event::Area::listener, "stopped accepting connections", true});
        });
}

net::awaitable<void> Reception::accept(Door& door) {
    while (!context_.stopping) {
        auto arrival = co_await door.listener->accept();
        if (context_.stopping) co_return;
        if (arrival) {
            tell_of_shortage({});
            begin(std::move(*arrival), door.tls);
            continue;
        }
        const std::error_code error = arrival.error();
        if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) co_return;
        // Out of descriptors or memory: the connection stays in the backlog until there is room again.
        if (error != asio::error::connection_aborted) {
            tell_of_shortage(error);
            co_await pause(context_.io, context_.clock, Milliseconds(200));
        }
    }
}

/// Once, and once more when it is over.
void Reception::tell_of_shortage(const std::error_code& error) {
    if (std::exchange(turned_off_, bool(error)) == bool(error)) return;
    const std::string text = error
                                 ? base::file_fault("no connection can be accepted", net::of_system(error)) +
                                       "; clients wait, sessions go on"
                                 : "connections are accepted again";
    context_.observer.on(event::Trouble{event::Area::listener, text, false});
}

void Reception::begin(net::Arrival arrival, ListenerTls tls) {
    std::string client = arrival.client.address().to_string();
    const PrimarySettings* known = primary_of(*context_.settings, client);
    std::string primary = known != nullptr ? known->name : std::string();
    if (auto full = places_.take(*context_.settings, primary, client))
        return turn_away(std::move(arrival.socket), client, known == nullptr, *full);
    auto session =
        std::make_shared<Session>(context_, net::Connection::create(std::move(arrival), context_.clock), tls);
    sessions_.insert(session);
    asio::co_spawn(
        context_.io, session->run(),
        [this, session, primary, client, pass = running_.enter()](const std::exception_ptr& fault) {
            session->end();
            sessions_.erase(session);
            places_.give_back(primary, client);
            if (!fault) return;
            try {
                std::rethrow_exception(fault);
            } catch (const std::exception& what) {
                context_.observer.on(event::Trouble{event::Area::session, what.what(), true});
            }
        });
}

void Reception::turn_away(net::Socket socket, const std::string& client, bool stranger, Rule rule) {
    const Decision decision = refuse(rule);
    std::error_code ignored;
    socket.non_blocking(true, ignored);
    std::string wire = decision.reply.wire();
    socket.write_some(asio::buffer(wire), ignored);
    event::Refused what;
    what.client = client;
    what.reply = decision.reply;
    what.rule = text_of(rule).name;
    what.reason = text_of(rule).when;
    context_.refusals.tell_of(what, rule, stranger, nullptr, context_.clock.now());
}

net::awaitable<void> Reception::tell_refusals() {
    while (!context_.stopping) {
        tick_.expires_after(refusals_every);
        co_await tick_.async_wait(net::as_value);
        context_.refusals.flush();
    }
}

void Reception::reload(SettingsPtr settings, const net::PreparedTls& tls, std::shared_ptr<const Srs> srs) {
    context_.settings = std::move(settings);
    context_.srs = std::move(srs);
    if (tls)
        context_.tls = *tls;
    else
        context_.observer.on(event::Trouble{
            event::Area::tls, tls.error() + "; the certificate loaded before stays in use", false});
}

net::awaitable<void> Reception::stop(std::chrono::seconds grace) {
    context_.stopping = true;
    tick_.cancel();
    context_.room.stop();
    for (auto& door : doors_) door.listener->close();
    for (const auto& session : sessions_) session->leave();
    co_await running_.empty(context_.clock.now() + grace);
    for (const auto& session : sessions_) session->cut_off();
    co_await running_.empty(context_.clock.now() + std::chrono::seconds(1));
    context_.refusals.flush();
}

}  // namespace postern::relay
