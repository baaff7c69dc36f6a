// Records of the spool: as they are, and under a right checksum so that what lies behind it is reached.
#include "relay/queue/record.h"

#include "tests/fuzz/target.h"

using namespace postern::relay;
using namespace postern::fuzz;

namespace {

void decode(std::string_view record) {
    if (auto message = decode_message(MessageId{1}, record)) {
        std::string again = encode_message(*message);
        auto twice = decode_message(MessageId{1}, again);
        require(twice && encode_message(*twice) == again);
    }
    if (auto progress = decode_progress(record)) {
        std::string again = encode_progress(*progress);
        auto twice = decode_progress(again);
        require(twice && encode_progress(*twice) == again);
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string record(text_of(data, size));
    decode(record);
    std::uint32_t sum = checksum(record);
    for (int shift = 0; shift < 32; shift += 8) record += static_cast<char>(sum >> shift & 0xff);
    decode(record);
    return 0;
}
