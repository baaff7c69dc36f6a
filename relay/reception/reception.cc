#include "relay/reception/reception.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "relay/net/error.h"
#include "relay/net/gate.h"
#include "relay/reception/acceptance.h"
#include "relay/reception/companions.h"
#include "relay/reception/srs_secret.h"
#include "sync/base/file_fault.h"

namespace postern::relay {

namespace {

using Milliseconds = std::chrono::milliseconds;
constexpr std::chrono::seconds refusals_every{10}, volume_every{30};

net::awaitable<void> pause(net::io_context& io, const base::Clock& clock, Milliseconds time) {
    net::Timer timer(io, clock);
    timer.expires_after(time);
    co_await timer.async_wait(net::as_value);
}

}  // namespace

Reception::Reception(const std::vector<net::io_context*>& loops, const net::Machine& machine, Spool& spool,
                     Volume& volume, Screening& screening, const SettingsPtr& settings,
                     std::shared_ptr<const Marks> marks, std::shared_ptr<const sync::Snapshot> directory,
                     Observer& observer)
    : io_(*loops.front()),
      commons_(io_, machine, spool, volume, screening, observer),
      tick_(io_, machine.clock),
      volume_tick_(io_, machine.clock) {
    const SessionTerms terms{settings, std::move(directory), net::server_context(settings->tls),
                             rewriting(machine.disk, *settings), std::move(marks)};
    for (unsigned number = 0; number < loops.size(); ++number)
        halls_.push_back(Hall{std::make_unique<Sessions>(*loops[number], number, commons_, terms)});
    for (const auto& listener : settings->listeners) bind(machine.outside, listener);
}

void Reception::bind(net::Outside& outside, const ListenerSettings& settings) {
    std::string name = settings.address.host + " port " + std::to_string(settings.address.port);
    auto fail = [&name](const std::error_code& error) {
        throw std::runtime_error("cannot listen on " + name + ": " + error.message());
    };
    std::error_code error;
    const net::Endpoint endpoint(asio::ip::make_address(settings.address.host, error), settings.address.port);
    if (error) fail(error);
    auto listener = outside.listen(io_, endpoint, settings.inherited_fd);
    if (!listener) fail(listener.error());
    doors_.push_back(Door{std::move(*listener), settings.tls});
}

void Reception::start() {
    asio::co_spawn(io_, tell_refusals(), [this](const std::exception_ptr& fault) {
        if (fault)
            commons_.observer.on(
                event::Trouble{event::Area::session, "refusals of strangers are no longer counted", false});
    });
    asio::co_spawn(io_, commons_.room.watch(), [this](const std::exception_ptr& fault) {
        if (fault)
            commons_.observer.on(
                event::Trouble{event::Area::spool, "the room on the disk is no longer watched", true});
    });
    asio::co_spawn(io_, keep_volume(), [this](const std::exception_ptr& fault) {
        if (fault)
            commons_.observer.on(event::Trouble{event::Area::reception,
                                                "how much senders hand in is no longer written down", false});
    });
    for (auto& door : doors_)
        asio::co_spawn(io_, accept(door), [this](const std::exception_ptr& fault) {
            if (fault)
                commons_.observer.on(
                    event::Trouble{event::Area::listener, "stopped accepting connections", true});
        });
}

Reception::Hall& Reception::emptiest() {
    return *std::min_element(halls_.begin(), halls_.end(),
                             [](const Hall& a, const Hall& b) { return a.taken < b.taken; });
}

net::awaitable<void> Reception::accept(Door& door) {
    while (!stopping_) {
        Hall& hall = emptiest();
        auto arrival = co_await door.listener->accept(hall.sessions->io());
        if (stopping_) co_return;
        if (arrival) {
            tell_of_shortage({});
            begin(hall, std::move(*arrival), door.tls);
            continue;
        }
        const std::error_code error = arrival.error();
        if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) co_return;
        // Out of descriptors or memory: the connection stays in the backlog until there is room again.
        if (error != asio::error::connection_aborted) {
            tell_of_shortage(error);
            co_await pause(io_, commons_.clock, Milliseconds(200));
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
    commons_.observer.on(event::Trouble{event::Area::listener, text, false});
}

void Reception::begin(Hall& hall, net::Arrival arrival, ListenerTls tls) {
    const Settings& settings = *context().settings;
    std::string client = arrival.client.address().to_string();
    const PrimarySettings* known = primary_of(settings, client);
    std::string primary = known != nullptr ? known->name : std::string();
    if (screens(settings, client)) primary = screening_place;
    if (auto full = places_.take(settings, primary, client))
        return turn_away(std::move(arrival.socket), client, primary.empty(), *full);
    ++hall.taken;
    auto over = [this, &hall, primary = std::move(primary), client = std::move(client)] {
        asio::dispatch(io_, [this, &hall, primary, client] {
            --hall.taken;
            places_.give_back(primary, client);
        });
    };
    asio::dispatch(hall.sessions->io(), [&sessions = *hall.sessions, arrival = std::move(arrival), tls,
                                         over = std::move(over)]() mutable {
        sessions.begin(std::move(arrival), tls, std::move(over));
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
    commons_.refusals.tell_of(what, rule, stranger, nullptr, commons_.clock.now());
}

net::awaitable<void> Reception::tell_refusals() {
    while (!stopping_) {
        tick_.expires_after(refusals_every);
        co_await tick_.async_wait(net::as_value);
        commons_.refusals.flush();
    }
}

net::awaitable<void> Reception::keep_volume() {
    while (!stopping_) {
        volume_tick_.expires_after(volume_every);
        co_await volume_tick_.async_wait(net::as_value);
        if (stopping_) co_return;
        commons_.volume.keep(false);
        commons_.screening.keep(context().settings);
    }
}

void Reception::reload(const SettingsPtr& settings, const net::PreparedTls& tls,
                       const std::shared_ptr<const Srs>& srs, const std::shared_ptr<const Marks>& marks) {
    if (!tls)
        commons_.observer.on(event::Trouble{
            event::Area::tls, tls.error() + "; the certificate loaded before stays in use", false});
    commons_.volume.reload(*settings);
    for (auto& hall : halls_)
        asio::post(hall.sessions->io(), [&sessions = *hall.sessions, settings, srs, marks, tls] {
            sessions.reload(settings, tls, srs, marks);
        });
}

void Reception::publish(const std::shared_ptr<const sync::Snapshot>& directory) {
    for (auto& hall : halls_)
        asio::post(hall.sessions->io(),
                   [&sessions = *hall.sessions, directory] { sessions.publish(directory); });
}

net::awaitable<void> Reception::stop(std::chrono::seconds grace) {
    stopping_ = true;
    tick_.cancel();
    volume_tick_.cancel();
    commons_.room.stop();
    for (auto& door : doors_) door.listener->close();
    for (auto& hall : halls_)
        asio::dispatch(hall.sessions->io(), [&sessions = *hall.sessions] { sessions.leave(); });
    const base::Moment until = commons_.clock.now() + grace;
    net::Gate ending(io_, commons_.clock);
    for (auto& hall : halls_)
        asio::co_spawn(
            hall.sessions->io(), hall.sessions->end(until),
            asio::bind_executor(io_, [pass = ending.enter()](const std::exception_ptr& /*fault*/) {}));
    co_await ending.empty(base::Moment::max());
    commons_.refusals.flush();
}

void Reception::hurry() {
    for (auto& hall : halls_)
        asio::dispatch(hall.sessions->io(), [&sessions = *hall.sessions] { sessions.hurry(); });
}

}  // namespace postern::relay
