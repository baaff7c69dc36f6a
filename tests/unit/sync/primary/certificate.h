// Certificates made for one test.
#pragma once

#include <filesystem>
#include <string>

namespace postern::tests {

/// Writes a self-signed certificate and its key (PEM). `alternative_name`: "IP:127.0.0.1", "DNS:localhost";
/// "" for none.
void write_certificate(const std::filesystem::path& certificate, const std::filesystem::path& key,
                       const std::string& common_name, const std::string& alternative_name);

}  // namespace postern::tests
