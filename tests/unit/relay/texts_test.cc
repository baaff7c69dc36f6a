#include <catch2/catch.hpp>
#include <string_view>

#include "relay/observer.h"
#include "relay/views.h"

using namespace postern::relay;

TEST_CASE("the log names the area of a trouble") {
    using event::Area;
    constexpr std::pair<Area, std::string_view> table[] = {
        {Area::delivery, "delivery"}, {Area::dns, "dns"},     {Area::egress, "egress"},
        {Area::listener, "listener"}, {Area::queue, "queue"}, {Area::reception, "reception"},
        {Area::session, "session"},   {Area::spool, "spool"}, {Area::tls, "tls"}};
    for (const auto& [area, text] : table) CHECK(text_of(area) == text);
    CHECK(std::size(table) == static_cast<std::size_t>(Area::tls) + 1);
}

TEST_CASE("pages and commands name the state of a recipient") {
    constexpr std::pair<RecipientState, std::string_view> table[] = {
        {RecipientState::ready, "ready"},         {RecipientState::delivering, "delivering"},
        {RecipientState::waiting, "waiting"},     {RecipientState::held, "held"},
        {RecipientState::delivered, "delivered"}, {RecipientState::failed, "failed"}};
    for (const auto& [state, text] : table) CHECK(text_of(state) == text);
    CHECK(std::size(table) == static_cast<std::size_t>(RecipientState::failed) + 1);
}
