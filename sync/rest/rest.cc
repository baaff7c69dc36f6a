#include "sync/rest/rest.h"

#include <algorithm>
#include <map>
#include <unordered_set>

#include "sync/base/encoding.h"
#include "sync/limits.h"
#include "sync/primary/connection_settings.h"
#include "sync/primary/http_answer.h"

namespace postern::sync {

using namespace std::chrono_literals;

namespace {

/// As a segment of a path, in which "@" may stand (RFC 3986 §3.3).
std::string in_path(std::string_view segment) { return base::percent_encoded(segment, "@"); }

constexpr std::size_t mail_settings_per_reading = 50;  // one request each
constexpr std::chrono::seconds usual_token_life = 15min;
constexpr std::string_view default_list_command = "listserv";

HttpRequest get(std::string path) { return {"GET", std::move(path), {}, {}}; }
HttpRequest post(std::string path, std::string body) {
    return {"POST", std::move(path), std::move(body), {}};
}

/// Header fields are ASCII; a name with other characters goes as A-labels.
std::string header_value(const std::string& domain) {
    const bool ascii = std::all_of(domain.begin(), domain.end(), [](char c) { return c > ' ' && c < 0x7f; });
    return ascii ? domain : canonical_domain(domain).value_or("");
}

}  // namespace

Rest::Rest(PrimarySettings settings, std::string client_id, const base::Clock& clock, std::stop_token stop)
    : settings_(std::move(settings)),
      client_id_(std::move(client_id)),
      clock_(clock),
      stop_(stop),
      http_(base_url(settings_), http_settings(settings_), clock, std::move(stop)) {}

rest::Reply Rest::view(const HttpReply& reply) const {
    return {reply.status, reply.body, reply.retry_after, stop_};
}

Result<HttpReply> Rest::send(HttpRequest request, std::string_view token) {
    request.path = "api/v1/" + request.path;
    if (!token.empty()) request.headers.emplace_back("Authorization", "Bearer " + std::string(token));
    return answer(http_, std::move(request));
}

void Rest::keep(rest::TokenPair session, const HttpReply& reply) {
    const Time now = reply.date.value_or(clock_.wall());
    Time::duration life = session.expires.value_or(Time{}) - now;
    if (life <= 0s) life = usual_token_life;  // not given, or the clocks differ: a 401 will tell
    token_ = {std::move(session.access_token), std::move(session.refresh_token), clock_.now() + life * 2 / 3};
}

Result<void> Rest::new_session() {
    token_ = {};
    if (const auto now = clock_.now(); !sign_ins_.take(now))
        return tl::make_unexpected(Failure{Fault::busy, "signing in too often, waiting",
                                           std::chrono::ceil<std::chrono::seconds>(sign_ins_.wait(now)),
                                           Trouble::attempts});
    const auto password = base::Secret::read(settings_.password_file);
    if (!password)
        return tl::make_unexpected(
            Failure{Fault::credentials, password.error().why, {}, Trouble::password_file});
    return send(post("auth/authenticate-user", rest::sign_in_body(settings_.username, *password, client_id_)),
                {})
        .and_then([&](const HttpReply& reply) -> Result<void> {
            return rest::parse_sign_in(view(reply))
                .map([&](rest::TokenPair session) { keep(std::move(session), reply); })
                .map_error([&](Failure failure) { return with_doubt(std::move(failure), *password); });
        });
}

Result<void> Rest::renew() {
    if (token_.refresh.empty()) return new_session();
    const Result<HttpReply> reply = send(post("auth/refresh-token", rest::refresh_body(token_.refresh)), {});
    if (!reply) return tl::make_unexpected(reply.error());
    Result<rest::TokenPair> session = rest::parse_refresh(view(*reply));
    if (!session && session.error().fault == Fault::busy) return tl::make_unexpected(session.error());
    if (!session) return new_session();
    keep(std::move(*session), *reply);
    return {};
}

Result<void> Rest::sign_in() {
    if (token_.access.empty()) return new_session();
    if (clock_.now() >= token_.refresh_at) return renew();
    return {};
}

Result<HttpReply> Rest::send_signed_in(const HttpRequest& request) {
    if (const Result<void> session = sign_in(); !session) return tl::make_unexpected(session.error());
    Result<HttpReply> reply = send(request, token_.access);
    if (!reply || reply->status != 401 || !renewals_.take(clock_.now())) return reply;
    if (const Result<void> session = renew(); !session) return tl::make_unexpected(session.error());
    return send(request, token_.access);
}

template <class Parse>
auto Rest::ask(const HttpRequest& request, Parse&& parse) {
    using Answer = decltype(parse(rest::Reply{}));
    const Result<HttpReply> reply = send_signed_in(request);
    return reply ? parse(view(*reply)) : Answer(tl::make_unexpected(reply.error()));
}

Result<std::string> Rest::token_in(const std::string& domain, Context context) {
    if (entered_domain_ == domain && !entered_token_.empty()) return entered_token_;
    const std::string segment = in_path(domain);
    Result<rest::TokenPair> session = tl::make_unexpected(Failure{});
    if (context == Context::manage) {
        session = ask(post("settings/sysadmin/manage-domain/" + segment, "{}"), rest::parse_impersonation);
    } else {
        const auto admins = ask(get("settings/sysadmin/domain-admins/" + segment), rest::parse_domain_admins);
        if (!admins) return tl::make_unexpected(admins.error());
        if (admins->empty())
            return tl::make_unexpected(Failure{Fault::refused, "the domain has no administrator", {}});
        const std::string& admin = admins->front();
        const std::string email = admin.find('@') == admin.npos ? admin + "@" + domain : admin;
        session = ask(post("settings/domain/impersonate-user", rest::impersonation_body(email)),
                      rest::parse_impersonation);
    }
    if (!session) return tl::make_unexpected(session.error());
    entered_domain_ = domain;
    entered_token_ = std::move(session->access_token);
    return entered_token_;
}

/// Tries the ways into a domain until one has worked in this round, then only that one.
template <class Parse>
auto Rest::ask_in_domain(const std::string& domain, const HttpRequest& request, Parse&& parse) {
    using Answer = decltype(parse(rest::Reply{}));
    const auto once = [&](Context context) -> Answer {
        if (context == Context::header) {
            HttpRequest with_header = request;
            with_header.headers.emplace_back("X-SmarterMailDomain", header_value(domain));
            return ask(with_header, parse);
        }
        const Result<std::string> token = token_in(domain, context);
        if (!token) return tl::make_unexpected(token.error());
        const Result<HttpReply> reply = send(request, *token);
        return reply ? parse(view(*reply)) : Answer(tl::make_unexpected(reply.error()));
    };
    const auto other_way_may_help = [](const Failure& failure) {
        return failure.fault == Fault::refused || failure.fault == Fault::unauthorised;
    };
    Way& way = header_value(domain) == domain ? way_ : idn_way_;
    const Context first = way.context;
    Answer answer = once(first);
    if (!answer && !way.proven && other_way_may_help(answer.error())) {
        for (const Context context : {Context::header, Context::manage, Context::impersonate}) {
            if (context == first) continue;
            entered_token_.clear();
            Answer again = once(context);
            if (again) way.context = context;
            if (again || !other_way_may_help(again.error())) {
                answer = std::move(again);
                break;
            }
        }
    }
    if (answer) way.proven = true;
    return answer;
}

Result<std::vector<ListedDomain>> Rest::domains() {
    way_.proven = idn_way_.proven = false;
    auto listed = ask(get("settings/sysadmin/domains"), rest::parse_domains);
    if (!listed && listed.error().fault == Fault::refused) {
        auto names = ask(get("settings/sysadmin/domain-names"), rest::parse_domain_names);
        if (names) listed = std::move(names);
    }
    if (!listed) return listed;
    sort_once(*listed);
    return listed;
}

/// Whether those who may not sign in still receive mail: new ones first, then as many of the others as fit.
Result<AddressList> Rest::resolve_disabled(const std::string& domain, const AddressList& listed,
                                           const AddressList& known) {
    std::map<std::string, Kind, std::less<>> kinds;  // of the disabled
    listed.each([&](Kind kind, std::string_view name) {
        if (kind == Kind::user_unread) kinds.emplace(name, kind);
    });
    if (kinds.empty()) return listed;
    known.each([&](Kind kind, std::string_view name) {
        const auto found = kinds.find(name);
        if (found != kinds.end() && kind != Kind::user) found->second = kind;
    });
    std::vector<std::string> unread, again;
    for (const auto& [name, kind] : kinds) (kind == Kind::user_unread ? unread : again).push_back(name);
    if (!again.empty()) {
        const std::size_t start = disabled_cursor_ % again.size();
        disabled_cursor_ += mail_settings_per_reading;
        std::rotate(again.begin(), again.begin() + static_cast<std::ptrdiff_t>(start), again.end());
    }
    unread.insert(unread.end(), again.begin(), again.end());
    unread.resize(std::min(unread.size(), mail_settings_per_reading));
    int failures = 0;
    for (const std::string& name : unread) {
        std::string path = "settings/domain/user-mail/";
        path.append(in_path(name)).append("@").append(in_path(domain));
        const auto receives = ask_in_domain(domain, get(std::move(path)), rest::parse_user_mail);
        if (!receives && receives.error().ends_round()) return tl::make_unexpected(receives.error());
        if (receives) kinds[name] = *receives ? Kind::user_receiving : Kind::user_disabled;
        if (!receives && ++failures == 3) break;  // as it will be for the others
    }
    AddressList users;
    users.note(listed.unfit());
    listed.each([&](Kind kind, std::string_view name) {
        const auto found = kinds.find(name);
        users.add(found == kinds.end() ? kind : found->second, name);
    });
    return users;
}

/// Pages until one brings nothing new, because a primary may send shorter pages than asked for, or ignore
/// `skip`.
Result<AddressList> Rest::search(const std::string& domain, rest::AccountType wanted) {
    AddressList found;
    std::unordered_set<std::string> seen;
    std::size_t skip = 0, octets = 0;
    for (std::size_t page = 0; page < limits::pages; ++page) {
        auto accounts =
            ask_in_domain(domain,
                          post("settings/domain/account-list-search",
                               rest::account_search_body(wanted, skip, limits::page)),
                          [wanted](const rest::Reply& reply) { return rest::parse_accounts(reply, wanted); });
        if (!accounts) return tl::make_unexpected(accounts.error());
        skip += accounts->size();
        const std::size_t before = seen.size();
        for (const rest::Account& account : *accounts) {
            octets += account.name.size();
            if (!seen.insert(account.name).second || account.type != wanted) continue;
            if (wanted == rest::AccountType::user) {
                found.add(account.enabled ? Kind::user : Kind::user_unread, account.name);
            } else if (account.enabled) {
                found.add(Kind::alias, account.name);
            }
        }
        if (seen.size() == before) return found;
        if (octets > limits::octets_of_pages || seen.size() > limits::addresses) break;
    }
    return tl::make_unexpected(
        Failure{Fault::unreadable, "a list of accounts without an end", {}, Trouble::too_large});
}

/// The whole list at once; in pages when that is too large or unknown to this build.
Result<AddressList> Rest::users(const std::string& domain, const DomainRecord& known) {
    auto listed = ask(get("settings/sysadmin/list-users/" + in_path(domain)), rest::parse_users);
    if (!listed && !listed.error().ends_round()) {
        auto paged = search(domain, rest::AccountType::user);
        if (paged || paged.error().ends_round()) listed = std::move(paged);
    }
    if (!listed) return listed;
    return resolve_disabled(domain, *listed, known.users.content);
}

Result<AddressList> Rest::aliases(const std::string& domain) {
    auto found = search(domain, rest::AccountType::alias);
    if (found || found.error().ends_round()) return found;
    auto grid = ask_in_domain(domain, get("settings/domain/aliases/"), rest::parse_alias_grid);
    return grid || grid.error().ends_round() ? grid : found;
}

/// nullopt: no user, though that "no" may have another reason.
Result<std::optional<Kind>> Rest::user_kind(const std::string& local_part, const std::string& domain) {
    const auto user = ask(post("settings/sysadmin/get-user", rest::user_body(local_part + "@" + domain)),
                          [&](const rest::Reply& reply) { return rest::parse_user(reply, local_part); });
    if (!user && user.error().fault == Fault::refused) return std::optional<Kind>();
    if (!user) return tl::make_unexpected(user.error());
    if (*user) return std::optional(Kind::user);
    const auto receives =
        ask_in_domain(domain, get("settings/domain/user-mail/" + in_path(local_part) + "@" + in_path(domain)),
                      rest::parse_user_mail);
    if (!receives && receives.error().ends_round()) return tl::make_unexpected(receives.error());
    if (!receives) return std::optional(Kind::user_unread);
    return std::optional(*receives ? Kind::user_receiving : Kind::user_disabled);
}

/// A user is one request. That there is no such address needs every list it could be in, each read to its
/// end.
Result<std::optional<Kind>> Rest::look_up(const std::string& local_part, const std::string& domain,
                                          base::Moment until) {
    using Answer = Result<std::optional<Kind>>;
    entered_token_.clear();
    const auto late = [&] { return clock_.now() >= until; };
    const auto too_late = [] {
        return tl::make_unexpected(Failure{Fault::unreachable, "no complete answer in time", {}});
    };
    Answer user = user_kind(local_part, domain);
    if (!user || *user) return user;

    if (late()) return too_late();
    const auto accounts = ask_in_domain(
        domain,
        post("settings/domain/account-list-search", rest::address_search_body(local_part, limits::page)),
        [](const rest::Reply& reply) { return rest::parse_accounts(reply, rest::AccountType::alias); });
    if (!accounts) return tl::make_unexpected(accounts.error());
    for (const rest::Account& account : *accounts) {
        if (account.name != local_part) continue;
        if (account.type == rest::AccountType::user)
            return std::optional(account.enabled ? Kind::user : Kind::user_unread);
        if (account.type == rest::AccountType::alias && account.enabled) return std::optional(Kind::alias);
    }
    if (accounts->size() >= limits::page)
        return tl::make_unexpected(Failure{Fault::refused, "too many accounts to tell", {}});

    const auto has = [&](const AddressList& list) {
        bool found = false;
        list.each([&](Kind, std::string_view name) { found = found || name == local_part; });
        return found;
    };
    if (late()) return too_late();
    const auto lists = ask_in_domain(domain, get("settings/domain/mailing-lists/list"), rest::parse_lists);
    if (!lists) return tl::make_unexpected(lists.error());
    if (has(lists->lists)) return std::optional(Kind::mailing_list);
    if (!lists->lists.empty() &&
        local_part == (lists->list_command.empty() ? default_list_command : lists->list_command))
        return std::optional(Kind::list_command);

    if (late()) return too_late();
    const auto resources =
        ask_in_domain(domain, get("settings/domain/shared-resources/list"), rest::parse_resources);
    // Builds without them refuse; an answer that cannot be read is none.
    if (!resources && resources.error().fault != Fault::refused)
        return tl::make_unexpected(resources.error());
    return resources && has(*resources) ? std::optional(Kind::resource) : std::optional<Kind>();
}

Result<DomainReading> Rest::read(const DomainRecord& known) {
    const std::string& domain = known.spelling;
    DomainReading reading;
    const auto ends = [](const auto& part) { return !part && part.error().ends_round(); };
    entered_token_.clear();

    reading.options =
        ask(get("settings/sysadmin/domain-settings/" + in_path(domain)), rest::parse_domain_settings);
    if (ends(reading.options)) return tl::make_unexpected(reading.options.error());
    if (reading.options && !reading.options->enabled.value_or(true)) return reading;

    reading.domain_aliases =
        ask_in_domain(domain, get("settings/domain/domain-aliases"), rest::parse_domain_aliases);
    if (ends(reading.domain_aliases)) return tl::make_unexpected(reading.domain_aliases.error());
    reading.users = users(domain, known);
    if (ends(reading.users)) return tl::make_unexpected(reading.users.error());
    reading.aliases = aliases(domain);
    if (ends(reading.aliases)) return tl::make_unexpected(reading.aliases.error());
    auto lists = ask_in_domain(domain, get("settings/domain/mailing-lists/list"), rest::parse_lists);
    if (ends(lists)) return tl::make_unexpected(lists.error());
    reading.resources =
        ask_in_domain(domain, get("settings/domain/shared-resources/list"), rest::parse_resources);
    if (ends(reading.resources)) return tl::make_unexpected(reading.resources.error());

    if (reading.options && reading.options->list_command.empty()) {
        std::string& command = reading.options->list_command;
        if (!lists) {
            command = known.options.content.list_command;
        } else if (!lists->list_command.empty()) {
            command = lists->list_command;
        } else if (!lists->lists.empty()) {
            command = default_list_command;
        }
    }
    reading.lists = lists.map([](rest::ListPage& page) { return std::move(page.lists); });
    return reading;
}

}  // namespace postern::sync
