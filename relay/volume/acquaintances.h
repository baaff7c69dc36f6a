// Who wrote to whom before.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::relay {

/// Pairs of a sender and a recipient, in a room of fixed size: two generations of a Bloom filter, all bits of
/// a pair in one line of the processor's cache. The older generation goes when the newer is full, so that a
/// pair is known for as long as it is used. One in some hundred pairs that are not known is taken for one
/// that is. A value.
class Acquaintances {
public:
    static constexpr std::size_t octets = std::size_t{2} << 20;  // of a generation
    static constexpr std::size_t most = octets * 8 / 10;         // pairs in one

    Acquaintances();

    /// Whether it was known; it is from now on.
    bool meet(std::uint64_t pair);
    bool know(std::uint64_t pair) const;
    static std::uint64_t pair(std::string_view sender, std::uint64_t recipient);
    static std::uint64_t recipient(std::string_view address);  // in lower case

    /// As octets, to be kept.
    std::string save() const;
    /// False: it is none of save(). What a version before saved is not known any more.
    bool restore(std::string_view octets);

private:
    struct alignas(64) Line {
        std::array<std::uint64_t, 8> words{};
    };
    struct Generation {
        std::vector<Line> lines;
        std::uint64_t pairs = 0;
    };
    static Line bits_of(std::uint64_t pair);
    static std::size_t line_of(std::uint64_t pair);
    static bool test(const Generation& in, std::uint64_t pair);
    static void set(Generation& in, std::uint64_t pair);

    Generation newer_, older_;
};

}  // namespace postern::relay
