#include "sync/back_ends.h"

#include <algorithm>
#include <stdexcept>

#include "sync/detected_back_end.h"
#include "sync/rest/rest.h"
#include "sync/smtp/smtp.h"
#include "sync/soap/soap.h"

namespace postern::sync {

namespace {

constexpr std::string_view web_address = "a web address such as \"https://mail.example.com\"";

constexpr std::string_view mail_address = "a mail server's address such as \"smtp://mail.example.com:25\"";

using Memory = base::StateFolder;

std::unique_ptr<Primary> detected(const PrimarySettings& settings, const std::string& client_id,
                                  const Memory& memory, const base::Clock& clock, std::stop_token stop) {
    return std::make_unique<DetectedBackEnd>(settings, client_id, memory, clock, std::move(stop));
}

std::unique_ptr<Primary> rest(const PrimarySettings& settings, const std::string& client_id, const Memory&,
                              const base::Clock& clock, std::stop_token stop) {
    return std::make_unique<Rest>(settings, client_id, clock, std::move(stop));
}

std::unique_ptr<Primary> soap(const PrimarySettings& settings, const std::string&, const Memory&,
                              const base::Clock& clock, std::stop_token stop) {
    return std::make_unique<Soap>(settings, clock, std::move(stop));
}

std::unique_ptr<Primary> smtp(const PrimarySettings& settings, const std::string&, const Memory&,
                              const base::Clock& clock, std::stop_token stop) {
    return std::make_unique<Smtp>(settings, clock, std::move(stop));
}

constexpr BackEnd table[] = {
    {.api = "auto",
     .schemes = web_schemes,
     .url = web_address,
     .account = true,
     .lists = true,
     .make = detected},
    {.api = "rest", .schemes = web_schemes, .url = web_address, .account = true, .lists = true, .make = rest},
    {.api = "soap", .schemes = web_schemes, .url = web_address, .account = true, .lists = true, .make = soap},
    {.api = "smtp",
     .schemes = mail_schemes,
     .url = mail_address,
     .account = false,
     .lists = false,
     .make = smtp},
};

}  // namespace

std::span<const BackEnd> back_ends() { return table; }

const BackEnd* find_back_end(std::string_view api) {
    const auto* const found =
        std::find_if(std::begin(table), std::end(table), [&](const BackEnd& one) { return one.api == api; });
    return found == std::end(table) ? nullptr : found;
}

const BackEnd& back_end(const PrimarySettings& settings) {
    const BackEnd* const found = find_back_end(settings.api);
    if (found == nullptr) throw std::invalid_argument("no kind of primary: " + settings.api);
    return *found;
}

}  // namespace postern::sync
