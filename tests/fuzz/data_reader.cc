// Content in pieces that the input itself chooses: the same as whole, and never a bare CR or LF in it.
#include "relay/reception/data_reader.h"

#include <algorithm>
#include <string>

#include "relay/delivery/dot_stuffing.h"
#include "tests/fuzz/target.h"

using namespace postern::relay;
using namespace postern::fuzz;

namespace {

void check_lines(std::string_view content) {
    for (std::size_t at = 0; at < content.size(); ++at) {
        if (content[at] == '\n') require(at > 0 && content[at - 1] == '\r');
        if (content[at] == '\r') require(at + 1 < content.size() && content[at + 1] == '\n');
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = text_of(data, size);
    std::string_view sizes = input.substr(0, std::min<std::size_t>(input.size(), 4));
    std::string_view octets = input.substr(sizes.size());

    DataReader whole;
    std::string content;
    std::size_t used = whole.feed(octets, content);
    require(whole.complete() || used == octets.size());
    require(whole.size() == content.size());
    check_lines(content);

    DataReader reader;
    std::string pieces;
    std::size_t at = 0;
    for (std::size_t turn = 0; at < octets.size() && !reader.complete(); ++turn) {
        std::size_t step = 1 + static_cast<std::uint8_t>(sizes[turn % sizes.size()]) % 16;
        at += reader.feed(octets.substr(at, step), pieces);
        check_lines(pieces);
    }
    require(at == used && pieces == content);
    require(reader.complete() == whole.complete() && reader.dots() == whole.dots());
    require(reader.bare_newlines() == whole.bare_newlines() && reader.size() == whole.size());
    if (!whole.complete()) return 0;

    bool line_start = true;
    std::string sent = stuff_dots(content, line_start);
    require(line_start && (whole.dots() || sent == content));
    DataReader receiver;
    std::string received;
    sent += ".\r\n";
    require(receiver.feed(sent, received) == sent.size() && receiver.complete() && received == content);
    return 0;
}
