// ENVID and ORCPT: what is taken is printable, and read back the same from what goes to the next host.
#include "relay/mail/xtext.h"

#include "sync/base/utf8.h"
#include "tests/fuzz/target.h"

using namespace postern::relay;
using namespace postern::fuzz;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text = text_of(data, size);
    if (auto decoded = decode_xtext(text)) {
        require(plain(text) && plain(*decoded));
        require(!decoded->empty() && decoded->size() <= text.size());
    }
    for (bool utf8 : {false, true}) {
        auto original = parse_original_recipient(text, utf8);
        if (!original) continue;
        require(utf8 || plain(text));
        require(postern::base::is_printable_utf8(original->address) && !original->address.empty());
        require(original->type == "utf-8" || plain(original->address));
        require(plain(original->type) && plain(original->text()));
        require(original->text().find(' ') == std::string::npos);
        require(parse_original_recipient(original->text(), false) == original);
    }
    return 0;
}
