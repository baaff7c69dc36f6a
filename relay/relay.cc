#include "relay/relay.h"

#include "relay/parts.h"
#include "relay/reception/srs_secret.h"
#include "relay/screening/screening.h"
#include "relay/shared.h"
#include "relay/signing/keyring.h"
#include "relay/worker_threads.h"

namespace postern::relay {

Relay::Relay(SettingsPtr settings, DirectoryPtr directory, Observer& observer, const base::Clock& clock,
             base::Disk& disk, net::Outside& outside)
    : workers_(std::make_unique<WorkerThreads>()),
      parts_(std::make_unique<RelayParts>(std::move(settings), std::move(directory), observer,
                                          net::Machine{clock, disk, outside, workers_->workers()})),
      shared_(std::make_unique<Shared>(
          *parts_,
          OperatorActions{
              [this](const std::string& sender, base::Time decided) { release_sender(sender, decided); },
              [this](const std::string& sender, base::Time decided) { drop_sender(sender, decided); },
              [this](const std::string& address, const std::string& site) { forget(address, site); }},
          observer)) {}

Relay::~Relay() {
    stop();
    workers_->end();
}

void Relay::start() { parts_->start(); }
void Relay::stop(std::chrono::seconds grace) { parts_->stop(grace); }
void Relay::hurry() { parts_->hurry(); }

struct Relay::Prepared {
    SettingsPtr settings;
    net::PreparedTls server, client;
    std::shared_ptr<const Srs> srs;
    std::shared_ptr<const Marks> marks;
    std::shared_ptr<const Keyring> keyring;
};

std::shared_ptr<const Relay::Prepared> Relay::prepare(SettingsPtr settings) const {
    auto out = std::make_shared<Prepared>();
    out->server = net::prepare(net::server_context, settings->tls);
    out->client = net::prepare(net::client_context, settings->tls);
    out->srs = rewriting(parts_->disk, *settings);
    out->marks = marks_for(parts_->disk, *settings);
    out->keyring = load_keyring(settings->dkim.keys);
    out->settings = std::move(settings);
    return out;
}

void Relay::reload(std::shared_ptr<const Prepared> prepared) {
    parts_->put_in_force(prepared->settings);
    parts_->reception.reload(prepared->settings, prepared->server, prepared->srs, prepared->marks);
    asio::post(parts_->delivery_loops.first().io(),
               [&delivery = parts_->delivery, prepared = std::move(prepared)] {
                   delivery.reload(prepared->settings, prepared->client, prepared->keyring, prepared->marks);
               });
}

void Relay::ask_with(AskDirectory ask) { parts_->reception.ask_with(std::move(ask)); }
void Relay::notice_with(NoticeSender notice) { parts_->reception.notice_with(std::move(notice)); }
void Relay::ask_gateways_with(AskGateways ask) { parts_->reception.ask_gateways_with(std::move(ask)); }
Shared& Relay::shared() { return *shared_; }

void Relay::publish(DirectoryPtr directory) {
    parts_->put_in_force(directory);
    parts_->reception.publish(directory);
    asio::post(parts_->delivery_loops.first().io(),
               [&delivery = parts_->delivery, directory = std::move(directory)]() mutable {
                   delivery.publish(std::move(directory));
               });
}

}  // namespace postern::relay
