#include "relay/net/resolver.h"

#include <algorithm>
#include <random>

#include "relay/net/addresses.h"
#include "relay/net/dns_message.h"
#include "relay/net/dnssec.h"
#include "relay/net/questions.h"
#include "sync/base/domain_name.h"

namespace postern::relay::net {

namespace {

constexpr std::size_t exchangers_max = 50, addresses_max = 20, tlsa_max = 20, texts_max = 20, names_max = 20;
constexpr std::size_t text_octets_max = 4096;

/// What is the same in every answer. A found one without a record that can be read is a fault of the zone.
template <class Out>
Out begin(const DnsAnswer& answer) {
    Out out;
    out.status = answer.status;
    out.why = answer.why;
    return out;
}

template <class Out>
void unreadable(Out& out, const char* records) {
    out.status = Lookup::transient;
    out.why = std::string("the ") + records + " records cannot be read";
}

DnsAnswer no_name(std::string why) {
    DnsAnswer answer;
    answer.status = Lookup::no_name;
    answer.why = std::move(why);
    return answer;
}

awaitable<DnsAnswer> ask(std::shared_ptr<Questions> questions, std::string asker, std::string prefix,
                         std::string name, RecordType type) {
    const auto ascii = base::DomainName::parse(name);
    if (!ascii) co_return no_name(ascii.error());
    std::string question = prefix + ascii->text();
    co_return co_await questions->ask(std::move(asker), std::move(question), type);
}

std::uint16_t big_endian(std::string_view octets) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(octets[0]) << 8 |
                                      static_cast<unsigned char>(octets[1]));
}

template <class Address>
void collect(const DnsAnswer& answer, std::vector<asio::ip::address>& out) {
    typename Address::bytes_type octets{};
    for (const auto& record : answer.records) {
        if (record.size() != octets.size() || out.size() == addresses_max) continue;
        std::copy(record.begin(), record.end(), reinterpret_cast<char*>(octets.data()));
        out.emplace_back(Address(octets));
    }
}

/// The character strings of a TXT record joined (RFC 1035 §3.3.14).
std::string joined(std::string_view record) {
    std::string out;
    while (!record.empty()) {
        const auto length = static_cast<unsigned char>(record.front());
        record.remove_prefix(1);
        out += record.substr(0, length);
        record.remove_prefix(std::min<std::size_t>(length, record.size()));
    }
    return out;
}

std::string reverse_name(const asio::ip::address& address) {
    const auto own = plain(address);
    return reversed(own) + (own.is_v4() ? "in-addr.arpa" : "ip6.arpa");
}

}  // namespace

struct Resolver::Impl {
    Impl(io_context& io, const base::Clock& clock, Outside& outside, const DnsSettings& settings,
         std::uint32_t seed)
        : questions(std::make_shared<Questions>(io, clock, outside, settings)),
          watch(std::make_shared<DnssecWatch>(io, clock, outside, questions, settings)),
          random(seed) {}

    std::shared_ptr<Questions> questions;
    std::shared_ptr<DnssecWatch> watch;
    std::minstd_rand random;
};

Resolver::Resolver(io_context& io, const base::Clock& clock, Outside& outside, const DnsSettings& settings,
                   std::uint32_t seed)
    : impl_(std::make_shared<Impl>(io, clock, outside, settings, seed)), owner_(true) {}

Resolver::Resolver(const Resolver& other) : impl_(other.impl_), asker_(other.asker_) {}

Resolver::~Resolver() {
    if (!owner_) return;
    impl_->watch->close();
    impl_->questions->close();
}

Resolver Resolver::for_asker(std::string asker) const {
    Resolver out(*this);
    out.asker_ = std::move(asker);
    return out;
}

void Resolver::reload(const DnsSettings& settings) { impl_->watch->reload(settings); }

void Resolver::watch_dnssec(bool proven, std::function<void()> told) {
    impl_->watch->start(proven, std::move(told));
}

const Dnssec& Resolver::dnssec() const { return impl_->watch->dnssec(); }

awaitable<MxAnswer> Resolver::mx(std::string domain) {
    auto impl = impl_;
    DnsAnswer answer = co_await ask(impl->questions, asker_, "", std::move(domain), RecordType::mx);
    auto out = begin<MxAnswer>(answer);
    out.secure = answer.secure;
    for (std::string_view record : answer.records) {
        if (record.size() < 3) continue;
        std::string host = name_of(record.substr(2));
        if (!host.empty()) out.exchangers.push_back(MailExchanger{big_endian(record), std::move(host)});
    }
    std::shuffle(out.exchangers.begin(), out.exchangers.end(), impl->random);
    std::stable_sort(
        out.exchangers.begin(), out.exchangers.end(),
        [](const MailExchanger& a, const MailExchanger& b) { return a.preference < b.preference; });
    out.cut = out.exchangers.size() > exchangers_max;
    if (out.cut) out.exchangers.resize(exchangers_max);
    if (out.status == Lookup::found && out.exchangers.empty()) unreadable(out, "MX");
    co_return out;
}

awaitable<AddressAnswer> Resolver::addresses(std::string host) {
    auto impl = impl_;
    auto asker = asker_;
    AddressAnswer out;
    std::error_code error;
    asio::ip::address literal = asio::ip::make_address(host, error);
    if (!error) {
        out.status = Lookup::found;
        out.canonical = host;
        out.addresses.push_back(literal);
        co_return out;
    }
    const auto ascii = base::DomainName::parse(host);
    if (!ascii) {
        out.status = Lookup::no_name;
        out.why = ascii.error();
        co_return out;
    }
    out.canonical = ascii->text();
    auto [six, four] = co_await impl->questions->ask_addresses(asker, ascii->text());
    collect<asio::ip::address_v6>(six, out.addresses);
    collect<asio::ip::address_v4>(four, out.addresses);
    if (!out.addresses.empty()) {
        out.status = Lookup::found;
        out.canonical = four.records.empty() ? six.canonical : four.canonical;
        // A kind that cannot be looked up adds no address, so it takes nothing from the other's proof.
        // Otherwise whoever suppresses one answer would switch DANE off.
        out.secure = (six.secure || six.status == Lookup::transient) &&
                     (four.secure || four.status == Lookup::transient);
        out.alias_secure = out.secure && out.canonical != ascii->text();
        if (out.secure || out.canonical == ascii->text()) co_return out;
        DnsAnswer alias = co_await impl->questions->ask(asker, ascii->text(), RecordType::cname);
        out.alias_secure = alias.status == Lookup::found && alias.secure;
        if (alias.status == Lookup::transient) out.alias_why = alias.why;
        co_return out;
    }
    out.secure = six.secure && four.secure;
    if (four.status == Lookup::transient || six.status == Lookup::transient) {
        out.why = four.status == Lookup::transient ? four.why : six.why;
    } else if (four.status == Lookup::found || six.status == Lookup::found) {
        unreadable(out, "address");
    } else {
        out.status = four.status;
        out.why = four.status == Lookup::no_name ? four.why : "the name has no address";
    }
    co_return out;
}

awaitable<TlsaAnswer> Resolver::tlsa(std::string host, std::uint16_t port) {
    auto impl = impl_;
    std::string prefix = '_' + std::to_string(port) + "._tcp.";
    DnsAnswer answer =
        co_await ask(impl->questions, asker_, std::move(prefix), std::move(host), RecordType::tlsa);
    auto out = begin<TlsaAnswer>(answer);
    out.secure = answer.secure;
    for (const auto& record : answer.records) {
        if (record.size() < 4 || out.records.size() == tlsa_max) continue;
        TlsaRecord tlsa;
        tlsa.usage = static_cast<std::uint8_t>(record[0]);
        tlsa.selector = static_cast<std::uint8_t>(record[1]);
        tlsa.matching = static_cast<std::uint8_t>(record[2]);
        tlsa.data = record.substr(3);
        out.records.push_back(std::move(tlsa));
    }
    if (out.status == Lookup::found && out.records.empty()) unreadable(out, "TLSA");
    co_return out;
}

awaitable<TextAnswer> Resolver::text(std::string name) {
    auto impl = impl_;
    DnsAnswer answer = co_await ask(impl->questions, asker_, "", std::move(name), RecordType::txt);
    auto out = begin<TextAnswer>(answer);
    for (const auto& record : answer.records) {
        std::string text = joined(record);
        if (text.size() <= text_octets_max && out.texts.size() < texts_max)
            out.texts.push_back(std::move(text));
    }
    if (out.status == Lookup::found && out.texts.empty()) unreadable(out, "TXT");
    co_return out;
}

awaitable<NameAnswer> Resolver::names(asio::ip::address address) {
    auto impl = impl_;
    DnsAnswer answer = co_await ask(impl->questions, asker_, "", reverse_name(address), RecordType::ptr);
    auto out = begin<NameAnswer>(answer);
    for (const auto& record : answer.records) {
        std::string name = name_of(record);
        if (!name.empty() && name != "." && out.names.size() < names_max)
            out.names.push_back(std::move(name));
    }
    if (out.status == Lookup::found && out.names.empty()) unreadable(out, "PTR");
    co_return out;
}

}  // namespace postern::relay::net
