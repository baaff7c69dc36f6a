// What `top -H` and a debugger call a thread.
#pragma once

#include <pthread.h>

#include <string>

namespace postern::base {

/// Of the calling thread; at most 15 octets.
inline void name_thread(const std::string& name) { ::pthread_setname_np(::pthread_self(), name.c_str()); }

}  // namespace postern::base
