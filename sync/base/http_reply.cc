#include "sync/base/http_reply.h"

#include <algorithm>
#include <charconv>

#include "sync/base/ascii.h"

namespace postern::base {

namespace {

bool parse_number(std::string_view text, int base, std::uint64_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
    return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

}  // namespace

HttpReplyReader::Step HttpReplyReader::feed(std::string_view octets) {
    pending_.erase(0, at_);
    at_ = 0;
    pending_ += octets;
    while (state_ != State::complete && state_ != State::failed && advance()) {
    }
    if (state_ == State::failed) return Step::failed;
    return state_ == State::complete ? Step::complete : Step::more;
}

HttpReplyReader::Step HttpReplyReader::end() {
    if (state_ == State::rest) state_ = State::complete;
    if (state_ != State::complete) fail("the connection ended before the reply was complete");
    return state_ == State::complete ? Step::complete : Step::failed;
}

bool HttpReplyReader::advance() {
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

bool HttpReplyReader::take_line(std::string& line) {
    const std::size_t end = pending_.find('\n', at_);
    const std::size_t length = std::min(end, pending_.size()) - at_;
    // However much chunks are allowed together, none is framed by a line without end.
    if (length > bounds_.header || framing_ + length > framing_max()) {
        too_large_ = true;
        fail("the header is larger than allowed");
        return false;
    }
    if (end == std::string::npos) return false;
    line = pending_.substr(at_, length);
    if (line.ends_with('\r')) line.pop_back();
    framing_ += length + 1;
    at_ = end + 1;
    return true;
}

bool HttpReplyReader::take_body() {
    std::size_t size = pending_.size() - at_;
    if (state_ != State::rest) size = static_cast<std::size_t>(std::min<std::uint64_t>(size, missing_));
    if (size > bounds_.body - reply_.body.size()) {
        fail_too_large();
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

void HttpReplyReader::on_status(std::string_view line) {
    std::uint64_t status = 0;
    const bool version = line.starts_with("HTTP/1.1 ") || line.starts_with("HTTP/1.0 ");
    const bool code = version && (line.size() == 12 || (line.size() > 12 && line[12] == ' ')) &&
                      parse_number(line.substr(9, 3), 10, status) && status >= 100 && status <= 599;
    if (!code) return fail("the reply is no HTTP");
    started_ = true;
    reply_ = HttpMessage();
    reply_.status = static_cast<int>(status);
    has_length_ = chunked_ = false;
    closes_ = line.starts_with("HTTP/1.0 ");
    state_ = State::header;
}

void HttpReplyReader::on_header(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos ||
        line.substr(0, colon).find_first_of(" \t") != line.npos)
        return fail("a line of the header is none");
    const std::string name = lower(line.substr(0, colon));
    const std::string_view given = trim(line.substr(colon + 1));
    const std::string value = lower(given);
    if (name == "content-type") {
        if (!reply_.content_type.empty()) return fail("there are two types of content");
        reply_.content_type = trim(std::string_view(value).substr(0, value.find(';')));
    } else if (name == "content-length") {
        if (has_length_ || !parse_number(value, 10, missing_))
            return fail("the length of the content is unclear");
        has_length_ = true;
    } else if (name == "transfer-encoding") {
        if (chunked_ || value != "chunked") return fail("the transfer encoding is not known");
        chunked_ = true;
    } else if (name == "content-encoding" && value != "identity") {
        reply_.content_encoding = value;
    } else if (name == "connection") {
        closes_ = closes_ || value.find("close") != value.npos;
    } else if (name == "location") {
        reply_.location = given;
    } else if (name == "date") {
        reply_.date = given;
    } else if (name == "retry-after") {
        reply_.retry_after = given;
    }
}

void HttpReplyReader::on_header_end() {
    if (reply_.status < 200) {  // an interim reply, the proper one follows (RFC 9110 §15.2)
        state_ = State::status;
    } else if (reply_.status == 204 || reply_.status == 304 ||
               (reply_.status != 200 && !bounds_.every_body)) {
        reply_.reusable = !closes_ && bounds_.every_body;
        state_ = State::complete;
    } else if (chunked_ && has_length_) {
        fail("the length of the content is unclear");
    } else if (chunked_) {
        reply_.reusable = !closes_;
        state_ = State::chunk_size;
    } else if (!has_length_) {
        state_ = State::rest;
    } else if (missing_ > bounds_.body) {
        fail_too_large();
    } else {
        reply_.reusable = !closes_;
        state_ = missing_ == 0 ? State::complete : State::body;
    }
}

void HttpReplyReader::on_chunk_size(std::string_view line) {
    const std::string_view size = trim(line.substr(0, line.find(';')));
    if (!parse_number(size, 16, missing_)) return fail("the size of a chunk cannot be read");
    if (missing_ > bounds_.body) return fail_too_large();
    state_ = missing_ == 0 ? State::trailer : State::chunk;
}

void HttpReplyReader::fail_too_large() {
    too_large_ = true;
    fail("it is larger than allowed");
}

void HttpReplyReader::fail(const char* words) {
    state_ = State::failed;
    fault_ = words;
}

}  // namespace postern::base
