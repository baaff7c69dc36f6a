#include "relay/volume/acquaintances.h"

#include <algorithm>
#include <cstring>

namespace postern::relay {

namespace {

constexpr std::size_t words = Acquaintances::octets / 8;
constexpr unsigned probes = 7;
constexpr std::string_view magic = "postern acquaintances 1\n";

std::uint64_t mixed(std::uint64_t value) {  // the finisher of splitmix64
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
    return value ^ (value >> 31);
}

std::uint64_t hashed(std::string_view text) {  // FNV-1a: the same in each process
    std::uint64_t out = 0xcbf29ce484222325ull;
    for (const char one : text) out = (out ^ static_cast<unsigned char>(one)) * 0x100000001b3ull;
    return mixed(out);
}

std::uint64_t sum_of(std::string_view octets) {
    std::uint64_t out = 0;
    for (; !octets.empty(); octets.remove_prefix(std::min<std::size_t>(8, octets.size()))) {
        std::uint64_t word = 0;
        std::memcpy(&word, octets.data(), std::min<std::size_t>(8, octets.size()));
        out = mixed(out ^ word);
    }
    return out;
}

std::uint64_t bit(std::uint64_t pair, unsigned probe) {
    return (pair + probe * (mixed(pair) | 1)) % (words * 64);
}

}  // namespace

Acquaintances::Acquaintances() {
    newer_.bits.resize(words);
    older_.bits.resize(words);
}

std::uint64_t Acquaintances::recipient(std::string_view address) { return hashed(address); }

std::uint64_t Acquaintances::pair(std::string_view sender, std::uint64_t recipient) {
    return mixed(hashed(sender) ^ (recipient * 3));
}

bool Acquaintances::test(const Generation& in, std::uint64_t pair) {
    for (unsigned probe = 0; probe < probes; ++probe) {
        const std::uint64_t at = bit(pair, probe);
        if ((in.bits[at / 64] >> (at % 64) & 1) == 0) return false;
    }
    return true;
}

void Acquaintances::set(Generation& in, std::uint64_t pair) {
    for (unsigned probe = 0; probe < probes; ++probe) {
        const std::uint64_t at = bit(pair, probe);
        in.bits[at / 64] |= std::uint64_t{1} << (at % 64);
    }
    ++in.pairs;
}

bool Acquaintances::know(std::uint64_t pair) const { return test(newer_, pair) || test(older_, pair); }

bool Acquaintances::meet(std::uint64_t pair) {
    if (test(newer_, pair)) return true;
    const bool known = test(older_, pair);
    if (newer_.pairs >= most) {
        std::swap(newer_, older_);
        newer_ = Generation{std::vector<std::uint64_t>(words), 0};
    }
    set(newer_, pair);
    return known;
}

std::string Acquaintances::save() const {
    std::string out(magic);
    for (const auto* one : {&newer_, &older_}) {
        out.append(reinterpret_cast<const char*>(&one->pairs), sizeof one->pairs);
        out.append(reinterpret_cast<const char*>(one->bits.data()), octets);
    }
    const std::uint64_t sum = sum_of(out);
    out.append(reinterpret_cast<const char*>(&sum), sizeof sum);
    return out;
}

bool Acquaintances::restore(std::string_view saved) {
    constexpr std::size_t part = sizeof(std::uint64_t) + octets;
    std::uint64_t sum = 0;
    if (saved.size() != magic.size() + 2 * part + sizeof sum || !saved.starts_with(magic)) return false;
    std::memcpy(&sum, saved.data() + saved.size() - sizeof sum, sizeof sum);
    if (sum != sum_of(saved.substr(0, saved.size() - sizeof sum))) return false;
    const char* from = saved.data() + magic.size();
    for (auto* one : {&newer_, &older_}) {
        std::memcpy(&one->pairs, from, sizeof one->pairs);
        std::memcpy(one->bits.data(), from + sizeof one->pairs, octets);
        from += part;
    }
    return true;
}

}  // namespace postern::relay
