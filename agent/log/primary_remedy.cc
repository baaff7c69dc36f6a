#include "agent/log/primary_remedy.h"

namespace postern::agent {

std::string_view remedy(sync::Trouble trouble) {
    using sync::Trouble;
    switch (trouble) {
        case Trouble::other:
            return "see that url, username and password_file of this [[primary]] are right, and that this "
                   "machine may reach it";
        case Trouble::name_unknown:
            return "correct the host in url, or let the name have an address in the DNS or /etc/hosts";
        case Trouble::name_unanswered: return "see that the name servers in /etc/resolv.conf answer";
        case Trouble::refused:
            return "nothing listens there: see that the primary's service runs, and correct the port in "
                   "url";
        case Trouble::no_route:
            return "see that this machine has a route to that address, of IPv6 too where the name has one";
        case Trouble::connect_timeout:
            return "see that the primary is up and no firewall on the way drops what this machine sends";
        case Trouble::reply_timeout: return "see why the primary is slow";
        case Trouble::closed:
            return "see the primary's log: it, or what stands before it, ends the connection";
        case Trouble::ca_file: return "correct ca_file";
        case Trouble::authority_unknown:
            return "give the server's own certificate, or its authority's, as PEM in ca_file; in a closed "
                   "network verify_tls = false";
        case Trouble::name_mismatch:
            return "write a name of the certificate into url, or give the server a certificate for this name";
        case Trouble::expired:
            return "renew the certificate there, and see that the clocks of both machines are right";
        case Trouble::certificate: return "give the server another certificate";
        case Trouble::handshake:
            return "see that the server speaks TLS 1.2 or later there, and that url names the port for https";
        case Trouble::not_tls:
            return "the port is one without TLS: correct the port in url, or begin it with http:// or "
                   "smtp:// in a closed "
                   "network";
        case Trouble::needs_tls: return "if the port is one with TLS, begin url with https:// or smtps://";
        case Trouble::not_http: return "correct the port in url";
        case Trouble::redirected:
            return "write the address that the primary's web service really has into url";
        case Trouble::compressed: return "turn off compression for the web service where it is not asked for";
        case Trouble::too_large: return "see what answers at this url";
        case Trouble::not_web_service:
            return "url is the address of the web interface without its path: leave out what follows the "
                   "host, such as \"/interface/root\"";
        case Trouble::busy: return "";
        case Trouble::password_file:
            return "let password_file be readable for the account that postern runs as";
        case Trouble::password_format: return "leave nothing in password_file but the password";
        case Trouble::credentials: return "correct username or password_file";
        case Trouble::second_factor:
            return "turn the second factor off for this account: make one for postern alone";
        case Trouble::address_restricted:
            return "allow this machine's address for the account, at the primary";
        case Trouble::not_administrator: return "make the account a system administrator there";
        case Trouble::password_change: return "sign in there once by hand and change the password";
        case Trouble::account_disabled: return "enable the account there";
        case Trouble::attempts:
            return "wait, or take this machine off the primary's list of blocked addresses";
    }
    return {};
}

}  // namespace postern::agent
