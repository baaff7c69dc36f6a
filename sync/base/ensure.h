// Contracts that hold however the program is built.
#pragma once

namespace postern::base {

/// Says on stderr what was not true and where, and aborts: systemd starts the program again, and the spool
/// recovers. For what only a fault in this program can break, never for what comes from outside.
[[noreturn]] void broken_contract(const char* condition, const char* why, const char* file, int line);

}  // namespace postern::base

/// `why`: the contract in words, as a string.
#define ENSURE(condition, why)          \
    ((condition) ? static_cast<void>(0) \
                 : ::postern::base::broken_contract(#condition, why, __FILE__, __LINE__))
