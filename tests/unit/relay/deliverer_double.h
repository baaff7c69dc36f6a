// A deliverer made of functions, for tests of the queue.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "relay/queue/deliverer.h"

namespace postern::tests {

/// As in relay::Deliverer.
struct Answers {
    std::function<relay::RouteKey(const relay::Envelope&, const relay::Address&)> route;
    std::function<bool(const relay::RouteKey&)> exists;
    std::function<std::size_t(const relay::RouteKey&)> room;
    std::function<void(relay::Job)> offer;
    std::function<std::string(const relay::RouteKey&)> trouble;
    std::function<relay::Time(const relay::RouteKey&)> next_try;
    std::function<relay::StoredPtr(const relay::Stored&, const relay::Progress&,
                                   const std::vector<relay::Notice>&)>
        report;
};

class DelivererDouble : public relay::Deliverer {
public:
    explicit DelivererDouble(Answers answers) : answers_(std::move(answers)) {}

    relay::RouteKey route(const relay::Envelope& envelope, const relay::Address& recipient) override {
        return answers_.route(envelope, recipient);
    }
    bool exists(const relay::RouteKey& route) const override { return answers_.exists(route); }
    std::size_t room(const relay::RouteKey& route) override { return answers_.room(route); }
    void offer(relay::Job job) override { answers_.offer(std::move(job)); }
    std::string trouble(const relay::RouteKey& route) const override { return answers_.trouble(route); }
    relay::Time next_try(const relay::RouteKey& route) const override { return answers_.next_try(route); }
    relay::StoredPtr report(const relay::Stored& stored, const relay::Progress& progress,
                            const std::vector<relay::Notice>& notices) const override {
        return answers_.report(stored, progress, notices);
    }

private:
    Answers answers_;
};

}  // namespace postern::tests
