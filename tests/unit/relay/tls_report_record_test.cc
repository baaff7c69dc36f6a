#include "relay/tls_reports/record.h"

#include <catch2/catch.hpp>

using namespace postern::relay;

namespace {

struct Case {
    std::vector<std::string> texts;
    std::vector<std::string> mail, https;
};

std::vector<std::string> texts_of(const std::vector<Address>& list) {
    std::vector<std::string> out;
    for (const auto& one : list) out.push_back(one.text());
    return out;
}

std::vector<std::string> texts_of(const std::vector<HttpsPlace>& list) {
    std::vector<std::string> out;
    for (const auto& one : list) out.push_back(one.text());
    return out;
}

}  // namespace

TEST_CASE("whom a domain wants its reports about TLS to be sent to", "[tls_reports]") {
    const std::vector<Case> cases = {
        {{"v=TLSRPTv1; rua=mailto:reports@example.com"}, {"reports@example.com"}, {}},
        {{"v=TLSRPTv1;rua=mailto:Reports@EXAMPLE.com;"}, {"Reports@example.com"}, {}},
        {{"v=TLSRPTv1 ;\trua=MAILTO:a@example.com ; "}, {"a@example.com"}, {}},
        {{"v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt"},
         {},
         {"https://reporting.example.com/v1/tlsrpt"}},
        {{"v=TLSRPTv1; rua=https://R.example.com"}, {}, {"https://r.example.com/"}},
        {{"v=TLSRPTv1; rua=https://r.example.com:8443?a=b#c"}, {}, {"https://r.example.com:8443/?a=b"}},
        {{"v=TLSRPTv1; rua=mailto:a@example.com , https://r.example.com/x,mailto:b@example.com"},
         {"a@example.com", "b@example.com"},
         {"https://r.example.com/x"}},
        {{"v=TLSRPTv1; rua=mailto:a@example.com,mailto:a@example.com"}, {"a@example.com"}, {}},
        {{"v=TLSRPTv1; rua=mailto:a%2Bb@example.com?subject=x"}, {"a+b@example.com"}, {}},
        {{"v=TLSRPTv1; ext=1; rua=mailto:a@example.com; x-y.z=w"}, {"a@example.com"}, {}},
        {{"v=spf1 -all", "v=TLSRPTv1; rua=mailto:a@example.com", "v=TLSRPTv12; rua=mailto:b@example.com"},
         {"a@example.com"},
         {}},
        // Nobody who can be reached.
        {{"v=TLSRPTv1; rua=ftp://example.com/"}, {}, {}},
        {{"v=TLSRPTv1; rua=http://example.com/"}, {}, {}},
        {{"v=TLSRPTv1; rua=https://192.0.2.1/"}, {}, {}},
        {{"v=TLSRPTv1; rua=https://[2001:db8::1]/"}, {}, {}},
        {{"v=TLSRPTv1; rua=https://user@example.com/"}, {}, {}},
        {{"v=TLSRPTv1; rua=https://example.com:0/"}, {}, {}},
        {{"v=TLSRPTv1; rua=https://example.com:65536/"}, {}, {}},
        {{"v=TLSRPTv1; rua=mailto:"}, {}, {}},
        {{"v=TLSRPTv1; rua=mailto:example.com"}, {}, {}},
        {{"v=TLSRPTv1; rua=mailto:a@[192.0.2.1]"}, {}, {}},
        {{"v=TLSRPTv1; rua=mailto:%22a%22@example.com"}, {}, {}},
        {{"v=TLSRPTv1; rua=mailto:a%0D%0AX:y@example.com"}, {}, {}},
        {{"v=TLSRPTv1; rua=mailto:%C3%A4@example.com"}, {}, {}},
        {{"v=TLSRPTv1; rua=mailto:a,b@example.com,x:y"}, {}, {}},
    };
    for (const auto& one : cases) {
        CAPTURE(one.texts);
        const auto readers = parse_report_record(one.texts);
        if (one.texts.front().ends_with("x:y")) {  // "b@example.com" is no URI
            CHECK_FALSE(readers);
            continue;
        }
        REQUIRE(readers);
        CHECK(texts_of(readers->mail) == one.mail);
        CHECK(texts_of(readers->https) == one.https);
    }
}

TEST_CASE("what is no record of that kind, or not the only one", "[tls_reports]") {
    const std::vector<std::vector<std::string>> bad = {
        {},
        {""},
        {"v=TLSRPTv1"},
        {"v=TLSRPTv1;"},
        {"v=TLSRPTv1; x=1"},
        {"v=TLSRPTv1; rua="},
        {"v=TLSRPTv1; rua=mailto:a@example.com,"},
        {"v=TLSRPTv1; rua=,mailto:a@example.com"},
        {"v=TLSRPTv1; rua=mailto:a@example.com;; x=1"},
        {"v=TLSRPTv1; rua=mailto:a b@example.com"},
        {"v=TLSRPTv1; rua=mailto:a!b@example.com"},
        {"v=TLSRPTv1; RUA=mailto:a@example.com"},
        {"v=TLSRPTv1; rua =mailto:a@example.com"},
        {"v=TLSRPTv1; junk; rua=mailto:a@example.com"},
        {"v=TLSRPTv1; _x=1; rua=mailto:a@example.com"},
        {"v=TLSRPTv1; x=; rua=mailto:a@example.com"},
        {"V=TLSRPTv1; rua=mailto:a@example.com"},
        {" v=TLSRPTv1; rua=mailto:a@example.com"},
        {"v=TLSRPTv1, rua=mailto:a@example.com"},
        {"rua=mailto:a@example.com; v=TLSRPTv1;"},
        {"v=TLSRPTv1; rua=mailto:a@example.com", "v=TLSRPTv1; rua=mailto:b@example.com"},
        {"v=TLSRPTv1; rua=mailto:a@example.com", "v=TLSRPTv1; nothing"},
        {"v=TLSRPTv1; rua=https://example.com/" + std::string(1000, 'x')},
    };
    for (const auto& texts : bad) {
        CAPTURE(texts);
        CHECK_FALSE(parse_report_record(texts));
    }
}

TEST_CASE("of very many readers the first ones count", "[tls_reports]") {
    std::string record = "v=TLSRPTv1; rua=mailto:a@example.com";
    for (int n = 0; n < 50; ++n)
        record +=
            ",mailto:a" + std::to_string(n) + "@example.com,https://h" + std::to_string(n) + ".example.com/";
    const auto readers = parse_report_record({record});
    REQUIRE(readers);
    CHECK(readers->mail.size() == 5);
    CHECK(readers->https.size() == 5);
}
