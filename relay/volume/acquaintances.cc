#include "relay/volume/acquaintances.h"

#include <algorithm>
#include <cstring>

namespace postern::relay {

namespace {

constexpr std::size_t line_octets = 64, lines = Acquaintances::octets / line_octets;
constexpr unsigned probes = 7;
constexpr std::string_view magic = "postern acquaintances 2\n", former = "postern acquaintances 1\n";

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

}  // namespace

Acquaintances::Acquaintances() {
    newer_.lines.resize(lines);
    older_.lines.resize(lines);
}

std::uint64_t Acquaintances::recipient(std::string_view address) { return hashed(address); }

std::uint64_t Acquaintances::pair(std::string_view sender, std::uint64_t recipient) {
    return mixed(hashed(sender) ^ (recipient * 3));
}

std::size_t Acquaintances::line_of(std::uint64_t pair) { return pair % lines; }

/// Seven of its 512 bits, each by nine bits of a number of their own.
Acquaintances::Line Acquaintances::bits_of(std::uint64_t pair) {
    Line out;
    std::uint64_t from = mixed(pair ^ 0x9e3779b97f4a7c15ull);
    for (unsigned probe = 0; probe < probes; ++probe, from >>= 9)
        out.words[from >> 6 & 7] |= std::uint64_t{1} << (from & 63);
    return out;
}

bool Acquaintances::test(const Generation& in, std::uint64_t pair) {
    const Line wanted = bits_of(pair);
    const Line& there = in.lines[line_of(pair)];
    for (std::size_t at = 0; at < wanted.words.size(); ++at)
        if ((there.words[at] & wanted.words[at]) != wanted.words[at]) return false;
    return true;
}

void Acquaintances::set(Generation& in, std::uint64_t pair) {
    const Line bits = bits_of(pair);
    Line& there = in.lines[line_of(pair)];
    for (std::size_t at = 0; at < bits.words.size(); ++at) there.words[at] |= bits.words[at];
    ++in.pairs;
}

bool Acquaintances::know(std::uint64_t pair) const { return test(newer_, pair) || test(older_, pair); }

bool Acquaintances::meet(std::uint64_t pair) {
    if (test(newer_, pair)) return true;
    const bool known = test(older_, pair);
    if (newer_.pairs >= most) {
        std::swap(newer_, older_);
        newer_ = Generation{std::vector<Line>(lines), 0};
    }
    set(newer_, pair);
    return known;
}

std::string Acquaintances::save() const {
    std::string out(magic);
    for (const auto* one : {&newer_, &older_}) {
        out.append(reinterpret_cast<const char*>(&one->pairs), sizeof one->pairs);
        out.append(reinterpret_cast<const char*>(one->lines.data()), octets);
    }
    const std::uint64_t sum = sum_of(out);
    out.append(reinterpret_cast<const char*>(&sum), sizeof sum);
    return out;
}

bool Acquaintances::restore(std::string_view saved) {
    constexpr std::size_t part = sizeof(std::uint64_t) + octets;
    std::uint64_t sum = 0;
    if (saved.starts_with(former)) return true;
    if (saved.size() != magic.size() + 2 * part + sizeof sum || !saved.starts_with(magic)) return false;
    std::memcpy(&sum, saved.data() + saved.size() - sizeof sum, sizeof sum);
    if (sum != sum_of(saved.substr(0, saved.size() - sizeof sum))) return false;
    const char* from = saved.data() + magic.size();
    for (auto* one : {&newer_, &older_}) {
        std::memcpy(&one->pairs, from, sizeof one->pairs);
        std::memcpy(one->lines.data(), from + sizeof one->pairs, octets);
        from += part;
    }
    return true;
}

}  // namespace postern::relay
