#include "agent/log/log_line.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "agent/http/answer.h"

using namespace postern::agent;
using namespace std::chrono_literals;

namespace {

std::string text_value(std::string_view value) {
    std::string line;
    append_text_value(line, value);
    return line;
}

}  // namespace

TEST_CASE("text values are bare when plain, quoted and escaped otherwise") {
    CHECK(text_value("user@example.com") == "user@example.com");
    CHECK(text_value("") == "\"\"");
    CHECK(text_value("a b") == "\"a b\"");
    CHECK(text_value("a=b") == "\"a=b\"");
    CHECK(text_value("say \"hi\"\\") == "\"say \\\"hi\\\"\\\\\"");
    CHECK(text_value("a\r\nb\tc") == "\"a\\r\\nb\\tc\"");
    CHECK(text_value(std::string_view("\0\x1b[2J\x7f", 6)) == "\"\\x00\\x1b[2J\\x7f\"");
    CHECK(text_value("\xc2\x9b"
                     "2J") == "\"\\xc2\\x9b2J\"");
    CHECK(text_value("b\xc3\xbc"
                     "cher") ==
          "\"b\xc3\xbc"
          "cher\"");
    CHECK(text_value("\xff\xc3(\xe0\x80\x80") == "\"\\xff\\xc3(\\xe0\\x80\\x80\"");
    CHECK(text_value("\xed\xa0\x80") == "\"\\xed\\xa0\\x80\"");
    CHECK(text_value("end\xe2\x82") == "\"end\\xe2\\x82\"");
}

TEST_CASE("values are bounded") {
    const auto value = text_value(std::string(5000, 'x'));
    CHECK(value.size() == 1024 + 5);
    CHECK(value.substr(value.size() - 4) == "...\"");
}

TEST_CASE("a line of text") {
    std::string buffer = "what was before";
    LogLine line(buffer, LogFormat::text, "<6>", "2026-01-02T03:04:05.678Z", "info", "accepted");
    line.add("id", "01ABC")
        .add("size", std::uint64_t{42})
        .add("ok", true)
        .add_if("none", "")
        .add_seconds("commit", 1234us);
    line.end();
    CHECK(buffer == "<6>2026-01-02T03:04:05.678Z accepted id=01ABC size=42 ok=true commit=0.001");
}

TEST_CASE("other levels than info are named") {
    std::string buffer;
    LogLine(buffer, LogFormat::text, "", "", "error", "trouble").add("where", "spool").end();
    CHECK(buffer == "level=error trouble where=spool");
}

TEST_CASE("a line of JSON is JSON whatever the values hold") {
    std::string every;
    for (int octet = 0; octet < 256; ++octet) every += static_cast<char>(octet);
    std::string buffer;
    LogLine line(buffer, LogFormat::json, "", "2026-01-02T03:04:05.678Z", "info", "refused");
    line.add("every", every)
        .add("plain",
             "b\xc3\xbc"
             "cher \"x\"\n")
        .add("count", std::uint64_t{7})
        .add("yes", false);
    line.end();
    const auto json = nlohmann::json::parse(buffer);
    CHECK(json["event"] == "refused");
    CHECK(json["plain"] ==
          "b\xc3\xbc"
          "cher \"x\"\n");
    CHECK(json["count"] == 7);
    CHECK(json["yes"] == false);
    CHECK(buffer.find('\n') == std::string::npos);
}

TEST_CASE("what goes to a terminal cannot steer it") {
    CHECK(printable("a \"b\"\x1b[31m\n") == "a \"b\"\\x1b[31m\\x0a");
}

TEST_CASE("what turns the direction of writing is shown, not done") {
    // U+202E, U+2066, U+200F, U+2028: "gpj.exe" would read as another name.
    const std::string turned = "a\u202egpj.exe\u2066\u200f\u2028";
    CHECK(printable(turned) == "a\\xe2\\x80\\xaegpj.exe\\xe2\\x81\\xa6\\xe2\\x80\\x8f\\xe2\\x80\\xa8");
    CHECK(text_value("\u061c") == "\"\\xd8\\x9c\"");
    std::string line;
    append_json_value(line, turned + "\u009b\x7f");
    CHECK(line == "\"a\\u202egpj.exe\\u2066\\u200f\\u2028\\u009b\\u007f\"");
    CHECK(nlohmann::json::parse(line) == turned + "\u009b\x7f");
    CHECK(printable("\u05d0\u0628 b\u00fccher") == "\u05d0\u0628 b\u00fccher");
}

TEST_CASE("JSON for a terminal is plain ASCII") {
    CHECK(dump({{"a", "\u202e\u009b\x7f\u00fc"}}) == "{\n  \"a\": \"\\u202e\\u009b\\u007f\\u00fc\"\n}\n");
}
