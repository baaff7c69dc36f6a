// Runs a target over the files of its corpus.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/fuzz/target.h"

int main(int argc, char** argv) {
    std::size_t inputs = 0;
    for (int at = 1; at < argc; ++at)
        for (const auto& entry : std::filesystem::directory_iterator(argv[at])) {
            std::ifstream in(entry.path(), std::ios::binary);
            std::string input((std::istreambuf_iterator<char>(in)), {});
            std::printf("%s\n", entry.path().c_str());
            std::fflush(stdout);
            LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
            ++inputs;
        }
    return inputs > 0 ? 0 : 1;
}
