// One command line: it is a command or has a fault, and what it gives can go into an envelope and the log.
#include "relay/reception/command.h"

#include "tests/fuzz/target.h"

using namespace postern::relay;
using namespace postern::fuzz;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Parsed parsed = parse_command(text_of(data, size));
    if (parsed.fault) {
        require(parsed.fault->permanent());
        require(plain(parsed.fault->text));
        return 0;
    }
    const Command& command = parsed.command;
    require(command.verb != Verb::unknown);
    require(plain(command.argument) && command.argument.size() <= 255);
    require(plain(command.address.text()));
    require(command.verb != Verb::rcpt || !command.address.null());
    return 0;
}
