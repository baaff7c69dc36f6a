// What a client says for a request: the same however it is cut into pieces, never more than is allowed, and
// nothing that two readers could read in two ways.
#include <algorithm>

#include "agent/http/request_reader.h"
#include "tests/fuzz/target.h"

using namespace postern::agent;
using namespace postern::fuzz;
using Step = HttpRequestReader::Step;

namespace {

constexpr std::size_t body_max = 100;
constexpr HttpRequestBounds bounds{200, 400, 8};

struct Outcome {
    Step step = Step::more;
    std::string method, path, body, rest, fault;
    std::vector<std::pair<std::string, std::string>> fields;
    bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view input, std::size_t piece) {
    HttpRequestReader reader(bounds);
    Outcome outcome;
    while (!input.empty() && outcome.step == Step::more) {
        std::string_view next = input.substr(0, piece);
        const std::size_t before = next.size();
        outcome.step = reader.feed(next);
        input.remove_prefix(before - next.size());
        if (outcome.step != Step::head) continue;
        const auto body = reader.request().body();
        reader.expect(std::min(body.value_or(0), body_max));
        std::string_view none;
        outcome.step = reader.feed(none);
    }
    if (outcome.step == Step::failed) {
        outcome.fault = reader.fault().why;
        require(!outcome.fault.empty() && reader.fault().status >= 400 && reader.fault().status <= 599);
        return outcome;
    }
    outcome.rest = input;
    const HttpRequest& request = reader.request();
    outcome.method = request.method;
    outcome.path = request.path;
    outcome.fields = request.fields;
    require(outcome.fields.size() <= bounds.fields);
    if (outcome.step == Step::complete) outcome.body = reader.take_body();
    require(outcome.body.size() <= body_max);
    return outcome;
}

void check(const Outcome& outcome, std::string_view input) {
    if (outcome.step != Step::complete) return;
    const auto end = input.find("\r\n\r\n");
    require(end != std::string_view::npos && end + 4 <= bounds.head);
    std::string_view head = input.substr(0, end + 2);
    require(head.substr(0, head.find('\r')).size() <= bounds.line);
    require(input.size() == end + 4 + outcome.body.size() + outcome.rest.size());
    require(!outcome.path.empty() && outcome.path.front() == '/');
    require(std::count_if(outcome.fields.begin(), outcome.fields.end(),
                          [](const auto& field) { return field.first == "host"; }) <= 1);
    for (std::size_t line = 0; !head.empty(); ++line) {
        const auto text = take_line(head);
        require(text.find('\r') == std::string_view::npos);
        if (line == 0) continue;
        // A field is a line, and a line a field, with nothing in front of its name.
        require(line <= outcome.fields.size() && text.size() > outcome.fields[line - 1].first.size());
        require(text[outcome.fields[line - 1].first.size()] == ':' && text[0] != ' ' && text[0] != '\t');
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = text_of(data, size);
    const Outcome whole = read(input, size + 1);
    check(whole, input);
    require(read(input, 1) == whole);
    require(read(input, 7) == whole);
    return 0;
}
