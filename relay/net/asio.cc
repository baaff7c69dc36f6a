// Asio's own code, compiled once.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Weverything"
#include <asio/impl/src.hpp>
#include <asio/ssl/impl/src.hpp>
#pragma clang diagnostic pop
