// What can be wrong with a certificate of ours that works.
#pragma once

#include <openssl/ssl.h>

#include <string>
#include <vector>

#include "sync/base/clock.h"

namespace postern::agent {

struct OwnCertificate {
    std::string names;                  // of hosts, "a.example, b.example"
    std::string ends;                   // a day, "2027-03-01"
    std::vector<std::string> troubles;  // in words; none is a reason not to start
};

/// Of what a listener shows; `hostname` is what it should be for.
OwnCertificate own_certificate(const SSL_CTX* context, const std::string& hostname, base::Time now);

}  // namespace postern::agent
