#include "relay/mail/stage.h"

#include <array>

namespace postern::relay {

namespace {

constexpr std::array<const char*, 16> texts{
    "",    "operator", "destination", "dns",  "egress", "connect", "greeting", "ehlo",
    "tls", "auth",     "mail",        "mail", "rcpt",   "data",    "content",  "dot"};
static_assert(texts.size() == static_cast<std::size_t>(Stage::dot) + 1);

}  // namespace

const char* text_of(Stage stage) { return texts[static_cast<std::size_t>(stage)]; }

Stage stage_of(std::string_view text) {
    for (std::size_t at = texts.size(); at-- > 0;)
        if (texts[at] == text) return static_cast<Stage>(at);
    return Stage::none;
}

}  // namespace postern::relay
