// An HTTPS server for one test: it takes connections one after the other and says to each what the test
// wants.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

struct ssl_st;
struct ssl_ctx_st;

namespace postern::tests {

class HttpsServer {
public:
    /// What one connection is used for, behind the handshake and the request.
    class Client {
    public:
        Client(ssl_st* tls, int socket) : tls_(tls), socket_(socket) {}
        bool write(std::string_view octets);  // false: the other side is gone
        void wait_until_gone();
        void cut_off();  // closes without the goodbye of TLS

    private:
        ssl_st* tls_;
        int socket_;
    };
    using Say = std::function<void(Client&)>;

    /// On `address` (a literal of 127.0.0.0/8) and a free port, with a certificate of its own.
    HttpsServer(const std::string& address, const std::filesystem::path& certificate,
                const std::filesystem::path& key, Say say);
    ~HttpsServer();
    HttpsServer(const HttpsServer&) = delete;
    HttpsServer& operator=(const HttpsServer&) = delete;

    std::uint16_t port() const { return port_; }
    std::vector<std::string> requests();     // whole headers
    std::vector<std::string> names_asked();  // SNI

private:
    void serve();
    void serve(int socket);
    void note_name(ssl_st* tls);

    std::shared_ptr<ssl_ctx_st> context_;
    Say say_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::mutex mutex_;
    std::vector<std::string> requests_, names_;
    std::thread thread_;
};

}  // namespace postern::tests
