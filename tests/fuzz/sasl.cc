// A server's side of AUTH that is not to be trusted: the client's answers stay plain, SCRAM ends
// well only with the right signature, which nobody guesses.
#include "relay/delivery/sasl.h"

#include "tests/fuzz/target.h"

using namespace postern::relay;
using namespace postern::fuzz;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const char* const mechanisms[] = {"SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"};
    std::string_view input = text_of(data, size);
    const std::string mechanism = mechanisms[take_octet(input) % 4];
    Sasl sasl(mechanism, "user", "pencil", "n");
    require(sasl.start().starts_with("AUTH " + mechanism));
    for (int round = 0; round < 4 && !input.empty(); ++round) {
        const std::string_view line = take_line(input);
        const auto answer = sasl.respond(line);
        require(!answer || plain(*answer));
        require(answer || !answer.error().empty());
        if (mechanism == "SCRAM-SHA-256") require(!sasl.finished(line));
        (void)choose_mechanism({std::string(line)});
    }
    return 0;
}
