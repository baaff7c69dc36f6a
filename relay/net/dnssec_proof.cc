#include "relay/net/dnssec_proof.h"

#include <zlib.h>

#include <algorithm>

namespace postern::relay::net {

namespace {

constexpr std::string_view mark = "checksum ";

std::string checksum(std::string_view text) {
    return std::to_string(
        crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
}

}  // namespace

std::string write_proof(const DnsSettings& settings) {
    std::string text = "DNSSEC validated answers with these settings, and is demanded with them:\n";
    for (const auto& server : settings.servers) text += "server " + server + '\n';
    auto stub = settings.stub;
    std::sort(stub.begin(), stub.end());
    for (const auto& [zone, server] : stub) text += "stub " + zone + ' ' + server + '\n';
    text += "trust_anchors " + settings.trust_anchors.string() + '\n';
    return text + std::string(mark) + checksum(text) + '\n';
}

Proof read_proof(const std::optional<std::string_view>& text, const DnsSettings& settings) {
    if (!text) return Proof::none;
    if (*text == write_proof(settings)) return Proof::given;
    const std::size_t at = text->rfind(mark);
    if (at == std::string_view::npos) return Proof::damaged;
    const std::string_view above = text->substr(0, at);
    return text->substr(at) == std::string(mark) + checksum(above) + '\n' ? Proof::none : Proof::damaged;
}

}  // namespace postern::relay::net
