// Any content is signed, the same however it is cut into pieces, by fields that are fields; whose mail it is
// comes out as a domain or not at all.
#include "relay/signing/signer.h"
#include "relay/mail/address.h"
#include "relay/mail/mime.h"
#include "relay/signing/author.h"
#include "tests/fuzz/target.h"

using namespace postern::relay;
using namespace postern::fuzz;

namespace {

const Keyring& keyring() {
    static const Keyring keys(
        {{"a.example",
          "s",
          *DkimKey::parse("-----BEGIN PRIVATE KEY-----\n"
                          "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                          "-----END PRIVATE KEY-----\n"),
          {}}});
    return keys;
}

std::string signed_in_pieces(std::string_view content, std::size_t size) {
    Signer signer(keyring(), {"x", "a.example"});
    for (std::size_t at = 0; at < content.size(); at += size)
        if (!signer.add(content.substr(at, size))) break;
    return signer.finish(Time(std::chrono::seconds(1))).fields;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = text_of(data, size);
    const std::size_t piece = take_octet(input) + std::size_t{1};
    const std::string domain = author_domain(input);
    require(domain.empty() || is_domain_name(domain));
    const std::string whole = signed_in_pieces(input, input.size() + 1);
    require(signed_in_pieces(input, piece) == whole);
    const auto fields = fields_of(whole);
    require(fields.size() == (whole.empty() ? 0 : 1));
    require(whole.empty() || fields.front().name == "dkim-signature");
    return 0;
}
