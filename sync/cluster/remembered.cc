#include "sync/cluster/remembered.h"

#include "sync/base/words.h"

namespace postern::sync {

namespace {

constexpr const char* file_name = "cluster.state";
constexpr std::size_t octets_most = 4096;

}  // namespace

std::string encode(const Remembered& remembered) {
    return "position " + remembered.position + "\ngeneration " + remembered.generation + "\n";
}

Remembered decode_remembered(std::string_view text) {
    auto position = base::take_part(text, '\n');
    auto generation = base::take_part(text, '\n');
    if (base::take_part(position) != "position" || base::take_part(generation) != "generation") return {};
    return {std::string(position), std::string(generation)};
}

Remembered recall(const base::StateFolder& kept) {
    if (kept.disk == nullptr) return {};
    const auto read = base::read_file(*kept.disk, kept.path / file_name, octets_most);
    return read ? decode_remembered(*read) : Remembered();
}

bool keep(const base::StateFolder& kept, const Remembered& remembered) {
    return kept.disk == nullptr || !base::replace_file(*kept.disk, kept.path / file_name, encode(remembered));
}

}  // namespace postern::sync
