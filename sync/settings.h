// Everything sync can be told, as plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace postern::sync {

struct PrimarySettings {
    std::string name;                    // unique
    std::string url;                     // of a scheme that `api` has
    std::string hostname = "localhost";  // of this machine, in EHLO
    std::string username;
    std::filesystem::path password_file;  // read whenever it is needed; a final newline is dropped
    std::string api = "auto";             // one of back_ends()
    std::chrono::seconds poll_every{300};
    std::chrono::seconds trust_for = std::chrono::hours(72);
    /// How long much smaller answers are doubted.
    std::chrono::seconds sudden_loss_hold = std::chrono::hours(1);
    std::vector<std::string> own{};      // domains that are its own whoever lists them; canonical
    std::filesystem::path ca_file;       // PEM; empty: the system's store
    bool verify_tls = true;              // false only for tests and closed networks
    bool plain_http = false;             // http:// beyond loopback was meant; checked by whoever reads it
    std::chrono::milliseconds gap{250};  // between two requests
    std::chrono::milliseconds patience{120000};  // for a whole request

    bool operator==(const PrimarySettings&) const = default;
};

}  // namespace postern::sync
