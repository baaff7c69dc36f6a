// Preloaded into a program: its files cannot be synced while the file $FAILING_SYNC holds the number of an
// errno.
#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>

extern "C" int fdatasync(int fd) {
    int number = 0;
    if (const char* name = std::getenv("FAILING_SYNC")) std::ifstream(name) >> number;
    if (number != 0) {
        errno = number;
        return -1;
    }
    static const auto real = reinterpret_cast<int (*)(int)>(::dlsym(RTLD_NEXT, "fdatasync"));
    return real(fd);
}
