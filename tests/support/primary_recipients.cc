#include "tests/support/primary_recipients.h"

#include <idn2.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

namespace postern::tests {

namespace {

using Json = nlohmann::json;

struct Mailbox {
    std::string local_part, domain;  // unquoted and in lower case; A-labels
};

std::string lower(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    return text;
}

std::optional<Mailbox> parse(std::string_view address) {
    std::string local_part;
    std::size_t at = address.find('@');
    if (address.starts_with('"')) {
        std::size_t next = 1;
        for (; next < address.size() && address[next] != '"'; ++next) {
            if (address[next] == '\\' && ++next == address.size()) return std::nullopt;
            local_part += address[next];
        }
        at = next + 1;
        if (at >= address.size() || address[at] != '@') return std::nullopt;
    } else {
        local_part = address.substr(0, at);
    }
    if (local_part.empty() || at == address.npos || at + 1 == address.size() ||
        address.find('@', at + 1) != address.npos)
        return std::nullopt;
    return Mailbox{lower(local_part), a_labels(std::string(address.substr(at + 1)))};
}

std::string name_of(const Json& entry) {
    return entry.is_string() ? entry.get<std::string>() : entry.at("name").get<std::string>();
}

bool flag(const Json& entry, const char* key, bool otherwise) {
    return entry.is_object() ? entry.value(key, otherwise) : otherwise;
}

std::string text(const Json& domain, const char* key) {  // null is as good as absent
    const auto found = domain.find(key);
    return found != domain.end() && found->is_string() ? found->get<std::string>() : "";
}

const Json& entries(const Json& parent, const char* list) {
    static const Json none = Json::array();
    const auto found = parent.find(list);
    return found == parent.end() ? none : *found;
}

const Json* find(const Json& domain, const char* list, const std::string& name) {
    const Json& all = entries(domain, list);
    const auto entry =
        std::find_if(all.begin(), all.end(), [&](const Json& each) { return lower(name_of(each)) == name; });
    return entry == all.end() ? nullptr : &*entry;
}

bool open(const Json& list) { return !flag(list, "disabled", false); }

/// The mailbox that takes commands for the domain's lists.
std::string list_command(const Json& domain) {
    const std::string command = lower(text(domain, "list_command"));
    if (!command.empty()) return command.substr(0, command.find('@'));
    const Json& lists = entries(domain, "lists");
    return std::any_of(lists.begin(), lists.end(), open) ? "listserv" : "";
}

bool takes(const Json& domain, const std::string& local_part) {
    if (local_part == "postmaster" || local_part == "abuse") return true;
    const std::string name = local_part.substr(0, local_part.find('+'));
    const Json* const user = find(domain, "users", name);
    const Json* const alias = find(domain, "aliases", name);
    const Json* const list = find(domain, "lists", name);
    const Json* const room = find(domain, "resources", name);
    // Neither a full mailbox nor one with an error is a fault of the address.
    if (user != nullptr && (flag(*user, "enabled", true) || flag(*user, "can_receive", false))) return true;
    if (alias != nullptr && flag(*alias, "enabled", true)) return true;
    if (list != nullptr && open(*list)) return true;
    if (room != nullptr && flag(*room, "enabled", true)) return true;
    if (find(domain, "domain_users_only", name) != nullptr) return true;
    if (!name.empty() && name == list_command(domain)) return true;
    // A catch-all takes what would go to nobody: a disabled user is somebody.
    return user == nullptr && !text(domain, "catch_all").empty() && flag(domain, "enable_catch_alls", true);
}

bool named(const Json& domain, const std::string& name) {
    if (a_labels(name_of(domain)) == name) return true;
    const Json& aliases = entries(domain, "domain_aliases");
    return std::any_of(aliases.begin(), aliases.end(),
                       [&](const Json& alias) { return a_labels(name_of(alias)) == name; });
}

}  // namespace

std::string a_labels(const std::string& domain) {
    if (std::all_of(domain.begin(), domain.end(), [](unsigned char c) { return c < 0x80; }))
        return lower(domain);
    std::uint8_t* ascii = nullptr;
    const auto* text = reinterpret_cast<const std::uint8_t*>(domain.c_str());
    if (idn2_lookup_u8(text, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK) return lower(domain);
    const std::unique_ptr<std::uint8_t, decltype(&idn2_free)> owner(ascii, &idn2_free);
    return lower(reinterpret_cast<const char*>(ascii));
}

bool accepts(const Json& world, std::string_view address) {
    const auto mailbox = parse(address);
    if (!mailbox) return false;
    const Json& domains = entries(world, "domains");
    const auto domain = std::find_if(domains.begin(), domains.end(),
                                     [&](const Json& each) { return named(each, mailbox->domain); });
    return domain != domains.end() && flag(*domain, "enabled", true) && takes(*domain, mailbox->local_part);
}

}  // namespace postern::tests
