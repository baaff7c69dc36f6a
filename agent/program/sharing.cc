#include "agent/program/sharing.h"

#include <string_view>
#include <utility>

#include "relay/shared.h"

namespace postern::agent {
namespace {

constexpr std::string_view overrides_fact = "operator.overrides", poll_fact = "directory.poll",
                           accept_fact = "directory.accept";

}  // namespace

Sharing::Sharing(const Settings& settings, const SharedParts& parts)
    : parts_(parts),
      cluster_(settings.clustered(), {&parts.disk, settings.relay.state_dir}, POSTERN_VERSION, site(),
               parts.observer, parts.clock) {
    parts_.relay.ask_gateways_with([this](std::function<void()> done) { cluster_.ask(std::move(done)); });
    parts_.directory.hand_on_with([this](std::string_view primary, std::string octets) {
        cluster_.hand_on(primary, std::move(octets));
    });
}

void Sharing::start() { cluster_.start(); }
void Sharing::stop() { cluster_.stop(); }

sync::ClusterSite Sharing::site() {
    auto& shared = parts_.relay.shared();
    auto& directory = parts_.directory;
    sync::ClusterSite out;
    out.reach = [&shared](const base::Company& company) { shared.reach(company); };
    out.turn = [&directory](const sync::Turn& turn) { directory.take_turn(turn); };
    out.questions = [&shared](bool urgent, std::size_t most) { return shared.questions(urgent, most); };
    out.counted = [&shared](const base::CountAnswer& answer) { shared.heard(answer); };
    out.news = [&shared](std::size_t octets) { return shared.news(octets); };
    out.all_news = [this](bool histories) { return all_news(histories); };
    out.hear = [this](const std::string& gateway, const base::Fact& fact) { hear(gateway, fact); };
    out.adopt = [&directory](std::string octets) { directory.adopt(std::move(octets)); };
    out.hand_on_again = [&directory] { directory.hand_on_again(); };
    out.lost = [&shared] { shared.tell_counts_again(); };
    return out;
}

std::vector<base::Fact> Sharing::all_news(bool histories) {
    auto out = parts_.relay.shared().all_news(histories);
    if (const auto overrides = dated(parts_.overrides()); !overrides.changed.empty())
        out.push_back(changed(overrides));
    return out;
}

void Sharing::hear(const std::string& gateway, const base::Fact& fact) {
    if (parts_.relay.shared().hear(gateway, fact)) return;
    if (fact.kind == overrides_fact) {
        if (const auto overrides = from_json(fact.text)) parts_.adopt(gateway, *overrides);
    } else if (fact.kind == poll_fact) {
        parts_.directory.poll_now();
    } else if (fact.kind == accept_fact) {
        parts_.directory.accept_suspicions();
    }
}

base::Fact Sharing::changed(const Overrides& overrides) {
    return {std::string(overrides_fact), to_json(overrides)};
}
base::Fact Sharing::poll() { return {std::string(poll_fact), {}}; }
base::Fact Sharing::accept() { return {std::string(accept_fact), {}}; }

std::string in_words(const sync::ClusterView& view) {
    std::string names;
    std::size_t count = 0;
    for (const auto& one : view.members) {
        if (!one.live || one.name == view.name) continue;
        names.append(count++ == 0 ? "" : ", ").append(one.name);
    }
    if (view.standing == sync::ClusterView::Standing::away)
        return "other gateways cannot be asked, so this one goes by a share of each limit (one of " +
               std::to_string(view.gateways) + "): " + view.why;
    if (count == 0) return "shared with other gateways, of which none is heard of now";
    return "shared with " + names +
           (view.standing == sync::ClusterView::Standing::slow
                ? "; " + view.why + ", so mail does not wait for them"
                : std::string());
}

}  // namespace postern::agent
