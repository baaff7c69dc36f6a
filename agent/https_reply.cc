#include "agent/https_reply.h"

#include <algorithm>
#include <charconv>

namespace postern::agent {

namespace {

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

bool parse_number(std::string_view text, int base, std::uint64_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
    return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

}  // namespace

HttpsReplyReader::Step HttpsReplyReader::feed(std::string_view octets) {
    pending_.erase(0, at_);
    at_ = 0;
    pending_ += octets;
    while (state_ != State::complete && state_ != State::failed && advance()) {
    }
    if (state_ == State::failed) return Step::failed;
    return state_ == State::complete ? Step::complete : Step::more;
}

HttpsReplyReader::Step HttpsReplyReader::end() {
    if (state_ == State::rest) state_ = State::complete;
    if (state_ != State::complete) fail("the connection ended before the reply was complete");
    return state_ == State::complete ? Step::complete : Step::failed;
}

bool HttpsReplyReader::advance() {
    std::string line;
    switch (state_) {
        case State::status:
            if (!take_line(line)) return false;
            on_status(line);
            return true;
        case State::header:
            if (!take_line(line)) return false;
            if (line.empty())
                on_header_end();
            else
                on_header(line);
            return true;
        case State::chunk_size:
            if (!take_line(line)) return false;
            on_chunk_size(line);
            return true;
        case State::chunk_end:
            if (!take_line(line)) return false;
            state_ = State::chunk_size;
            if (!line.empty()) fail("a chunk is longer than it says");
            return true;
        case State::trailer:
            if (!take_line(line)) return false;
            if (line.empty()) state_ = State::complete;
            return true;
        case State::body:
        case State::chunk:
        case State::rest: return take_body();
        case State::complete:
        case State::failed: break;
    }
    return false;
}

bool HttpsReplyReader::take_line(std::string& line) {
    const std::size_t end = pending_.find('\n', at_);
    const std::size_t length = std::min(end, pending_.size()) - at_;
    if (framing_ + length > header_max) {
        fail("the header is larger than 16 KiB");
        return false;
    }
    if (end == std::string::npos) return false;
    line = pending_.substr(at_, length);
    if (line.ends_with('\r')) line.pop_back();
    framing_ += length + 1;
    at_ = end + 1;
    return true;
}

bool HttpsReplyReader::take_body() {
    std::size_t size = pending_.size() - at_;
    if (state_ != State::rest) size = static_cast<std::size_t>(std::min<std::uint64_t>(size, missing_));
    if (size > body_max_ - reply_.body.size()) {
        fail("it is larger than allowed");
        return false;
    }
    reply_.body.append(pending_, at_, size);
    at_ += size;
    if (state_ == State::rest) return false;
    missing_ -= size;
    if (missing_ > 0) return false;
    state_ = state_ == State::chunk ? State::chunk_end : State::complete;
    return true;
}

void HttpsReplyReader::on_status(std::string_view line) {
    std::uint64_t status = 0;
    const bool version = line.starts_with("HTTP/1.1 ") || line.starts_with("HTTP/1.0 ");
    const bool code = version && (line.size() == 12 || (line.size() > 12 && line[12] == ' ')) &&
                      parse_number(line.substr(9, 3), 10, status) && status >= 100 && status <= 599;
    if (!code) return fail("the reply is no HTTP");
    reply_ = HttpsReply();
    reply_.status = static_cast<int>(status);
    has_length_ = chunked_ = false;
    state_ = State::header;
}

void HttpsReplyReader::on_header(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos ||
        line.substr(0, colon).find_first_of(" \t") != line.npos)
        return fail("a line of the header is none");
    const std::string name = lower(line.substr(0, colon));
    const std::string value = lower(trimmed(line.substr(colon + 1)));
    if (name == "content-type") {
        if (!reply_.content_type.empty()) return fail("there are two types of content");
        reply_.content_type = trimmed(std::string_view(value).substr(0, value.find(';')));
    } else if (name == "content-length") {
        if (has_length_ || !parse_number(value, 10, missing_))
            return fail("the length of the content is unclear");
        has_length_ = true;
    } else if (name == "transfer-encoding") {
        if (chunked_ || value != "chunked") return fail("the transfer encoding is not known");
        chunked_ = true;
    } else if (name == "content-encoding" && value != "identity") {
        fail("the content is compressed");
    }
}

void HttpsReplyReader::on_header_end() {
    if (reply_.status < 200) {  // an interim reply, the proper one follows (RFC 9110 §15.2)
        state_ = State::status;
    } else if (reply_.status != 200) {
        state_ = State::complete;
    } else if (chunked_ && has_length_) {
        fail("the length of the content is unclear");
    } else if (chunked_) {
        state_ = State::chunk_size;
    } else if (!has_length_) {
        state_ = State::rest;
    } else if (missing_ > body_max_) {
        fail("it is larger than allowed");
    } else {
        state_ = missing_ == 0 ? State::complete : State::body;
    }
}

void HttpsReplyReader::on_chunk_size(std::string_view line) {
    const std::string_view size = trimmed(line.substr(0, line.find(';')));
    if (!parse_number(size, 16, missing_)) return fail("the size of a chunk cannot be read");
    if (missing_ > body_max_) return fail("it is larger than allowed");
    state_ = missing_ == 0 ? State::trailer : State::chunk;
}

void HttpsReplyReader::fail(const char* words) {
    state_ = State::failed;
    fault_ = words;
}

}  // namespace postern::agent
