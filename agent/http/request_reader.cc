#include "agent/http/request_reader.h"

#include <algorithm>
#include <utility>

#include "sync/base/ensure.h"

namespace postern::agent {
namespace {

/// No method begins so; what does, as TLS, may wait for an answer without ever ending a line.
bool begins_no_line(char first) {
    return first != '\r' && first != '\n' && (first <= ' ' || first >= '\x7f');
}

}  // namespace

HttpRequestReader::Step HttpRequestReader::step() const {
    switch (state_) {
        case State::line:
        case State::fields:
        case State::body: return Step::more;
        case State::head: return Step::head;
        case State::complete: return Step::complete;
        case State::failed: break;
    }
    return Step::failed;
}

HttpRequestReader::Step HttpRequestReader::feed(std::string_view& octets) {
    while ((state_ == State::line || state_ == State::fields) && take_line(octets)) read_line();
    if (state_ == State::body) {
        const auto piece = octets.substr(0, missing_);
        body_ += piece;
        missing_ -= piece.size();
        octets.remove_prefix(piece.size());
        if (missing_ == 0) state_ = State::complete;
    }
    return step();
}

void HttpRequestReader::expect(std::size_t body) {
    ENSURE(state_ == State::head, "a body comes behind its head");
    missing_ = body;
    state_ = body == 0 ? State::complete : State::body;
}

bool HttpRequestReader::take_line(std::string_view& octets) {
    const std::size_t lf = octets.find('\n');
    const std::size_t taken = lf == std::string_view::npos ? octets.size() : lf + 1;
    const std::size_t room = bounds_.head - head_;
    const std::size_t most = state_ == State::line ? std::min(bounds_.line + 2, room) : room;
    const std::size_t before = line_.size();
    line_ += octets.substr(0, std::min(taken, most - before));
    if (state_ == State::line && !line_.empty() && begins_no_line(line_.front())) {
        fail(400, "this is no HTTP request");
        return false;
    }
    // The line end may be all that is missing.
    const std::size_t cr = line_.find('\r', before == 0 ? 0 : before - 1);
    if (cr < line_.size() - 1 && line_[cr + 1] != '\n') {
        fail(400, "a CR ends no line");
        return false;
    }
    if (line_.ends_with('\n') && !line_.ends_with("\r\n")) {
        fail(400, "a line ends without CR");
        return false;
    }
    if (taken > most - before) {
        if (state_ == State::line)
            fail(414, "the address is too long");
        else
            fail(431, "the header is too long");
        return false;
    }
    octets.remove_prefix(taken);
    if (lf == std::string_view::npos) return false;
    head_ += line_.size();
    line_.resize(line_.size() - 2);
    return true;
}

void HttpRequestReader::read_line() {
    const std::string line = std::exchange(line_, {});
    if (state_ == State::line) {
        auto request = parse_request_line(line);
        if (!request) return fail(request.error().status, std::move(request.error().why));
        request_ = std::move(*request);
        state_ = State::fields;
        return;
    }
    if (line.empty()) return on_head_end();
    auto field = parse_field_line(line);
    if (!field) return fail(400, "a header field is malformed");
    if (request_.fields.size() == bounds_.fields) return fail(431, "too many headers");
    request_.fields.push_back(std::move(*field));
}

void HttpRequestReader::on_head_end() {
    const auto hosts = request_.count("host");
    if (hosts > 1) return fail(400, "there are two Host headers");
    if (hosts == 0 && request_.minor > 0) return fail(400, "the Host header is missing");
    state_ = State::head;
}

void HttpRequestReader::fail(int status, std::string why) {
    state_ = State::failed;
    fault_ = {status, std::move(why)};
}

}  // namespace postern::agent
