// primary_double --port 0|N --world world.json [--tls-cert FILE --tls-key FILE]; see README.md.
#include <csignal>
#include <fstream>
#include <iostream>
#include <map>
#include <string>

#include "tests/support/primary_double.h"

int main(int argc, char** argv) {
    using namespace postern::tests;
    std::map<std::string, std::string> options{
        {"--port", "0"}, {"--world", ""}, {"--tls-cert", ""}, {"--tls-key", ""}};
    for (int i = 1; i < argc; i += 2) {
        if (!options.contains(argv[i]) || i + 1 == argc) {
            std::cerr << "usage: primary_double --port 0|N [--world FILE] [--tls-cert FILE --tls-key FILE]\n";
            return 64;
        }
        options[argv[i]] = argv[i + 1];
    }
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    try {
        Json world = example_world();
        if (const std::string& file = options["--world"]; !file.empty()) {
            std::ifstream in(file);
            if (!in) throw std::runtime_error("cannot read " + file);
            world = Json::parse(in);
        }
        std::optional<PrimaryDouble::Tls> tls;
        if (!options["--tls-cert"].empty())
            tls = PrimaryDouble::Tls{options["--tls-cert"], options["--tls-key"]};
        const PrimaryDouble primary(std::move(world), std::stoi(options["--port"]), tls);
        std::cout << "listening " << primary.port() << std::endl;
        int signal = 0;
        sigwait(&ends, &signal);
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "primary_double: " << error.what() << '\n';
        return 1;
    }
}
