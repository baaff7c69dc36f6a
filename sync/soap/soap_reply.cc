#include "sync/soap/soap_reply.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <pugixml.hpp>

#include "sync/base/ascii.h"
#include "sync/base/secret.h"
#include "sync/limits.h"
#include "sync/primary/words.h"
#include "sync/soap/soap_text.h"

namespace postern::sync::soap {

using pugi::xml_node;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view name_space = "http://tempuri.org/";
constexpr std::size_t longest_text = 320;  // octets of a name or address
constexpr std::size_t any_length = std::string_view::npos;

constexpr std::string_view blanks = " \t\r\n";

std::string_view local_part(std::string_view address) { return address.substr(0, address.find('@')); }

bool contains_any(std::string_view text, std::initializer_list<std::string_view> parts) {
    return std::any_of(parts.begin(), parts.end(),
                       [&](std::string_view part) { return text.find(part) != text.npos; });
}

/// The parser does not resolve prefixes.
std::string_view local_name(std::string_view name) { return name.substr(name.find(':') + 1); }

xml_node child(xml_node parent, std::string_view name) {
    return parent.find_child([name](xml_node node) {
        return node.type() == pugi::node_element && local_name(node.name()) == name;
    });
}

bool nil(xml_node node) {
    const pugi::xml_attribute found = node.find_attribute(
        [](pugi::xml_attribute attribute) { return local_name(attribute.name()) == "nil"; });
    const std::string_view value = base::trim(found.value(), blanks);
    return value == "true" || value == "1";
}

/// The text of an element that has nothing else in it; nullopt when it is missing, nil, too long or more than
/// a text. Points into the reply.
std::optional<std::string_view> text(xml_node node, std::size_t longest = longest_text) {
    if (!node || nil(node)) return std::nullopt;
    const xml_node first = node.first_child();
    const bool embedded = *node.value() != '\0';
    if (first && (embedded || first.next_sibling() || first.type() == pugi::node_element))
        return std::nullopt;
    const std::string_view content = embedded ? node.value() : first.value();
    return content.size() <= longest ? std::optional(content) : std::nullopt;
}

/// The text behind `name`, which must be there and not be empty; its start up to an @ where it is an address.
std::string_view name_in(xml_node entry, std::string_view name) {
    return local_part(text(child(entry, name)).value_or(""));
}

std::string status_words(int status) { return "HTTP status " + std::to_string(status); }

Failure locked_out(std::string words, const Reply& reply) {
    return {Fault::busy, std::move(words), reply.retry_after.value_or(limits::lockout)};
}

Failure no_envelope(const Reply& reply, std::string_view why) {
    const std::string status = status_words(reply.status);
    if (reply.status == 401 || reply.status == 403)
        return locked_out("refused without a reason, " + status, reply);
    if (reply.status == 404 || reply.status == 405) return {Fault::refused, status, reply.retry_after};
    if (reply.status >= 500) return {Fault::busy, status, reply.retry_after};
    std::string words = "no SOAP reply: ";
    words.append(why);
    if (reply.status != 200) words.append(", ").append(status);
    return unreadable(std::move(words));
}

/// What the primary's own "no" means. `account`: the call had nothing but the credentials to object to.
Failure refusal(std::string_view message, std::string_view code, bool account, const Reply& reply) {
    const std::string small = base::lower(message);
    std::string words = message.empty() ? "result code " + one_line(code) : "\"" + one_line(message) + "\"";
    if (contains_any(small, {"too many"}))
        return locked_out("the primary counts too many sign-in attempts: " + words, reply);
    const bool sign_in = contains_any(small, {"log in", "login", "logon", "password", "authenticat"});
    const bool rights = contains_any(small, {"permission", "administrator", "not authorized", "denied"});
    if (sign_in || (account && (rights || code == "-1")))
        return {Fault::credentials,
                "signing in was refused: " + words,
                {},
                rights && !contains_any(small, {"password", "login"}) ? Trouble::not_administrator
                                                                      : Trouble::credentials};
    return {Fault::refused, std::move(words), {}};
}

/// The bytes as one well-formed document without a DTD; its only root element.
Result<xml_node> parse(std::string& body, pugi::xml_document& document) {
    const auto failed = [](std::string_view words) {
        return tl::make_unexpected(unreadable(std::string(words)));
    };
    const std::string start =
        base::lower(base::trim(std::string_view(body).substr(0, 64), blanks).substr(0, 14));
    if (start.starts_with("<!doctype html") || start.starts_with("<html")) return failed("it is a web page");
    if (const std::string_view words = objection(body, limits::elements); !words.empty())
        return failed(words);
    const pugi::xml_parse_result parsed = document.load_buffer_inplace(
        body.data(), body.size(),
        pugi::parse_default | pugi::parse_doctype | pugi::parse_fragment | pugi::parse_embed_pcdata,
        pugi::encoding_utf8);
    if (parsed.status == pugi::status_out_of_memory) return failed("there is not enough memory for it");
    if (!parsed) return failed("it is cut short or damaged");
    xml_node root;
    for (const xml_node node : document) {
        if (node.type() == pugi::node_doctype) return failed("it has a document type of its own");
        if (node.type() != pugi::node_element || root) return failed("it is not a single element");
        root = node;
    }
    if (!root) return failed("it is empty");
    return root;
}

std::string_view fault_text(xml_node fault) {
    if (const auto words = text(child(fault, "faultstring"), any_length)) return *words;   // SOAP 1.1
    return text(child(child(fault, "Reason"), "Text"), any_length).value_or("no reason");  // SOAP 1.2
}

/// The result of the operation, when that reports success, or what it reports instead.
Result<xml_node> open(Reply& reply, std::string_view operation, pugi::xml_document& document) {
    const auto failed = [](Failure failure) { return tl::make_unexpected(std::move(failure)); };
    const int status = reply.status;
    if (status == 408 || status == 429 || status == 503)
        return failed(
            {Fault::busy, status_words(status) + ", the primary asks for patience", reply.retry_after});
    if (status == 401 && reply.body.find("oo many") != reply.body.npos)
        return failed(locked_out("the primary counts too many sign-in attempts", reply));
    const Result<xml_node> root = parse(reply.body, document);
    if (!root) return failed(no_envelope(reply, root.error().words));
    const xml_node body = child(*root, "Body");
    if (local_name(root->name()) != "Envelope" || !body)
        return failed(no_envelope(reply, "another document"));
    if (const xml_node fault = child(body, "Fault"))
        return failed({Fault::refused, "fault \"" + one_line(fault_text(fault)) + "\"", reply.retry_after});

    const std::string name(operation);
    const xml_node response = child(body, name + "Response");
    const xml_node result = child(response, name + "Result");
    if (!result || nil(result)) return failed(unreadable("a reply that does not answer " + name));
    const auto success = parse_switch(text(child(result, "Result")).value_or(""));
    const std::string_view code = base::trim(text(child(result, "ResultCode")).value_or(""), blanks);
    if (!success) return failed(unreadable("a reply to " + name + " without a result"));
    if (!*success) {
        const bool account = operation == "GetAllDomains";
        return failed(refusal(text(child(result, "Message"), any_length).value_or(""), code, account, reply));
    }
    if (status < 200 || status >= 300)
        return failed(unreadable("a reply that contradicts its " + status_words(status)));
    if (!code.empty() && code != "0")
        return failed(unreadable("a reply to " + name + " with success and result code " + one_line(code)));
    return result;
}

/// Gives `parse` the operation's result and wipes the reply afterwards.
template <class Parse>
auto with(Reply reply, std::string_view operation, Parse&& parse) -> decltype(parse(xml_node())) {
    pugi::xml_document document;  // points into the reply
    struct Wiper {
        ~Wiper() { base::wipe(bytes); }
        std::string& bytes;
    } const wiper{reply.body};
    const Result<xml_node> result = open(reply, operation, document);
    if (!result) return tl::make_unexpected(result.error());
    return parse(*result);
}

/// Calls `row` for each entry of the list; false from it makes the whole list unreadable.
template <class T, class Row>
Result<T> collect(Reply reply, std::string_view operation, std::string_view list, std::string_view entry,
                  Row&& row) {
    return with(std::move(reply), operation, [&](xml_node result) -> Result<T> {
        const xml_node entries = child(result, list);
        if (!entries || nil(entries))
            return tl::make_unexpected(unreadable("a reply without " + std::string(list)));
        T content;
        for (const xml_node node : entries)
            if (local_name(node.name()) != entry || nil(node) || !row(node, content))
                return tl::make_unexpected(
                    unreadable(std::string(list) + " has an entry that cannot be read"));
        if (*entries.value() != '\0')
            return tl::make_unexpected(unreadable(std::string(list) + " is not a list"));
        return content;
    });
}

}  // namespace

std::optional<bool> parse_switch(std::string_view value) {
    const std::string small = base::lower(base::trim(value, blanks));
    if (small == "true" || small == "enabled" || small == "1") return true;
    if (small == "false" || small == "disabled" || small == "0") return false;
    return std::nullopt;
}

Result<std::vector<ListedDomain>> parse_domains(Reply reply) {
    using Domains = std::vector<ListedDomain>;
    return collect<Domains>(std::move(reply), "GetAllDomains", "DomainNames", "string",
                            [](xml_node node, Domains& domains) {
                                const std::string_view name = text(node).value_or("");
                                domains.push_back(listed_domain(name));
                                return !name.empty();
                            });
}

Result<DomainAliases> parse_all_domain_aliases(Reply reply) {
    return collect<DomainAliases>(std::move(reply), "GetAllDomainAliases", "DomainAliases", "DomainAliasInfo",
                                  [](xml_node node, DomainAliases& aliases) {
                                      const std::string_view alias = text(child(node, "Name")).value_or("");
                                      const std::string_view domain =
                                          text(child(node, "DomainName")).value_or("");
                                      if (const auto canonical = canonical_domain(domain))
                                          aliases[*canonical].add(alias);
                                      return !alias.empty() && !domain.empty();
                                  });
}

Result<DomainNames> parse_domain_aliases(Reply reply) {
    return collect<DomainNames>(std::move(reply), "GetAliases", "DomainAliasNames", "string",
                                [](xml_node node, DomainNames& names) {
                                    const std::string_view name = text(node).value_or("");
                                    names.add(name);
                                    return !name.empty();
                                });
}

Result<SettingValues> parse_settings(Reply reply, std::string_view operation,
                                     const std::vector<std::string_view>& keys) {
    return collect<SettingValues>(
        std::move(reply), operation, "settingValues", "string", [&](xml_node node, SettingValues& settings) {
            const std::optional<std::string_view> setting = text(node);
            if (!setting) return false;
            const auto equals = setting->find('=');
            std::string key = base::lower(base::trim(setting->substr(0, equals), blanks));
            if (equals != setting->npos && std::find(keys.begin(), keys.end(), key) != keys.end())
                settings.insert_or_assign(std::move(key),
                                          std::string(base::trim(setting->substr(equals + 1), blanks)));
            return true;
        });
}

Result<AddressList> parse_users(Reply reply) {
    return collect<AddressList>(std::move(reply), "GetUsers", "Users", "UserInfo",
                                [](xml_node node, AddressList& users) {
                                    const std::string_view name = name_in(node, "UserName");
                                    users.add(Kind::user, name);
                                    return !name.empty();
                                });
}

Result<std::optional<bool>> parse_user_state(Reply reply) {
    const bool orderly = reply.status == 200;  // a fault or another page is no answer about a user
    const auto settings = parse_settings(std::move(reply), "GetRequestedUserSettings", {"isenabled"});
    if (!settings && orderly && settings.error().fault == Fault::refused) return std::optional<bool>();
    if (!settings) return tl::make_unexpected(settings.error());
    const auto found = settings->find("isenabled");
    const auto state = found == settings->end() ? std::nullopt : parse_switch(found->second);
    if (!state) return tl::make_unexpected(unreadable("a reply without isenabled"));
    return state;
}

Result<Names> parse_domain_users(Reply reply) {
    return collect<Names>(std::move(reply), "GetDomainUsers", "Users", "string",
                          [](xml_node node, Names& names) {
                              names.emplace_back(text(node).value_or(""));
                              return !names.back().empty();
                          });
}

Result<AddressList> parse_aliases(Reply reply) {
    return collect<AddressList>(std::move(reply), "GetAliases", "AliasInfos", "AliasInfo",
                                [](xml_node node, AddressList& aliases) {
                                    const std::string_view name = name_in(node, "Name");
                                    aliases.add(Kind::alias, name);
                                    return !name.empty();
                                });
}

Result<Names> parse_lists(Reply reply) {
    return collect<Names>(std::move(reply), "GetMailingListsByDomain", "listNames", "string",
                          [](xml_node node, Names& names) {
                              names.push_back(base::lower(local_part(text(node).value_or(""))));
                              return !names.back().empty();
                          });
}

Result<std::string> parse_list_command(Reply reply) {
    return with(std::move(reply), "GetListCommandAddress", [](xml_node result) -> Result<std::string> {
        const xml_node address = child(result, "commandAddress");
        if (!address) return tl::make_unexpected(unreadable("a reply without commandAddress"));
        return std::string(local_part(base::trim(text(address).value_or(""), blanks)));
    });
}

Result<void> parse_wsdl(Reply reply) {
    pugi::xml_document document;
    const Result<xml_node> root = parse(reply.body, document);
    if (!root) return tl::make_unexpected(no_envelope(reply, root.error().words));
    const std::string_view target = root->attribute("targetNamespace").value();
    if (reply.status != 200 || local_name(root->name()) != "definitions" || target != name_space)
        return tl::make_unexpected(no_envelope(reply, "no description of the primary's web services"));
    return {};
}

}  // namespace postern::sync::soap
