// What bounds whatever a web server says, in octets and in time, and what interrupts it: for each kind of
// primary that is asked over HTTP, with and without TLS.
#include <catch2/catch.hpp>
#include <optional>

#include "sync/back_ends.h"
#include "tests/unit/relay/https_server.h"
#include "tests/unit/sync/fixture.h"
#include "tests/unit/sync/primary/certificate.h"
#include "tests/unit/sync/primary/raw_server.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

using Write = std::function<bool(std::string_view)>;

/// Says the same to whoever asks, until he has gone.
class Asked {
public:
    Asked(std::string api, bool tls, std::function<void(const Write&)> say) {
        settings.name = "main";
        settings.api = std::move(api);
        settings.username = "gateway";
        settings.password_file = folder_.write("password", "secret");
        settings.gap = 0ms;
        if (!tls) {
            plain_.emplace([say](const RawServer::Send& send) { say(send); });
            settings.url = "http://" + plain_->where();
            return;
        }
        const auto certificate = folder_.path() / "cert.pem", key = folder_.path() / "key.pem";
        write_certificate(certificate, key, "x", "IP:127.0.0.1");
        secure_.emplace("127.0.0.1", certificate, key, [say](HttpsServer::Client& client) {
            say([&](std::string_view octets) { return client.write(octets); });
        });
        settings.url = "https://127.0.0.1:" + std::to_string(secure_->port());
        settings.ca_file = certificate;
    }

    Failure failure() {
        const auto primary = back_end(settings).make(settings, "test", {}, machine, stop.get_token());
        auto signed_in = primary->sign_in();  // not every kind has that
        if (!signed_in) return signed_in.error();
        return primary->domains().error();
    }

    PrimarySettings settings;
    std::stop_source stop;

private:
    Folder folder_;
    std::optional<RawServer> plain_;
    std::optional<HttpsServer> secure_;
};

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

/// Where, a busy machine decides.
bool took_too_long(Trouble trouble) {
    return trouble == Trouble::connect_timeout || trouble == Trouble::handshake ||
           trouble == Trouble::reply_timeout;
}

std::string api() { return GENERATE(as<std::string>(), "rest", "soap"); }

}  // namespace

TEST_CASE("no reply is read without end, whichever way it says how long it is", "[http]") {
    const std::string kind = api();
    const bool tls = GENERATE(false, true);
    const std::string piece(1 << 20, 'x');
    const auto start =
        GENERATE_COPY(as<std::string>(), ok + "\r\n", ok + "Content-Length: 99999999999\r\n\r\n",
                      ok + "Transfer-Encoding: chunked\r\n\r\n3ffffff\r\n" + std::string(100, 'x'),
                      ok + "X-Filler: ", "HTTP/1.1 100 Continue\r\nX-Filler: ");
    CAPTURE(kind, tls, start);
    Asked asked(kind, tls, [&](const Write& write) {
        for (bool there = write(start); there; there = write(piece)) {
        }
    });
    const Failure failure = asked.failure();
    CHECK(failure.fault == Fault::unreadable);
    CHECK(failure.trouble == Trouble::too_large);
}

TEST_CASE("a reply that drips ends with the patience there is for it", "[http]") {
    const std::string kind = api();
    const bool tls = GENERATE(false, true);
    const auto start = GENERATE_COPY(as<std::string>(), "", ok, ok + "Content-Length: 1000000\r\n\r\n");
    CAPTURE(kind, tls, start);
    Asked asked(kind, tls, [&](const Write& write) {
        for (bool there = write(start.empty() ? "H" : start); there; there = write("x"))
            std::this_thread::sleep_for(1ms);
    });
    asked.settings.patience = 300ms;
    const Failure failure = asked.failure();
    CHECK(failure.fault == Fault::unreachable);
    CHECK(took_too_long(failure.trouble));
}

TEST_CASE("a stop ends a reply at once, wherever it is", "[http]") {
    const std::string kind = api();
    const bool tls = GENERATE(false, true);
    const auto start = GENERATE_COPY(as<std::string>(), "H", ok, ok + "Content-Length: 1000000\r\n\r\n");
    CAPTURE(kind, tls, start);
    std::stop_source stop;
    Asked asked(kind, tls, [&](const Write& write) {
        write(start);
        stop.request_stop();
        while (write("x")) std::this_thread::sleep_for(1ms);
    });
    asked.settings.patience = 24h;
    asked.stop = stop;
    CHECK(asked.failure().fault == Fault::interrupted);
}

TEST_CASE("a server that does not shake hands is given up in time, or at a stop", "[http]") {
    const std::string kind = api();
    const bool stopped = GENERATE(false, true);
    CAPTURE(kind, stopped);
    std::stop_source stop;
    Asked asked(kind, false, [&](const Write& write) {
        if (stopped) stop.request_stop();
        // The start of a record that never ends.
        for (bool there = write(std::string_view("\x16\x03\x03\x40\x00", 5)); there; there = write("x"))
            std::this_thread::sleep_for(1ms);
    });
    asked.settings.url.replace(0, 4, "https");
    asked.settings.patience = stopped ? std::chrono::milliseconds(24h) : 400ms;
    asked.stop = stop;
    const Failure failure = asked.failure();
    CHECK(failure.fault == (stopped ? Fault::interrupted : Fault::unreachable));
    CHECK((stopped || took_too_long(failure.trouble)));
}
