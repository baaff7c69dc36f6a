#include "relay/mail/stage.h"

#include <catch2/catch.hpp>

using namespace postern::relay;

TEST_CASE("a stage is known again by its text") {
    for (int at = 0; at <= static_cast<int>(Stage::dot); ++at) {
        const Stage stage = static_cast<Stage>(at);
        CAPTURE(at, text_of(stage));
        CHECK((stage_of(text_of(stage)) == stage || stage == Stage::rset));
    }
    CHECK(stage_of("mail") == Stage::mail);
    CHECK(stage_of("rcpt") == Stage::rcpt);
    CHECK(stage_of("elsewhere") == Stage::none);
    CHECK(text_of(Stage::by_operator) == std::string_view("operator"));
}
