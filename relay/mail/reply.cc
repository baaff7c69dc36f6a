#include "relay/mail/reply.h"

#include <charconv>

namespace postern::relay {

namespace {

constexpr std::size_t lines_max = 128;
constexpr std::size_t text_max = 16 * 1024;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::string EnhancedStatus::text() const {
    if (klass == 0) return {};
    return std::to_string(klass) + '.' + std::to_string(subject) + '.' + std::to_string(detail);
}

std::optional<EnhancedStatus> parse_enhanced_status(std::string_view text) {
    // RFC 3463 §2: class 2, 4 or 5, subject and detail of one to three digits.
    if (text.size() < 5 || (text[0] != '2' && text[0] != '4' && text[0] != '5') || text[1] != '.')
        return std::nullopt;
    EnhancedStatus status;
    status.klass = static_cast<std::uint8_t>(text[0] - '0');
    const char* end = text.data() + text.size();
    auto number = [end](const char* from, std::uint16_t& value) -> const char* {
        auto [stop, error] = std::from_chars(from, end, value);
        return error == std::errc() && stop - from <= 3 ? stop : nullptr;
    };
    const char* dot = number(text.data() + 2, status.subject);
    if (dot == nullptr || dot == end || *dot != '.') return std::nullopt;
    const char* stop = number(dot + 1, status.detail);
    if (stop == nullptr || (stop != end && *stop != ' ')) return std::nullopt;
    return status;
}

std::string Reply::wire() const {
    std::string prefix = std::to_string(code);
    std::string enhanced = status.text();
    if (!enhanced.empty()) enhanced += ' ';
    std::string out;
    std::size_t at = 0;
    for (;;) {
        std::size_t end = text.find('\n', at);
        bool last = end == std::string::npos;
        out += prefix;
        out += last ? ' ' : '-';
        out += enhanced;
        out += std::string_view(text).substr(at, last ? std::string::npos : end - at);
        out += "\r\n";
        if (last) return out;
        at = end + 1;
    }
}

std::string Reply::line() const {
    if (code == 0) return text;
    std::string out = std::to_string(code);
    if (status) out += ' ' + status.text();
    if (!text.empty()) out += ' ' + text;
    for (char& c : out)
        if (c == '\n') c = ' ';
    return out;
}

ReplyParser::Step ReplyParser::feed(std::string_view line) {
    if (line.size() < 3 || !is_digit(line[0]) || !is_digit(line[1]) || !is_digit(line[2]))
        return Step::malformed;
    if (line[0] < '2' || line[0] > '5') return Step::malformed;
    if (line.size() > 3 && line[3] != ' ' && line[3] != '-') return Step::malformed;
    auto code = static_cast<std::uint16_t>((line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'));
    // Lines of one reply must agree on the code (RFC 5321 §4.2.1); a peer that mixes them is not understood.
    if (lines_ > 0 && code != reply_.code) return Step::malformed;
    if (++lines_ > lines_max) return Step::malformed;
    reply_.code = code;

    std::string_view text = line.size() > 4 ? line.substr(4) : std::string_view();
    if (auto status = parse_enhanced_status(text); status && status->klass == code / 100) {
        reply_.status = *status;
        std::size_t space = text.find(' ');
        text = space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
    }
    if (lines_ > 1 && reply_.text.size() < text_max) reply_.text += '\n';
    if (reply_.text.size() < text_max) reply_.text += text.substr(0, text_max - reply_.text.size());
    return line.size() > 3 && line[3] == '-' ? Step::more : Step::complete;
}

Reply ReplyParser::take() {
    Reply out = std::move(reply_);
    reply_ = Reply();
    lines_ = 0;
    return out;
}

}  // namespace postern::relay
