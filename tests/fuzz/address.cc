// Paths and addresses: whatever is taken is bounded, printable, and read back the same from what it prints.
#include "relay/mail/address.h"

#include "sync/base/ascii.h"
#include "sync/base/utf8.h"
#include "tests/fuzz/target.h"

using namespace postern::relay;
using namespace postern::fuzz;

namespace {

void check(const Address& address) {
    require(address.local.size() <= 256 && address.domain.size() <= 255);
    require(postern::base::is_printable_utf8(address.local) && plain(address.domain));
    require(address.mailbox().size() <= address.local.size());
    require(address.domain == postern::base::lower(address.domain));
    auto quoted = parse_address(quoted_local_part(address.mailbox()) + "@x");
    require(address.null() || !quoted || quoted->mailbox() == address.mailbox());
    if (address.null()) return;
    auto again = parse_address(address.text());
    require(again && *again == address);
    auto path = parse_path('<' + address.text() + '>');
    require(path && path->address == address && path->rest.empty());
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text = text_of(data, size);
    if (auto path = parse_path(text)) {
        check(path->address);
        require(text.ends_with(path->rest));
    }
    if (auto address = parse_address(text)) check(*address);
    if (is_domain_name(text)) require(text.size() <= 253 && plain(text));
    return 0;
}
