// One command line: it is a command or has a fault, and what it gives can go into an envelope and the log.
#include "relay/reception/command_parser.h"

#include "sync/base/utf8.h"
#include "tests/fuzz/target.h"

using namespace postern::relay;
using namespace postern::fuzz;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Parsed parsed = parse_command(text_of(data, size));
    if (parsed.fault) {
        require(parsed.fault->reply.permanent());
        require(plain(parsed.fault->reply.text));
        return 0;
    }
    const Command& command = parsed.command;
    require(command.verb != Verb::unknown);
    require(plain(command.argument) && command.argument.size() <= 255);
    require(postern::base::is_printable_utf8(command.address.local) && plain(command.address.domain));
    require(command.beyond_ascii == !postern::base::is_ascii(text_of(data, size)));
    require(plain(command.envelope_id) && command.envelope_id.size() <= 100);
    require(plain(command.options.original) && command.options.original.size() <= 500);
    require(!command.address.domain.empty() || command.address.null() || command.verb == Verb::rcpt);
    require(command.verb != Verb::rcpt || !command.address.null());
    return 0;
}
