#include "relay/net/error.h"

#include <asio/error.hpp>

namespace postern::relay::net {

namespace {

class Category final : public std::error_category {
public:
    const char* name() const noexcept override { return "net"; }
    std::string message(int value) const override {
        switch (static_cast<Error>(value)) {
            case Error::timed_out: return "timed out";
            case Error::closed: return "the other side closed the connection";
            case Error::line_too_long: return "a line was too long";
            case Error::no_such_address: return "the address to leave from is not an address of this machine";
            case Error::tls_failed: return "TLS handshake failed";
            case Error::not_understood: return "the server's reply cannot be understood";
            case Error::unasked: return "the server sent a reply that nothing had asked for";
            case Error::buffered_plaintext: return "clear text was sent behind STARTTLS";
        }
        return "unknown";
    }
};

}  // namespace

const std::error_category& error_category() {
    static const Category category;
    return category;
}

std::error_code of_system(const std::error_code& error) {
    return error.category() == asio::error::get_system_category()
               ? std::error_code(error.value(), std::generic_category())
               : error;
}

std::string describe(const std::error_code& error) {
    if (error == asio::error::connection_refused) return "connection refused";
    if (error == asio::error::connection_reset || error == asio::error::broken_pipe)
        return "the other side dropped the connection";
    if (error == asio::error::network_unreachable) return "network is unreachable";
    if (error == asio::error::host_unreachable) return "host is unreachable";
    return error.message();
}

}  // namespace postern::relay::net
