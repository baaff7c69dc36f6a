#include "sync/primary/words.h"

#include <catch2/catch.hpp>

#include "sync/limits.h"

using namespace postern::sync;

TEST_CASE("a primary's words fit one line", "[words]") {
    CHECK(one_line("") == "");
    CHECK(one_line("no such domain") == "no such domain");
    CHECK(one_line("a\r\nb\x1b[31m\x7f") == "a  b [31m ");
    CHECK(one_line("\xc3\xbc") == "\xc3\xbc");
    CHECK(one_line(std::string(limits::words, 'x')).size() == limits::words);
    CHECK(one_line(std::string(limits::words + 1, 'x')).size() == limits::words);
    CHECK(unreadable("why").fault == Fault::unreadable);
    CHECK(unreadable("why").words == "why");
}
