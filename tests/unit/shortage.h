// A process that may open no more files, write none larger, begin one thread more, or see none of root's.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <system_error>
#include <thread>

namespace postern::tests {

/// The sanitizers open descriptors themselves, to see what may be read: without any they report faults there
/// are not.
#if defined(__has_feature)
inline constexpr bool sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool sanitized = false;
#endif

/// A limit of the process, as long as it lives.
template <int Which>
class Limited {
public:
    explicit Limited(std::uint64_t most) {
        getrlimit(Which, &before_);
        const rlimit limit{most, before_.rlim_max};
        setrlimit(Which, &limit);
    }
    ~Limited() { setrlimit(Which, &before_); }
    Limited(const Limited&) = delete;
    Limited& operator=(const Limited&) = delete;

private:
    rlimit before_{};
};

/// No more files can be opened while it lives.
class NoDescriptors : Limited<RLIMIT_NOFILE> {
public:
    NoDescriptors() : Limited(0) {}
};

/// What would make a file larger is written in part or not at all, as on a full disk.
class FilesUpTo : Limited<RLIMIT_FSIZE> {
public:
    explicit FilesUpTo(std::uint64_t octets) : Limited(octets) { std::signal(SIGXFSZ, SIG_IGN); }
};

/// For good, of a process of its own that is root: it gets an account of its own that may have one thread
/// more than there are.
inline void allow_one_more_thread() {
    const uid_t own = 2'000'000'000 + static_cast<uid_t>(getpid());
    rlimit limit{};
    getrlimit(RLIMIT_NPROC, &limit);
    if (setresuid(own, own, own) != 0) std::abort();
    for (limit.rlim_cur = 1;; ++limit.rlim_cur) {
        setrlimit(RLIMIT_NPROC, &limit);
        try {
            return std::thread([] {}).join();
        } catch (const std::system_error&) {  // not yet
        }
    }
}

/// Root's rights are given up while it lives. `lacks` is false where they were never there.
class Nobody {
public:
    Nobody() {
        if (geteuid() == 0) lacks = seteuid(65534) == 0;
    }
    ~Nobody() {
        if (lacks && seteuid(0) != 0) std::abort();
    }
    Nobody(const Nobody&) = delete;
    Nobody& operator=(const Nobody&) = delete;

    bool lacks = false;
};

}  // namespace postern::tests
