#include "sync/directory/address_list.h"

#include <algorithm>

#include "sync/base/ascii.h"
#include "sync/limits.h"

namespace postern::sync {

namespace {

bool control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

bool AddressList::add(Kind kind, std::string_view local_part) {
    if (local_part.empty()) return false;
    if (local_part.size() > limits::local_part ||
        std::any_of(local_part.begin(), local_part.end(), control)) {
        unfit_.note(local_part);
        return false;
    }
    packed_ += static_cast<char>(kind);
    packed_ += static_cast<char>(static_cast<unsigned char>(local_part.size()));
    for (const char c : local_part) packed_ += base::lower(c);
    ++count_;
    return true;
}

std::optional<AddressList> AddressList::unpack(std::string_view packed) {
    AddressList list;
    list.packed_.reserve(packed.size());
    for (std::size_t at = 0; at < packed.size();) {
        if (packed.size() - at < 2) return std::nullopt;
        const auto kind = static_cast<unsigned char>(packed[at]);
        const auto length = static_cast<unsigned char>(packed[at + 1]);
        if (kind > static_cast<unsigned char>(Kind::resource) || packed.size() - at - 2 < length)
            return std::nullopt;
        if (!list.add(static_cast<Kind>(kind), packed.substr(at + 2, length))) return std::nullopt;
        at += 2u + length;
    }
    return list;
}

}  // namespace postern::sync
