#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <cstdlib>

int main(int argc, char** argv) {
    setenv("TZ", "UTC", 1);  // what is shown to people is in the zone of the machine
    return Catch::Session().run(argc, argv);
}
