// A hostile server's replies to one transaction, line by line. The first octet chooses what was offered
// before.
#include <numeric>
#include <string>
#include <vector>

#include "relay/delivery/report.h"
#include "relay/delivery/transaction.h"
#include "tests/fuzz/target.h"

using namespace postern::relay;
using namespace postern::fuzz;

namespace {

/// The report about whoever failed: in lines of a legal length, without a control character.
void check_report(const Message& message, const std::vector<std::uint16_t>& recipients,
                  std::vector<Outcome>& outcomes) {
    std::vector<ReportedRecipient> failed;
    for (std::size_t at = 0; at < outcomes.size(); ++at) {
        if (outcomes[at].result != Outcome::Result::failed) continue;
        RecipientProgress progress;
        progress.status = RecipientStatus::failed;
        progress.reply = outcomes[at].reply;
        progress.reason = outcomes[at].reason;
        progress.host = "mx.example.net[192.0.2.9]:25";
        ReportedRecipient one;
        one.address = message.envelope.forward_paths[recipients[at]];
        one.progress = std::move(progress);
        failed.push_back(std::move(one));
    }
    if (failed.empty()) return;
    ReportContent returned{"Subject: x\r\n", ""};
    Message bounce = make_report("gw.example", message, returned, failed, MessageId{7}, Time{});
    std::string_view rest = *bounce.content.bytes;
    while (!rest.empty()) {
        std::size_t end = rest.find("\r\n");
        require(end <= 998);
        for (char c : rest.substr(0, end)) require(c == '\t' || (c >= ' ' && c <= '~'));
        rest.remove_prefix(end + 2);
    }
}

bool goes_on(ReplyParser::Step step) {
    return step == ReplyParser::Step::more || step == ReplyParser::Step::stray;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = text_of(data, size);
    std::uint8_t choice = take_octet(input);

    Message message;
    message.envelope.reverse_path = {"s", "example.com"};
    message.content.size = 500;
    // Some of them twice.
    for (int at = 0; at <= choice >> 4; ++at)
        message.envelope.forward_paths.push_back({"r" + std::to_string(at % 7), "example.net"});
    std::vector<std::uint16_t> recipients(message.envelope.forward_paths.size());
    std::iota(recipients.begin(), recipients.end(), std::uint16_t{0});
    Extensions extensions;
    ReplyParser parser;
    // At most one reply ahead of the transaction: that to EHLO.
    if ((choice & 1) != 0) {
        auto step = ReplyParser::Step::more;
        while (goes_on(step) && !input.empty()) step = parser.feed(take_line(input));
        extensions = parse_extensions(parser.take());
    }
    extensions.pipelining = (choice & 2) != 0;

    Transaction::Options options;
    options.reset = (choice & 4) != 0;
    options.before.reused = options.before.took = options.reset;
    options.before.unproven_tls = (choice & 8) != 0;
    Transaction transaction(message, recipients, extensions, options);
    bool content_sent = false;
    while (!transaction.done()) {
        std::string commands = transaction.to_send();
        require(commands.empty() || commands.ends_with("\r\n"));
        if (transaction.wants_content()) {
            require(!content_sent);
            content_sent = true;
            transaction.content_sent();
        }
        auto step = ReplyParser::Step::more;
        std::size_t lines = 0;
        while (goes_on(step) && !input.empty()) {
            step = parser.feed(take_line(input));
            require(++lines <= 200);
        }
        if (step == ReplyParser::Step::complete) {
            Reply reply = parser.take();
            require(reply.code >= 200 && reply.code < 700 && reply.text.size() <= 16 * 1024);
            transaction.on_reply(std::move(reply));
        } else {
            transaction.lost("cannot be understood");
            require(!transaction.usable());
        }
    }
    require(transaction.to_send().empty() && !transaction.wants_content());
    auto outcomes = transaction.outcomes();
    require(outcomes.size() == recipients.size() && transaction.meanings().size() == recipients.size());
    for (const auto& outcome : outcomes) {
        require(outcome.reply.code != 0 || !outcome.reason.empty());
        if (outcome.result == Outcome::Result::delivered)
            require(content_sent && outcome.stage == Stage::dot);
        if (outcome.result == Outcome::Result::failed)
            require(outcome.reply.permanent() || outcome.reply.code == 0);
    }
    check_report(message, recipients, outcomes);
    return 0;
}
