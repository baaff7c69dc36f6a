// What an address is on its primary.
#pragma once

#include <cstdint>

namespace postern::sync {

/// What a stored address is on its primary.
enum class Kind : std::uint8_t {
    user,
    user_receiving,  // may not sign in, still receives mail
    user_unread,     // may not sign in; whether it receives could not be read yet, so mail is taken
    user_disabled,   // may neither sign in nor receive
    alias,
    mailing_list,
    list_command,
    resource,  // a room or a piece of equipment
};

}  // namespace postern::sync
