#include "relay/mail/reply.h"

#include <algorithm>
#include <charconv>

#include "relay/limits.h"
#include "sync/base/ascii.h"

namespace postern::relay {

namespace {

constexpr std::size_t lines_max = 128;

struct Coded {
    std::uint16_t code = 0;  // 0 for none
    std::string_view text;
    bool last = false;
};

/// Servers also write "550<tab>text", "550:text", "5501 text" and "250ok". Behind the first line of a reply
/// the last two are rather text that begins with a number.
Coded coded_line(std::string_view line, bool first) {
    const bool has_code = line.size() >= 3 && line[0] >= '2' && line[0] <= '6' && base::is_digit(line[1]) &&
                          base::is_digit(line[2]);
    if (!has_code) return {0, line, false};
    const auto code =
        static_cast<std::uint16_t>((line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'));
    if (line.size() == 3) return {code, {}, true};
    const char next = line[3];
    if (next == '-') return {code, line.substr(4), false};
    if (next == ' ' || next == '\t' || next == ':') return {code, line.substr(4), true};
    if (!first) return {0, line, false};
    return {code, base::is_digit(next) ? line : line.substr(3), true};
}

}  // namespace

std::string EnhancedStatus::text() const {
    if (category == 0) return {};
    return std::to_string(category) + '.' + std::to_string(subject) + '.' + std::to_string(detail);
}

std::optional<EnhancedStatus> parse_enhanced_status(std::string_view text) {
    // RFC 3463 §2: class 2, 4 or 5, subject and detail of one to three digits.
    if (text.size() < 5 || (text[0] != '2' && text[0] != '4' && text[0] != '5') || text[1] != '.')
        return std::nullopt;
    EnhancedStatus status;
    status.category = static_cast<std::uint8_t>(text[0] - '0');
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
    if (++count_ > lines_max) return Step::malformed;
    const Coded coded = coded_line(line, code_ == 0);
    if (coded.code == 0 && code_ == 0) return Step::stray;
    if (coded.code != 0) code_ = coded.code;
    const auto room = limits::reply_text - std::min(limits::reply_text, octets_);
    lines_.emplace_back(coded.text.substr(0, room));
    octets_ += lines_.back().size() + 1;
    return coded.last ? Step::complete : Step::more;
}

Reply ReplyParser::take() {
    Reply out;
    out.code = code_;
    // A status of another class than the code says nothing that can be trusted (RFC 2034 §4).
    const auto status_of = [this](const std::string& line) {
        auto status = parse_enhanced_status(line);
        return status && status->category == code_ / 100 ? *status : EnhancedStatus();
    };
    for (const auto& line : lines_)
        if (auto status = status_of(line)) out.status = status;
    for (std::size_t at = 0; at < lines_.size(); ++at) {
        std::string_view line = lines_[at];
        if (out.status && status_of(lines_[at]) == out.status)
            line.remove_prefix(std::min(line.size(), out.status.text().size() + 1));
        if (at > 0) out.text += '\n';
        out.text += line;
    }
    if (out.text.size() > limits::reply_text) out.text.resize(limits::reply_text);
    *this = ReplyParser();
    return out;
}

}  // namespace postern::relay
