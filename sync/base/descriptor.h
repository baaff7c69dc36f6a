// The one owner of a file, socket or event of the system.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace postern::base {

/// Closed when it goes, unless released; -1 is none. What errno says survives the closing.
class Descriptor final {
public:
    explicit Descriptor(int number = -1) : number_(number) {}
    ~Descriptor() { close(); }
    Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        if (this != &other) {
            close();
            number_ = other.release();
        }
        return *this;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    explicit operator bool() const { return number_ >= 0; }
    int get() const { return number_; }
    [[nodiscard]] int release() { return std::exchange(number_, -1); }

    void close() {
        const int error = errno;
        if (number_ >= 0) ::close(number_);
        number_ = -1;
        errno = error;
    }

private:
    int number_;
};

}  // namespace postern::base
