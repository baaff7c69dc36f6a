// A double of the primary's web services, both generations: strict where the real server's behaviour is
// certain, switchable where it is not. The world it shows and the switches are JSON, described in README.md.
#pragma once

#include <httplib.h>

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/primary_double_soap.h"

namespace postern::tests {

using Json = nlohmann::json;

/// A small world with one of everything, for tests to change.
Json example_world();

class PrimaryDouble final {
public:
    struct Tls {
        std::string certificate, private_key;  // PEM files
    };

    /// Binds 127.0.0.1:`port` (0: any) and serves until destroyed; throws std::runtime_error when it cannot.
    explicit PrimaryDouble(Json world, int port = 0, std::optional<Tls> tls = std::nullopt);
    ~PrimaryDouble();
    PrimaryDouble(const PrimaryDouble&) = delete;
    PrimaryDouble& operator=(const PrimaryDouble&) = delete;

    int port() const { return port_; }
    std::string url() const;  // with host 127.0.0.1

    void set_world(Json world);
    void set_switches(const Json& changes);  // merged into those in force
    void restart();                          // all tokens die
    Json requests() const;                   // {"count", "sign_ins", "refreshes", "requests": [...]}
    void forget_requests();

private:
    struct Token {
        std::string user, client_id,
            domain;  // domain: that an impersonated token acts in, "" for the administrator
        std::chrono::system_clock::time_point expires;
        bool step = false;  // only good for the second factor
    };
    struct Call {
        std::string method, path;  // path: below api/v1/, normalised to lower case
        std::vector<std::string> parts;
        Json body;
        std::string bearer, domain_header, remote;
    };
    struct Answer {
        int status = 200;
        Json body;
        std::string text;  // sent instead of body when not empty
        std::string type = "application/json; charset=utf-8";
    };

    void handle(const httplib::Request& request, httplib::Response& response);
    void control(const httplib::Request& request, httplib::Response& response);
    Answer answer(const Call& call);
    Answer answer_soap(const soap::Request& request, const std::string& remote);
    Answer sign_in(const Call& call);
    Answer second_factor(const Call& call);
    Answer refresh(const Call& call);
    Answer sysadmin(const Call& call);
    Answer domain_call(const Call& call, const std::string& domain);
    Answer account_search(const Call& call, const Json& domain);
    Answer impersonation(const std::string& domain);
    Answer success(Json payload) const;
    Answer failure(const std::string& message, const char* status_switch = "failure_status") const;

    void issue(Json& reply, const std::string& prefix, const Token& token);
    void drop_tokens(const std::string& user, const std::string& client_id);
    std::optional<Token> token_of(const std::string& bearer) const;
    const Json* find_domain(const std::string& name) const;
    std::chrono::system_clock::time_point now() const;
    bool on(const char* name, bool otherwise) const { return switches_.value(name, otherwise); }
    bool listed(const char* name, const std::string& path) const;

    mutable std::mutex mutex_;
    Json world_, switches_, log_ = Json::array();
    std::map<std::string, Token> access_, refresh_;
    std::map<std::string, int> failed_logins_;  // by remote address
    int count_ = 0, sign_ins_ = 0, refreshes_ = 0, serial_ = 0;
    int port_ = 0;
    bool tls_ = false;
    std::unique_ptr<httplib::Server> server_;
    std::thread thread_;
};

}  // namespace postern::tests
