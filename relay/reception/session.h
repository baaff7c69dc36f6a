// One client's connection: the only place where the server's protocol, policy and spool meet the socket.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "relay/mail/stage.h"
#include "relay/net/connection.h"
#include "relay/reception/acceptance.h"
#include "relay/reception/incoming.h"
#include "relay/reception/protocol.h"
#include "relay/reception/refusal_events.h"
#include "relay/reception/sender_account.h"
#include "relay/reception/session_context.h"
#include "relay/reception/session_memory.h"

namespace postern::relay {

/// On reception's loop. Who starts it calls run() and, when that has ended, end(). One thing: the one
/// coroutine that the decisions of the others are carried out by, a command after the other.
class Session : public std::enable_shared_from_this<Session> {
public:
    Session(SessionContext& context, std::shared_ptr<net::Connection> connection, ListenerTls tls);

    net::awaitable<void> run();
    void leave();  // 421 at the next command
    void cut_off() { connection_->close(); }
    void end();  // after run(), however it ended

private:
    net::awaitable<bool> secure(bool command_before);
    net::awaitable<bool> obey(ServerProtocol::Step step);
    void say(const Decision& decision, const Address& sender = {}, const std::string& recipient = {},
             Stage stage = Stage::none);
    net::awaitable<bool> send_replies(std::chrono::seconds deadline);
    net::awaitable<void> leave_with(Decision last);
    net::awaitable<bool> answer(Decision decision, Address sender, std::string recipient, Stage stage);
    net::awaitable<bool> receive();
    net::awaitable<std::error_code> read_content(Incoming& content);
    net::awaitable<void> write_down(Incoming& content);
    void discard(Incoming& content);
    net::awaitable<std::error_code> take_content(Incoming& incoming, Stored& stored);
    std::string trace_field(const Message& message) const;
    net::awaitable<Decision> store(Incoming& incoming, MessageId id);
    net::awaitable<std::error_code> link(std::filesystem::path file, std::filesystem::path name);
    net::awaitable<std::error_code> commit(StoredPtr stored);
    net::awaitable<Decision> judge_sender_now(Address address, std::uint64_t size);
    net::awaitable<Decision> answer_mail(Address address, std::uint64_t size);
    std::optional<Decision> answer_recipient(const Address& address, bool may_ask);
    Decision answer_returned();
    void charge(const Address& recipient, Decision& decision, bool* tell);
    const char* protocol_name() const;
    void expect(bool message);
    bool stranger() const { return primary_.empty() && !from_screening_; }

    SessionContext& context_;
    std::shared_ptr<net::Connection> connection_;
    ListenerTls tls_;
    SettingsPtr settings_;  // of the transaction in hand
    std::string client_, primary_;
    bool from_screening_ = false;  // the client is the screening gateway
    SessionMemory::Share envelope_memory_;
    SenderAccount account_;  // for the message in hand
    ServerProtocol protocol_;
    RefusalEvents::Tally tally_;
    bool at_prompt_ = false, expected_ = false;
    std::string replies_;  // not sent yet, because more commands of a pipelined group are waiting
    unsigned messages_ = 0;
};

}  // namespace postern::relay
