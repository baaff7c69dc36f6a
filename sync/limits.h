// Limits of what a primary may send, and of what is kept of it, that several rooms of sync go by, and how
// they depend on each other: far more than any primary has, and no more than a machine can hold. One that
// only a single file needs stands in that file.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace postern::sync::limits {

/// Octets of a local part.
inline constexpr std::size_t local_part = 255;
static_assert(local_part <= std::numeric_limits<std::uint8_t>::max(), "its length is packed into one octet");

/// Octets that a name is counted with besides its own.
inline constexpr std::size_t beside_a_name = 16;

// Of one primary: domains in its list, and other names of one of them; addresses in one list of a domain;
// octets of all names.
inline constexpr std::size_t domains = 50'000, addresses = 1'000'000, octets = 160u << 20;
static_assert(addresses * (beside_a_name + 32) <= octets, "the longest list of usual names is kept");
static_assert(octets <= std::numeric_limits<std::uint32_t>::max() / 8,
              "the table of addresses has room for several such primaries");

// Octets of one answer of the primary's web services, and of what comes with it.
inline constexpr std::size_t answer = 64u << 20, answer_header = 64u << 10;

// A list that comes in pages: entries of each, how many are asked for, octets of the names in all of them.
inline constexpr std::size_t page = 500, pages = 20'000, octets_of_pages = 64u << 20;
static_assert(page * pages >= addresses, "a list as long as is kept can be turned over to its end");
static_assert(octets_of_pages <= octets, "what was turned over can be kept");

/// Elements and attributes of an answer in XML.
inline constexpr std::size_t elements = 2'000'000;
static_assert(elements > addresses, "a list as long as is kept can be read");

/// Octets of the primary's own words that are shown.
inline constexpr std::size_t words = 200;

// Single addresses: questions to one primary at the same time, those who wait for the answers, answers that
// are remembered.
inline constexpr std::size_t questions = 100, waiting = 10'000, learned = 10'000;
static_assert(questions <= waiting && questions <= learned, "each question has somebody, and is remembered");

// Domains with mail since the poller looked last, and those that it reads first.
inline constexpr std::size_t with_mail = 10'000, preferred = 20'000;
static_assert(with_mail <= preferred, "those of one look are all among them");

// Octets of what other gateways have handed on and was not looked at yet, but for the last: all of one
// primary fits, with what stands beside the names.
inline constexpr std::size_t handed = 512u << 20;
static_assert(octets + domains * 2000 <= handed, "the largest primary can be handed on");

// How long a primary is left alone: at the most when it says so with Retry-After, and when it has locked the
// account but does not say for how long (three attempts an hour).
inline constexpr std::chrono::seconds retry_after = std::chrono::hours(1), lockout = std::chrono::minutes(20);
static_assert(lockout <= retry_after, "a locked account is left alone for so long");

}  // namespace postern::sync::limits
