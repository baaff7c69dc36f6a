// How overrides are written down, and how they get onto the disk.
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <system_error>

#include "agent/limits.h"
#include "agent/machine/address_text.h"
#include "agent/settings/overrides.h"
#include "sync/base/file_fault.h"
#include "sync/base/kept_file.h"

namespace postern::agent {
namespace {

using nlohmann::json;

constexpr int deepest = 4;
constexpr std::uint64_t last_change = 1ull << 43;  // milliseconds since 1970: the year 2248

std::optional<relay::RouteSettings> route_of(const json& entry) {
    relay::RouteSettings route;
    route.sender = entry.at("sender").get<std::string>();
    route.recipient = entry.at("recipient").get<std::string>();
    route.gateway = entry.at("gateway").get<std::string>();
    route.configured = false;
    const bool describes = !(route.sender + route.recipient).empty() && !route.gateway.empty() &&
                           (route.sender.empty() || is_route_sender(route.sender)) &&
                           (route.recipient.empty() || is_domain_name(route.recipient));
    return describes ? std::optional(std::move(route)) : std::nullopt;
}

}  // namespace

std::string to_json(const Overrides& overrides) {
    json routes = json::array();
    for (const auto& route : overrides.routes)
        routes.push_back(
            {{"sender", route.sender}, {"recipient", route.recipient}, {"gateway", route.gateway}});
    const json all{{"version", 1},
                   {"routes", std::move(routes)},
                   {"gateways_enabled", overrides.gateways},
                   {"egress_suspended", overrides.egress},
                   {"changed", overrides.changed}};
    return all.dump(2, ' ', false, json::error_handler_t::replace) + '\n';
}

tl::expected<Overrides, std::string> from_json(std::string_view text) {
    bool too_deep = false;
    const auto shallow = [&too_deep](int depth, json::parse_event_t, json&) {
        too_deep = too_deep || depth > deepest;
        return depth <= deepest;
    };
    try {
        const json all = json::parse(text, shallow);
        if (too_deep) return tl::unexpected<std::string>("it is nested too deeply");
        if (all.at("version") != 1) return tl::unexpected<std::string>("it has another version");
        Overrides overrides;
        for (const auto& entry : all.at("routes")) {
            auto route = route_of(entry);
            if (!route) return tl::unexpected<std::string>("a route in it describes no mail");
            overrides.routes.push_back(std::move(*route));
        }
        for (const auto& [name, enabled] : all.at("gateways_enabled").items())
            overrides.gateways[name] = enabled.get<bool>();
        for (const auto& [address, suspended] : all.at("egress_suspended").items())
            overrides.egress[address] = suspended.get<bool>();
        if (all.contains("changed"))
            for (const auto& [what, at] : all.at("changed").items()) {
                if (!at.is_number_unsigned() || at.get<std::uint64_t>() > last_change)
                    return tl::unexpected<std::string>("a time in it is none");
                overrides.changed[what] = at.get<std::uint64_t>();
            }
        return overrides;
    } catch (const json::exception& error) {
        return tl::make_unexpected(std::string(error.what()));
    }
}

Overrides load_overrides(base::Disk& disk, const std::filesystem::path& file, std::string& trouble) {
    const auto text = base::read_file(disk, file, limits::file);
    if (!text && text.error() == std::errc::no_such_file_or_directory) return {};
    if (!text && text.error() != std::errc::file_too_large)
        throw std::runtime_error("state_dir: cannot read what was set while running, " +
                                 base::file_fault(file, text.error()));
    const auto overrides = text ? from_json(*text) : tl::make_unexpected("it is larger than 1 MiB");
    if (overrides) return *overrides;
    const auto aside = base::set_aside_damaged(disk, file);
    trouble = "what was set while running is lost, the configuration file alone is in force: \"" +
              file.string() + "\": " + overrides.error() +
              (aside ? "; set aside as \"" + aside->string() + '"'
                     : "; it cannot be set aside: " + aside.error().message());
    return {};
}

tl::expected<void, std::string> save_overrides(base::Disk& disk, const std::filesystem::path& file,
                                               const Overrides& overrides) {
    const auto text = to_json(overrides);
    if (text.size() > limits::file)
        return tl::unexpected<std::string>(
            "more than 1 MiB was set while running: take some of it back, or put it "
            "into the configuration file");
    if (const auto error = base::replace_file(disk, file, text))
        return tl::make_unexpected("cannot write " + base::file_fault(file, error));
    return {};
}

}  // namespace postern::agent
