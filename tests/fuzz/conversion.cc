// Content in 7 bits: what comes out is ASCII in whole lines, bounded, and converting it once more changes
// nothing.
#include "relay/delivery/conversion.h"

#include "relay/mail/mime.h"
#include "relay/reception/data_reader.h"
#include "sync/base/utf8.h"
#include "tests/fuzz/target.h"

using namespace postern::relay;
using namespace postern::fuzz;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = text_of(data, size);
    DataReader reader;
    std::string content;  // in the form that reception gives it
    reader.feed(input, content);
    reader.feed("\r\n.\r\n", content);
    require(reader.complete());

    auto out = to_seven_bit(content);
    if (out) {
        require(postern::base::is_ascii(*out) && (content.empty() || out->ends_with("\r\n")));
        require(out->size() <= 4 * content.size() + 64 * 1024);
        require(reader.dots() || ("\r\n" + *out).find("\r\n.") == std::string::npos);
        auto again = to_seven_bit(*out);
        require(again && *again == *out);
    } else {
        require(out.error().reply.permanent() && plain(out.error().reply.text));
    }

    Message message;
    message.content.size = content.size();
    for (unsigned bits = 0; bits < 8; ++bits) {
        message.envelope.utf8 = (bits & 1) != 0;
        Abilities host{(bits & 2) != 0, (bits & 4) != 0};
        auto how = fit(message, content, host);
        if (postern::base::is_ascii(content)) require(how && *how != Fit::seven_bit);
        if (!needs_a_look(message.envelope, host)) require(how && *how == Fit::as_is);
        if (how && *how == Fit::seven_bit) require(!host.eight_bit && !postern::base::is_ascii(content));
    }

    std::string_view boundary = take_line(input);
    if (boundary.empty()) return 0;
    if (auto segments = split_multipart(input, boundary, 100)) {
        std::size_t at = 0, parts = 0;
        for (const auto& segment : *segments) {
            require(segment.text.empty() || segment.text.data() == input.data() + at);
            at += segment.text.size();
            parts += segment.part ? 1 : 0;
        }
        require(at == input.size() && parts <= 100);
    }
    return 0;
}
