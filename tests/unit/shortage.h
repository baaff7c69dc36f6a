// A process that may open no more files, write none larger, begin no thread, or see none of root's.
#pragma once

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>

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

/// A thread that is begun finds no room for its stack while it lives.
class NoThreads {
public:
    NoThreads() {
        pthread_getattr_default_np(&before_);
        pthread_attr_t attributes;
        pthread_getattr_default_np(&attributes);
        pthread_attr_setstacksize(&attributes, std::size_t{1} << 50);
        pthread_setattr_default_np(&attributes);
        pthread_attr_destroy(&attributes);
    }
    ~NoThreads() {
        pthread_setattr_default_np(&before_);
        pthread_attr_destroy(&before_);
    }
    NoThreads(const NoThreads&) = delete;
    NoThreads& operator=(const NoThreads&) = delete;

private:
    pthread_attr_t before_{};
};

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
