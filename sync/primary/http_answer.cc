#include "sync/primary/http_answer.h"

#include <algorithm>

#include "sync/limits.h"

namespace postern::sync {

namespace {

std::string shown(std::string_view text) {
    std::string line(text.substr(0, limits::words));
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c < ' ' || c >= 0x7f; }, '?');
    return line;
}

}  // namespace

Result<HttpReply> answer(HttpClient& client, HttpRequest request) {
    auto reply = client.send(std::move(request));
    if (!reply) return tl::make_unexpected(failure_of(std::move(reply.error())));
    const auto failed = [](std::string words, Trouble trouble) {
        return tl::make_unexpected(Failure{Fault::unreadable, std::move(words), {}, trouble});
    };
    if (reply->status >= 300 && reply->status < 400)
        return failed("the url leads elsewhere: HTTP status " + std::to_string(reply->status) +
                          (reply->location.empty() ? "" : ", Location " + shown(reply->location)),
                      Trouble::redirected);
    if (!reply->content_encoding.empty())
        return failed(
            "the reply is compressed (" + shown(reply->content_encoding) + "), which was not asked for",
            Trouble::compressed);
    return std::move(*reply);
}

}  // namespace postern::sync
