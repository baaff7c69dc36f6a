// A spool in which many messages wait, for a gateway that is started on it: see `waiting`.
//
//   backlog STATE_DIR MESSAGES [OCTETS]
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <string>

#include "relay/queue/spool.h"

namespace {

using namespace postern::relay;

constexpr std::size_t batch = 512;  // that arrive together

StoredPtr message(Spool& spool, const std::string& content, std::size_t number) {
    auto stored = std::make_shared<Stored>();
    Message& out = stored->message;
    out.id = spool.new_id();
    out.envelope.reverse_path = Address{"sender", "bench.example"};
    out.envelope.forward_paths = {
        Address{"recipient" + std::to_string(number), "dest" + std::to_string(number % 1000) + ".example"}};
    out.envelope.client = "127.0.0.1";
    out.envelope.primary = "bench";
    out.content.size = content.size();
    out.content.bytes = std::make_shared<const std::string>(content);
    out.content.checksum = checksum(content);
    return stored;
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 3) return std::fprintf(stderr, "usage: backlog STATE_DIR MESSAGES [OCTETS]\n"), 64;
    const std::size_t messages = std::stoul(arguments[2]);
    std::string content = "Subject: waiting\r\n\r\n";
    content.resize(count > 3 ? std::stoul(arguments[3]) : 1024, 'x');
    content.replace(content.size() - 2, 2, "\r\n");

    std::mutex mutex;
    std::condition_variable wake;
    std::size_t accepted = 0;
    const postern::base::SystemClock clock;
    postern::base::SystemDisk disk;
    Spool spool(
        arguments[1], clock, disk, {},
        [&](const Committed& done) {
            const std::lock_guard lock(mutex);
            accepted += done.accepted.size();
            wake.notify_all();
        },
        [](std::string_view what, bool) {
            std::printf("spool: %.*s\n", static_cast<int>(what.size()), what.data());
        });
    spool.start();
    for (std::size_t number = 0; number < messages;) {
        for (std::size_t at = 0; at < batch && number < messages; ++at, ++number)
            spool.accept(message(spool, content, number), {});
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return accepted == number; });
    }
    spool.stop();
    std::printf("%zu messages wait\n", messages);
    return 0;
}
