// The kinds of primary there are: what each is called, which url it has, what it can, and how one is made.
#pragma once

#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "sync/base/clock.h"
#include "sync/base/kept_file.h"
#include "sync/primary/primary.h"
#include "sync/primary/url.h"
#include "sync/settings.h"

namespace postern::sync {

struct BackEnd {
    std::string_view api;             // in the settings
    std::span<const Scheme> schemes;  // of its url
    std::string_view url;             // what a right one is, with an example
    bool account;                     // it wants a user and a password
    bool lists;  // its domains and their addresses; if not, it is asked about each address by itself
    /// `client_id`: this installation's name there. `memory`: where what shall outlive a restart
    /// is kept, if anywhere. Throws std::invalid_argument when settings.url is none of its own.
    std::unique_ptr<Primary> (*make)(const PrimarySettings& settings, const std::string& client_id,
                                     const base::StateFolder& memory, const base::Clock& clock,
                                     std::stop_token stop);
};

/// The first is what is spoken where the settings do not say.
std::span<const BackEnd> back_ends();

/// nullptr: there is none of that name.
const BackEnd* find_back_end(std::string_view api);

/// Throws std::invalid_argument when there is none.
const BackEnd& back_end(const PrimarySettings& settings);

}  // namespace postern::sync
