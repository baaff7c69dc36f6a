#include "sync/soap/soap.h"

#include <algorithm>
#include <unordered_set>

#include "sync/base/ascii.h"
#include "sync/limits.h"
#include "sync/primary/connection_settings.h"
#include "sync/primary/http_answer.h"

namespace postern::sync {

using soap::Parameter;

namespace {

constexpr std::string_view default_list_command = "listserv";

Parameter in(const std::string& domain) { return Parameter::text("DomainName", domain); }

template <class T>
bool ends(const Result<T>& result) {
    return !result && result.error().ends_round();
}

}  // namespace

Soap::Soap(PrimarySettings settings, const base::Clock& clock, std::stop_token stop)
    : settings_(std::move(settings)),
      clock_(clock),
      http_(base_url(settings_), http_settings(settings_), clock, std::move(stop)) {}

Result<soap::Reply> Soap::send(std::optional<HttpRequest> request) {
    if (!request) return tl::make_unexpected(Failure{Fault::refused, "a name that no request can carry", {}});
    return answer(http_, std::move(*request)).map([](HttpReply reply) {
        return soap::Reply{reply.status, std::move(reply.body), reply.retry_after};
    });
}

/// After a refusal of the credentials only a few more calls are made, whoever asks for them.
template <class Parse>
auto Soap::call(const soap::Operation& operation, const std::vector<Parameter>& parameters, Parse&& parse) {
    using Answer = decltype(parse(soap::Reply{}));
    if (rejected_)
        if (const auto now = clock_.now(); !attempts_.take(now))
            return Answer(tl::make_unexpected(
                Failure{Fault::busy, "signing in too often, waiting",
                        std::chrono::ceil<std::chrono::seconds>(attempts_.wait(now)), Trouble::attempts}));
    const auto password = base::Secret::read(settings_.password_file);
    if (!password)
        return Answer(tl::make_unexpected(
            Failure{Fault::credentials, password.error().why, {}, Trouble::password_file}));
    Result<soap::Reply> reply = send(soap::request(operation, settings_.username, *password, parameters));
    if (!reply) return Answer(tl::make_unexpected(std::move(reply.error())));
    Answer answer = parse(std::move(*reply));
    rejected_ = !answer && answer.error().fault == Fault::credentials;
    if (rejected_) answer = tl::make_unexpected(with_doubt(std::move(answer.error()), *password));
    return answer;
}

Result<void> Soap::probe() {
    Result<soap::Reply> reply = send(soap::wsdl_request(soap::get_all_domains.service));
    if (!reply) return tl::make_unexpected(std::move(reply.error()));
    return soap::parse_wsdl(std::move(*reply));
}

Result<std::vector<ListedDomain>> Soap::domains() {
    keys_together_ = true;
    domain_users_.reset();
    domain_aliases_.reset();
    auto listed = call(soap::get_all_domains, {}, soap::parse_domains);
    if (!listed) return listed;
    sort_once(*listed);
    std::map<std::string, DomainMemory, std::less<>> memory;
    for (const ListedDomain& domain : *listed)
        if (const auto found = memory_.find(domain.spelling); found != memory_.end())
            memory.insert(memory_.extract(found));
    memory_ = std::move(memory);
    fresh_left_ = fresh_per_round;
    share_ = std::clamp(looks_per_round / std::max(listed->size(), std::size_t{1}), std::size_t{1},
                        looks_per_reading);

    auto aliases = call(soap::get_all_domain_aliases, {}, soap::parse_all_domain_aliases);
    if (ends(aliases)) return tl::make_unexpected(std::move(aliases.error()));
    if (aliases) domain_aliases_ = std::move(*aliases);  // otherwise they are asked for by domain
    return listed;
}

/// All keys at once; one by one where a primary that does not know one of them refuses them all.
Result<soap::SettingValues> Soap::settings_of(const soap::Operation& operation,
                                              const std::vector<Parameter>& subject,
                                              const std::vector<std::string_view>& keys) {
    const auto ask = [&](const std::vector<std::string_view>& wanted) {
        std::vector<Parameter> parameters = subject;
        parameters.push_back(Parameter::strings("requestedSettings", wanted));
        return call(operation, parameters, [&](soap::Reply reply) {
            return soap::parse_settings(std::move(reply), operation.name, wanted);
        });
    };
    if (keys_together_ || keys.size() == 1) {
        Result<soap::SettingValues> settings = ask(keys);
        if (settings || settings.error().fault != Fault::refused || keys.size() == 1) return settings;
    }
    Result<soap::SettingValues> one_by_one = tl::make_unexpected(Failure{});
    for (const std::string_view key : keys) {
        Result<soap::SettingValues> one = ask({key});
        if (ends(one)) return one;
        if (!one_by_one) {
            one_by_one = std::move(one);
        } else if (one) {
            one_by_one->merge(*one);
        }
    }
    if (one_by_one) keys_together_ = false;
    return one_by_one;
}

Result<bool> Soap::switch_of(const soap::Operation& operation, const std::vector<Parameter>& subject,
                             std::string_view key) {
    const Result<soap::SettingValues> settings = settings_of(operation, subject, {key});
    if (!settings) return tl::make_unexpected(settings.error());
    const auto found = settings->find(key);
    const auto value = found == settings->end() ? std::nullopt : soap::parse_switch(found->second);
    if (!value)
        return tl::make_unexpected(Failure{Fault::unreadable, "a reply without " + std::string(key), {}});
    return *value;
}

Result<DomainOptions> Soap::options(const std::string& domain) {
    const Result<soap::SettingValues> settings =
        settings_of(soap::get_domain_settings, {in(domain)},
                    {"catchall", "enablecatchalls", "isenabled", "listcommandaddress"});
    if (!settings) return tl::make_unexpected(settings.error());
    const auto value = [&](std::string_view key) -> std::string {
        const auto found = settings->find(key);
        return found == settings->end() ? "" : found->second;
    };
    if (!settings->contains("catchall"))
        return tl::make_unexpected(Failure{Fault::unreadable, "domain settings without catchall", {}});
    const bool allowed = soap::parse_switch(value("enablecatchalls")).value_or(true);
    const std::string command = value("listcommandaddress");
    return DomainOptions{soap::parse_switch(value("isenabled")), allowed ? value("catchall") : "",
                         command.substr(0, std::min(command.find('@'), limits::local_part))};
}

Result<DomainNames> Soap::domain_aliases(const std::string& domain) {
    if (!domain_aliases_) return call(soap::get_domain_aliases, {in(domain)}, soap::parse_domain_aliases);
    const auto found = domain_aliases_->find(canonical_domain(domain).value_or(domain));
    return found == domain_aliases_->end() ? DomainNames() : found->second;
}

/// Calls `look` for new entries first, then for as many of the others as fit.
template <class Look>
Result<void> Soap::look_at(std::vector<std::string> fresh, const std::vector<std::string>& others,
                           Rotation& rotation, Look&& look) {
    fresh.resize(std::min({fresh.size(), fresh_left_, looks_per_reading}));
    fresh_left_ -= fresh.size();
    const std::vector<std::string> again = rotation.next(others, share_);
    fresh.insert(fresh.end(), again.begin(), again.end());
    int failures = 0;
    for (const std::string& name : fresh) {
        Result<void> looked = look(name);
        if (ends(looked)) return looked;
        if (!looked && ++failures == most_failures) break;
    }
    return {};
}

Result<AddressList> Soap::users(const std::string& domain, const Part<AddressList>& known,
                                DomainMemory& memory) {
    Result<AddressList> listed = call(soap::get_users, {in(domain)}, soap::parse_users);
    if (!listed) return listed;
    std::map<std::string, Kind, std::less<>> kinds;
    std::set<std::string_view> seen;  // in earlier readings
    listed->each([&](Kind kind, std::string_view name) { kinds.emplace(name, kind); });
    known.content.each([&](Kind kind, std::string_view name) {
        const auto found = kinds.find(name);
        if (found == kinds.end()) return;
        seen.insert(found->first);
        found->second = kind;
    });
    std::vector<std::string> fresh, others;
    for (const auto& [name, kind] : kinds) (seen.contains(name) ? others : fresh).push_back(name);
    const auto look = [&](const std::string& name) -> Result<void> {
        const std::string address = name + "@" + domain;
        return switch_of(soap::get_user_settings, {Parameter::text("EmailAddress", address)}, "isenabled")
            .map([&](bool enabled) { kinds[name] = enabled ? Kind::user : Kind::user_disabled; });
    };
    const Result<void> looked = look_at(std::move(fresh), others, memory.users, look);
    if (!looked) return tl::make_unexpected(looked.error());
    AddressList users;
    users.note(listed->unfit());
    listed->each([&](Kind, std::string_view name) { users.add(kinds.find(name)->second, name); });
    return users;
}

Result<AddressList> Soap::lists(const std::string& domain, const Part<AddressList>& known,
                                DomainMemory& memory) {
    const Result<soap::Names> listed = call(soap::get_lists, {in(domain)}, soap::parse_lists);
    if (!listed) return tl::make_unexpected(listed.error());
    std::set<std::string, std::less<>> names(listed->begin(), listed->end()), seen = memory.closed_lists;
    known.content.each([&](Kind, std::string_view name) { seen.emplace(name); });
    std::vector<std::string> fresh, others;
    for (const std::string& name : names) (seen.contains(name) ? others : fresh).push_back(name);
    std::erase_if(memory.closed_lists, [&](const std::string& name) { return !names.contains(name); });
    const auto look = [&](const std::string& name) -> Result<void> {
        return switch_of(soap::get_list_settings, {in(domain), Parameter::text("ListName", name)}, "disabled")
            .map([&](bool disabled) {
                if (disabled) {
                    memory.closed_lists.insert(name);
                } else {
                    memory.closed_lists.erase(name);
                }
            });
    };
    const Result<void> looked = look_at(std::move(fresh), others, memory.lists, look);
    if (!looked) return tl::make_unexpected(looked.error());
    AddressList lists;
    for (const std::string& name : *listed)
        if (!memory.closed_lists.contains(name)) lists.add(Kind::mailing_list, name);
    return lists;
}

/// Adds what GetDomainUsers has beyond the other lists; what it holds differs, so nothing follows from an
/// entry that it lacks.
Result<void> Soap::unite(const std::string& domain, const DomainMemory& memory, DomainReading& reading) {
    if (!reading.users || !reading.aliases || !reading.lists || !domain_users_.value_or(true)) return {};
    const Result<soap::Names> more = call(soap::get_domain_users, {in(domain)}, soap::parse_domain_users);
    if (ends(more)) return tl::make_unexpected(more.error());
    // A build without it refuses from the first on. Otherwise who is only there is not known, and not gone.
    const bool without = !more && more.error().fault == Fault::refused && !domain_users_.value_or(false);
    if (more || without) domain_users_ = more.has_value();
    if (!more && !without) reading.users = tl::make_unexpected(more.error());
    if (!more) return {};
    std::unordered_set<std::string> known(memory.closed_lists.begin(), memory.closed_lists.end());
    for (const AddressList* list : {&*reading.users, &*reading.aliases, &*reading.lists})
        list->each([&](Kind, std::string_view name) { known.emplace(name); });
    const auto ours = [&](std::string_view name) {
        const auto canonical = canonical_domain(name);
        const DomainNames none, &aliases = reading.domain_aliases ? *reading.domain_aliases : none;
        return canonical && (canonical == canonical_domain(domain) ||
                             std::find(aliases.begin(), aliases.end(), *canonical) != aliases.end());
    };
    for (const std::string& entry : *more) {
        const auto at = entry.rfind('@');
        std::string name = base::lower(std::string_view(entry).substr(0, at));
        if (at != entry.npos && !ours(std::string_view(entry).substr(at + 1))) continue;
        if (known.contains(name)) continue;
        reading.users->add(Kind::user, name);
        known.insert(std::move(name));
    }
    return {};
}

Result<void> Soap::list_command(const std::string& domain, const DomainRecord& known,
                                DomainReading& reading) {
    if (!reading.options || !reading.options->list_command.empty()) return {};
    std::string& command = reading.options->list_command;
    command = known.options.content.list_command;
    if (!reading.lists || reading.lists->empty()) {
        if (reading.lists) command.clear();
        return {};
    }
    const auto address = call(soap::get_list_command, {in(domain)}, soap::parse_list_command);
    if (ends(address)) return tl::make_unexpected(address.error());
    if (address) command = address->size() <= limits::local_part ? *address : std::string();
    if (command.empty()) command = default_list_command;
    return {};
}

Result<DomainReading> Soap::read(const DomainRecord& known) {
    const std::string& domain = known.spelling;
    DomainMemory& memory = memory_[domain];
    DomainReading reading;
    reading.options = options(domain);
    if (ends(reading.options)) return tl::make_unexpected(reading.options.error());
    if (reading.options && !reading.options->enabled.value_or(true)) return reading;
    reading.domain_aliases = domain_aliases(domain);
    if (ends(reading.domain_aliases)) return tl::make_unexpected(reading.domain_aliases.error());
    reading.users = users(domain, known.users, memory);
    if (ends(reading.users)) return tl::make_unexpected(reading.users.error());
    reading.aliases = call(soap::get_aliases, {in(domain)}, soap::parse_aliases);
    if (ends(reading.aliases)) return tl::make_unexpected(reading.aliases.error());
    reading.lists = lists(domain, known.lists, memory);
    if (ends(reading.lists)) return tl::make_unexpected(reading.lists.error());
    return unite(domain, memory, reading)
        .and_then([&] { return list_command(domain, known, reading); })
        .map([&] { return std::move(reading); });
}

/// A user is one request. That there is no such address needs every list it could be in, whole.
Result<std::optional<Kind>> Soap::look_up(const std::string& local_part, const std::string& domain,
                                          base::Moment until) {
    const auto failed = [](Failure failure) { return tl::make_unexpected(std::move(failure)); };
    const auto late = [&] { return clock_.now() >= until; };
    const Failure too_late{Fault::unreachable, "no complete answer in time", {}};
    const std::string name = base::lower(local_part), address = name + "@" + domain;
    const auto user = call(
        soap::get_user_settings,
        {Parameter::text("EmailAddress", address), Parameter::strings("requestedSettings", {"isenabled"})},
        soap::parse_user_state);
    if (!user) return failed(user.error());
    if (*user) return std::optional(**user ? Kind::user : Kind::user_disabled);

    if (late()) return failed(too_late);
    const auto aliases = call(soap::get_aliases, {in(domain)}, soap::parse_aliases);
    if (!aliases) return failed(aliases.error());
    bool found = false;
    aliases->each([&](Kind, std::string_view alias) { found = found || alias == name; });
    if (found) return std::optional(Kind::alias);

    if (late()) return failed(too_late);
    const auto lists = call(soap::get_lists, {in(domain)}, soap::parse_lists);
    if (!lists) return failed(lists.error());
    if (late()) return failed(too_late);
    if (std::find(lists->begin(), lists->end(), name) != lists->end()) {
        const auto disabled =
            switch_of(soap::get_list_settings, {in(domain), Parameter::text("ListName", name)}, "disabled");
        if (ends(disabled)) return failed(disabled.error());
        return disabled.value_or(false) ? std::optional<Kind>() : std::optional(Kind::mailing_list);
    }
    if (lists->empty()) return std::optional<Kind>();
    const auto command = call(soap::get_list_command, {in(domain)}, soap::parse_list_command);
    if (!command) return failed(command.error());
    const bool it = name == (command->empty() ? default_list_command : base::lower(*command));
    return it ? std::optional(Kind::list_command) : std::optional<Kind>();
}

}  // namespace postern::sync
