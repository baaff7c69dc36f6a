#include "tests/simulation/outside.h"

#include <deque>
#include <system_error>
#include <utility>

#include "relay/net/error.h"

namespace postern::simulation {

namespace {

using relay::net::DnsAnswer;
using relay::net::Lookup;
using relay::net::RecordType;
using relay::net::Timer;
using std::chrono::milliseconds;

std::string wire_name(std::string_view name) {
    std::string out;
    while (!name.empty()) {
        const auto dot = std::min(name.find('.'), name.size());
        out += static_cast<char>(dot);
        out += name.substr(0, dot);
        name.remove_prefix(std::min(dot + 1, name.size()));
    }
    return out + '\0';
}

awaitable<void> pause(io_context& io, const base::Clock& clock, milliseconds time) {
    Timer timer(io, clock);
    timer.expires_after(time);
    co_await timer.async_wait(relay::net::as_value);
}

/// What is not so: that there is no such name or record, nothing that can be read, a host that nobody knows.
DnsAnswer lie(Random& random) {
    DnsAnswer out;
    const auto kind = random.pick(4);
    out.status = kind == 0 ? Lookup::no_name : kind == 1 ? Lookup::no_data : Lookup::found;
    out.why = "the name servers say so";
    if (kind == 2)
        for (std::uint64_t records = random.between(1, 3); records > 0; --records) {
            std::string& record = out.records.emplace_back();
            for (std::uint64_t octets = random.pick(30); octets > 0; --octets)
                record += static_cast<char>(random.pick(256));
        }
    if (kind == 3) out.records = {std::string("\0\5", 2) + wire_name("nowhere.example")};
    return out;
}

/// Whoever connects waits for this octet: what has become of it.
constexpr char connected = 0;

}  // namespace

Fate fate_of(std::uint64_t seed, std::uint64_t number, Mood mood) {
    Random random(seed, "fate", number);
    Fate out;
    if (random.one_in(3)) out.piece = random.one_in(8) ? random.between(1, 10) : random.between(10, 400);
    if (mood == Mood::slow || random.one_in(4)) out.latency = milliseconds(random.between(1, 400));
    if (mood != Mood::tearing && !random.one_in(60)) return out;
    out.trouble = static_cast<Trouble>(random.between(1, 3));
    out.towards_gateway = random.one_in(2);
    out.at = random.between(1, random.one_in(2) ? 400 : 4000);
    return out;
}

// ---- where the gateway listens

struct Outside::Door {
    Door(io_context& io, const base::Clock& clock) : loop(io), bell(io, clock) {}
    io_context& loop;
    Timer bell;  // is never over, but cancelled
    std::deque<relay::net::Arrival> arrived;
    bool open = true;
};

class Outside::Listener final : public relay::net::Listener {
public:
    explicit Listener(std::shared_ptr<Door> door) : door_(std::move(door)) {}
    ~Listener() override { close(); }

    awaitable<tl::expected<relay::net::Arrival, std::error_code>> accept(io_context& io) override {
        const auto door = door_;
        while (door->open && door->arrived.empty()) co_await door->bell.async_wait(relay::net::as_value);
        if (!door->open) co_return tl::make_unexpected(make_error_code(std::errc::operation_canceled));
        auto out = std::move(door->arrived.front());
        door->arrived.pop_front();
        out.socket = Socket(io, asio::generic::stream_protocol(AF_UNIX, 0), out.socket.release());
        co_return out;
    }
    void close() override {
        door_->open = false;
        door_->arrived.clear();  // they belong to the gateway's loop
        door_->bell.cancel();
    }

private:
    const std::shared_ptr<Door> door_;
};

// ---- name servers

class Outside::Names final : public relay::net::NameService,
                             public std::enable_shared_from_this<Outside::Names> {
public:
    Names(Outside& outside, io_context& io) : outside_(outside), io_(io) {}

    void ask(const std::string& name, RecordType type, Done done) override {
        Random random(outside_.seed_, "question", ++outside_.questions_);
        outside_.clock_.happens();
        const Mood mood = outside_.mood("dns");
        const bool silent = mood == Mood::silent || (mood == Mood::tearing && random.one_in(3));
        DnsAnswer answer;
        if (silent) {
            answer.silent = true;
            answer.why = "the name servers did not answer in time";
        } else if (mood == Mood::refusing || (mood == Mood::busy && random.one_in(3))) {
            answer.why = "the name servers do not answer properly (SERVFAIL)";
        } else if (mood == Mood::hostile && random.one_in(3)) {
            answer = lie(random);
        } else {
            answer = outside_.answer(name, type);
        }
        // Nobody has as much patience as what asks has until it gives up.
        const milliseconds time = silent ? milliseconds(random.between(60'000, 400'000))
                                         : milliseconds(random.between(0, mood == Mood::slow ? 8000 : 60));
        asio::co_spawn(
            io_,
            [self = shared_from_this(), time]() -> awaitable<void> {
                co_await pause(self->io_, self->outside_.clock_, time);
            },
            [self = shared_from_this(), done = std::move(done),
             answer = std::move(answer)](const std::exception_ptr&) mutable {
                if (!self->closed_) done(std::move(answer));
            });
    }
    std::size_t at_once() const override { return 200; }
    void close() override { closed_ = true; }

private:
    Outside& outside_;
    io_context& io_;
    bool closed_ = false;
};

// ---- all of it

Outside::Outside(io_context& io, const Clock& clock, std::uint64_t seed)
    : io_(io), clock_(clock), seed_(seed) {}

Outside::~Outside() = default;

Mood Outside::mood(const std::string& address) const {
    const auto found = moods_.find(address);
    return found == moods_.end() ? Mood::well : found->second;
}

void Outside::add_domain(const std::string& domain, std::uint16_t preference, const std::string& host,
                         const std::string& address) {
    std::string record{static_cast<char>(preference >> 8), static_cast<char>(preference & 0xff)};
    records_[{domain, RecordType::mx}].push_back(record + wire_name(host));
    const auto octets = asio::ip::make_address_v4(address).to_bytes();
    records_[{host, RecordType::a}] = {std::string(octets.begin(), octets.end())};
}

DnsAnswer Outside::answer(const std::string& name, RecordType type) const {
    DnsAnswer out;
    if (const auto found = records_.find({name, type}); found != records_.end()) {
        out.status = Lookup::found;
        out.records = found->second;
        out.canonical = name;
        return out;
    }
    const auto any = records_.lower_bound({name, RecordType{}});
    const bool exists = any != records_.end() && any->first.first == name;
    out.status = exists ? Lookup::no_data : Lookup::no_name;
    out.why = exists ? "the name has no such record" : "the name does not exist";
    return out;
}

std::shared_ptr<Wire> Outside::wire(Socket gateway, Socket peer, Fate fate, std::string name) {
    auto out = std::make_shared<Wire>(io_, clock_, std::move(gateway), std::move(peer), fate, std::move(name),
                                      touched_);
    std::erase_if(wires_, [](const auto& one) { return one.expired(); });
    wires_.push_back(out);
    return out;
}

std::vector<std::string> Outside::connections() const {
    std::vector<std::string> out;
    for (const auto& one : wires_)
        if (const auto wire = one.lock()) out.push_back(wire->text());
    return out;
}

void Outside::hang_up_all() {
    for (const auto& one : wires_)
        if (const auto wire = one.lock()) wire->hang_up();
    if (const auto door = door_.lock()) door->arrived.clear();
    *touched_ = true;
}

std::pair<Socket, std::shared_ptr<Wire>> Outside::call(const std::string& from, Fate fate) {
    const auto door = door_.lock();
    if (!door || !door->open) return {Socket(io_), nullptr};
    auto [gateway, its_wire] = socket_pair(door->loop, io_);
    auto [peer, our_wire] = socket_pair(io_, io_);
    auto out = wire(std::move(its_wire), std::move(our_wire), fate, "from " + from);
    *touched_ = true;
    door->arrived.push_back({std::move(gateway), relay::net::Endpoint(asio::ip::make_address(from), 40000)});
    door->bell.cancel();
    out->start();
    return {std::move(peer), std::move(out)};
}

awaitable<std::error_code> Outside::connect(Socket& socket, relay::net::Endpoint to, std::string from) {
    clock_.happens();
    if (short_) co_return make_error_code(std::errc::too_many_files_open);
    const std::string address = to.address().to_string();
    const auto host = hosts_.find(address);
    const Mood its_mood = mood(address);
    if (host == hosts_.end() || its_mood == Mood::unreachable)
        co_return make_error_code(std::errc::host_unreachable);
    auto& loop = static_cast<io_context&>(socket.get_executor().context());
    auto [gateway, its_wire] = socket_pair(loop, io_);
    auto [peer, our_wire] = socket_pair(io_, io_);
    const std::uint64_t number = ++connections_;
    const auto between = wire(std::move(its_wire), std::move(our_wire), fate_of(seed_, number, its_mood),
                              std::to_string(number) + " to " + address);
    socket = std::move(gateway);
    Random random(seed_, "connect", number);
    auto open = [](Outside& self, std::shared_ptr<Wire> wire, Mood mood, milliseconds time, Host talk,
                   Socket end, std::uint64_t which, std::string source) -> awaitable<void> {
        co_await pause(self.io_, self.clock_, time);
        if (mood == Mood::silent) {  // until whoever connects has had enough
            co_await pause(self.io_, self.clock_, std::chrono::minutes(10));
            co_return;
        }
        if (mood == Mood::refusing) co_return wire->cut();
        co_await wire->tell_gateway(connected);
        wire->start();
        co_await talk(std::move(end), std::move(wire), which, std::move(source));
    };
    asio::co_spawn(io_,
                   open(*this, between, its_mood, milliseconds(random.between(0, 90)), host->second,
                        std::move(peer), number, std::move(from)),
                   [](const std::exception_ptr&) {});
    char octet = 1;
    auto [error, octets] = co_await socket.async_read_some(asio::buffer(&octet, 1), relay::net::as_value);
    if (error == asio::error::eof) co_return make_error_code(std::errc::connection_refused);
    co_return error;
}

tl::expected<std::unique_ptr<relay::net::Listener>, std::error_code> Outside::listen(io_context& io,
                                                                                     relay::net::Endpoint,
                                                                                     int) {
    const auto door = std::make_shared<Door>(io, clock_);
    door_ = door;
    return std::make_unique<Listener>(door);
}

std::shared_ptr<relay::net::NameService> Outside::names(io_context& io, const relay::DnsSettings&) {
    return std::make_shared<Names>(*this, io);
}

}  // namespace postern::simulation
