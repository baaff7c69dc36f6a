#include "sync/cluster/remembered.h"

#include <type_traits>

#include "sync/base/words.h"

namespace postern::sync {

namespace {

constexpr const char* file_name = "cluster.state";
constexpr std::size_t octets_most = 4096;

}  // namespace

std::string encode(const Remembered& remembered) {
    return "position " + remembered.position + "\ngeneration " + remembered.generation + "\ngateways " +
           std::to_string(remembered.gateways) + "\n";
}

Remembered decode_remembered(std::string_view text) {
    const auto line = [&text](std::string_view name, auto& to) {
        auto one = base::take_part(text, '\n');
        if (base::take_part(one) != name) return false;
        if constexpr (std::is_same_v<decltype(to), unsigned&>)
            return base::parse_number(one, to) && to > 0;
        else
            to = one;
        return true;
    };
    Remembered out;
    if (line("position", out.position) && line("generation", out.generation) &&
        line("gateways", out.gateways))
        return out;
    return {};
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
