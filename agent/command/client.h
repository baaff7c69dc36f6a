// The commands' side of the gateway's socket.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <tl/expected.hpp>

#include "sync/base/clock.h"

namespace postern::agent {

/// An answer that was received, whatever its status.
struct Received {
    int status = 0;
    std::string body;  // at most 64 MiB
};

struct Call {
    std::string method = "GET";
    std::string path;  // not encoded
    std::multimap<std::string, std::string> parameters;
};

/// Over the Unix socket, or where that is not for us the one beside it that is for everybody; nothing is
/// asked of a stranger who listens there. The error says in words that nobody answered, or what broke on the
/// way.
tl::expected<Received, std::string> call(const std::filesystem::path& socket, const Call& call,
                                         const base::Clock& clock);

/// Whether a gateway may be asked there: somebody listens, or it cannot be told.
bool somebody_listens(const std::filesystem::path& socket);

}  // namespace postern::agent
