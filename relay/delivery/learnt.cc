#include "relay/delivery/learnt.h"

#include <stdexcept>
#include <utility>

#include "relay/net/elsewhere.h"
#include "sync/base/file_fault.h"
#include "sync/base/kept_file.h"

namespace postern::relay {

namespace {

constexpr std::size_t learnt_max = 64u << 20;  // octets of a file

}  // namespace

std::string Learnt::recall(const char* name) const {
    const auto file = env_.settings->state_dir / name;
    auto text = base::read_file(env_.disk, file, learnt_max);
    if (text) return std::move(*text);
    if (text.error() == std::errc::no_such_file_or_directory) return {};
    throw std::runtime_error(
        "state_dir: cannot read " + base::file_fault(file, text.error()) +
        "; mend that, or take the file away: what was learnt of receivers is learnt again");
}

void Learnt::write(const char* name, std::string text, std::function<void(std::string)> failed) {
    asio::post(env_.workers.keeping, [&disk = env_.disk, file = env_.settings->state_dir / name,
                                      text = std::move(text), failed = std::move(failed)] {
        if (auto error = base::replace_file(disk, file, text))
            failed("cannot write " + base::file_fault(file, error));
    });
}

net::awaitable<void> Learnt::finish() {
    co_await net::elsewhere(env_.workers.keeping, [] { return true; });
}

}  // namespace postern::relay
