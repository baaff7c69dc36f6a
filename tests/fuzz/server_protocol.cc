// A session's lines. The first octet chooses the listener; the answers to what is asked depend on the line.
#include "relay/reception/protocol.h"

#include "relay/limits.h"
#include "sync/base/utf8.h"
#include "tests/fuzz/target.h"

using namespace postern::relay;
using namespace postern::fuzz;
using Action = ServerProtocol::Action;

namespace {

void check_wire(const Reply& reply) {
    require(reply.code >= 200 && reply.code < 600);
    std::string wire = reply.wire();
    require(wire.ends_with("\r\n"));
    for (std::size_t at = 0; at < wire.size(); ++at)
        require((wire[at] >= ' ' && wire[at] <= '~') || wire.compare(at, 2, "\r\n") == 0 ||
                (wire[at] == '\n' && wire[at - 1] == '\r'));
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = text_of(data, size);
    std::uint8_t choice = take_octet(input);
    ProtocolOptions options;
    options.hostname = "gw.example";
    options.message_size = 1000;
    options.recipients = 5;
    options.offer_starttls = (choice & 1) != 0;
    options.require_starttls = (choice & 3) == 3;
    ServerProtocol server(options, (choice & 4) != 0);
    check_wire(server.greeting());
    const Reply yes{250, {2, 1, 0}, "ok"}, no{550, {5, 7, 1}, "no"};

    while (!input.empty()) {
        std::string_view line = take_line(input);
        bool grant = line.find('!') == std::string_view::npos;
        std::size_t before = server.envelope().forward_paths.size();
        auto step = line.size() > limits::command_line ? server.line_too_long() : server.line(line);
        switch (step.action) {
            case Action::reply: check_wire(step.answer.reply); break;
            case Action::close: check_wire(step.answer.reply); return 0;
            case Action::ask_sender:
                require(!server.in_transaction() && !server.helo().empty());
                require(server.secure() || !options.require_starttls);
                require(server.declared_size() <= options.message_size);
                server.sender(grant ? yes : no);
                require(server.secure() || !server.envelope().require_tls);
                require(server.envelope().utf8 ||
                        postern::base::is_ascii(server.envelope().reverse_path.local));
                require(server.in_transaction() == grant && server.envelope().forward_paths.empty());
                break;
            case Action::ask_recipient:
                require(server.in_transaction() && !step.address.null());
                require(!step.address.domain.empty());
                require(server.envelope().utf8 || postern::base::is_ascii(step.address.local));
                server.recipient(grant ? yes : no);
                require(server.envelope().forward_paths.size() >= before);
                require(server.envelope().forward_paths.size() <= before + (grant ? 1 : 0));
                require(server.envelope().forward_paths.size() <= options.recipients);
                require(server.envelope().options.empty() ||
                        server.envelope().options.size() == server.envelope().forward_paths.size());
                break;
            case Action::ask_data:
                require(server.in_transaction() && before > 0);
                if (server.data(yes).code == 354) server.content_done();
                require(!server.in_transaction() && server.envelope().forward_paths.empty());
                break;
            case Action::start_tls:
                require(!server.secure() && options.offer_starttls && !server.in_transaction());
                check_wire(step.answer.reply);
                server.secured();
                require(server.helo().empty() && server.secure());
                break;
        }
    }
    return 0;
}
