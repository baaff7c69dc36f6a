// Answers of name servers that are not to be trusted: nothing is read behind their end, no name is more than
// a host name, and what is cut off says no more than the whole does.
#include "relay/net/dns_message.h"

#include <string>

#include "tests/fuzz/target.h"

using namespace postern::relay::net;
using namespace postern::fuzz;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string whole(text_of(data, size));
    const bool found = is_signed(whole);
    require(!found || whole.size() > 12);
    // A copy of its own, so that a sanitizer sees each octet too many.
    const std::string half(whole.substr(0, whole.size() / 2));
    require(found || !is_signed(half));
    const std::string name = name_of(whole);
    require(name.size() <= whole.size() && plain(name));
    require(name == "." || (!name.starts_with('.') && !name.ends_with('.')));
    return 0;
}
