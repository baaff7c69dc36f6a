// Many local parts with their kinds, packed: about two octets more than their text.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "sync/directory/kind.h"
#include "sync/directory/unfit.h"

namespace postern::sync {

class AddressList {
public:
    /// Adds a local part, ASCII letters in lower case; false when it is empty, too long or has control
    /// characters: then it is not in the list, and noted as unfit unless it is empty.
    bool add(Kind kind, std::string_view local_part);

    std::size_t size() const { return count_; }
    bool empty() const { return count_ == 0; }
    /// What could not be added.
    const Unfit& unfit() const { return unfit_; }
    void note(const Unfit& more) { unfit_.note(more); }
    friend bool operator==(const AddressList& a, const AddressList& b) { return a.packed_ == b.packed_; }

    template <class Visit>  // Visit(Kind, std::string_view local_part)
    void each(Visit&& visit) const {
        for (std::size_t at = 0; at < packed_.size();) {
            const auto length = static_cast<unsigned char>(packed_[at + 1]);
            visit(static_cast<Kind>(packed_[at]), std::string_view(packed_).substr(at + 2, length));
            at += 2u + length;
        }
    }

    /// For the cache: the bytes, and the list they stand for (nullopt when they are no list).
    const std::string& packed() const { return packed_; }
    static std::optional<AddressList> unpack(std::string_view packed);

private:
    std::string packed_;  // kind (1), length (1), local part
    std::size_t count_ = 0;
    Unfit unfit_;
};

}  // namespace postern::sync
