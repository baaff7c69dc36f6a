// A message in the form that a host takes it in.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <variant>

#include <tl/expected.hpp>

#include "relay/delivery/conversion.h"
#include "relay/queue/spool.h"

namespace postern::relay {

/// The octets that are sent of a message, without our trace field: in memory, or in a file. Copies of one
/// are read by themselves.
struct Form {
    Fit fit = Fit::as_is;
    std::shared_ptr<const std::string> bytes;
    std::optional<ContentFile> file;  // used when `bytes` is null
    std::uint64_t size = 0;
    bool dots = false;
};
using FormPtr = std::shared_ptr<const Form>;

/// Why there is no form: the host cannot take the message, or its content cannot be had.
using Formless = std::variant<Unfit, ContentFault>;

/// Makes forms on one thread, one after the other, so that no more than one large content is in memory,
/// however many hosts wait for one. What is converted for one host is shared by all that need the same as
/// long as somebody sends it; a large one is in a file without a name.
class Forms {
public:
    /// What is converted leaves `minimum_free` bytes on the disk.
    tl::expected<FormPtr, Formless> make(const Spool& spool, const Stored& stored, Abilities host,
                                         std::uint64_t minimum_free);

private:
    using Key = std::tuple<std::uint64_t, bool, bool>;  // message, abilities
    std::map<Key, std::weak_ptr<const Form>> made_;
};

/// The message as it came.
tl::expected<FormPtr, ContentFault> plain_form(const Spool& spool, const Stored& stored);

}  // namespace postern::relay
