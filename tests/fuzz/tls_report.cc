// Reports about TLS: the record by which a domain asks for them, and what is kept of what was counted.
#include "relay/tls_reports/counts_state.h"
#include "relay/tls_reports/document.h"
#include "relay/tls_reports/record.h"
#include "sync/base/domain_name.h"
#include "sync/base/utf8.h"
#include "tests/fuzz/target.h"

using namespace postern;
using namespace postern::relay;
using namespace postern::fuzz;

namespace {

std::string written(const TlsCounts& counts) {
    std::string out(counts_state_head());
    for (const auto& [key, period] : counts.periods()) write_period(out, key, period);
    return out;
}

void check(const ReportReaders& readers) {
    require(readers.mail.size() <= 5 && readers.https.size() <= 5);
    for (const auto& one : readers.mail) {
        require(plain(one.text()) && base::is_domain_name(one.domain));
        require(one.text().find_first_of(" <>,\"") == std::string::npos);
    }
    for (const auto& one : readers.https) {
        require(base::is_host_name(one.host) && one.port > 0);
        require(one.path.starts_with('/') && plain(one.path) && one.path.find(' ') == std::string::npos);
        require(parse_report_record({"v=TLSRPTv1;rua=" + one.text()})->https.front() == one);
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = text_of(data, size);
    if (take_octet(input) == 'r') {
        std::vector<std::string> texts;
        while (!input.empty() && texts.size() < 20) texts.emplace_back(take_line(input));
        if (const auto readers = parse_report_record(texts)) check(*readers);
        return 0;
    }
    TlsCounts counts, again;
    if (!read_counts_state(input, counts)) return 0;
    require(read_counts_state(written(counts), again));
    require(written(again) == written(counts));
    for (const auto& [key, period] : counts.periods()) {
        const std::string text = report_json(key.first, period, {"o", "c@example.com", "example.com"});
        require(base::is_utf8(text) && text.find('\n') == std::string::npos);
    }
    return 0;
}
