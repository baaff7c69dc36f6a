// The way into each program of unit tests.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>

int main(int argc, char** argv) {
    setenv("TZ", "UTC", 1);  // what is shown to people is in the zone of the machine
    std::signal(SIGPIPE, SIG_IGN);
    return Catch::Session().run(argc, argv);
}
