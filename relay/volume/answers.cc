#include "relay/volume/answers.h"

#include <string_view>

#include "relay/mail/stage.h"

namespace postern::relay {

namespace {

/// A primary's own answer says nothing about whom its users write to.
bool outside(std::string_view route) { return !route.starts_with("primary:"); }

}  // namespace

void Answers::on(const event::Delivered& what) {
    if (outside(what.route) && !what.to_screening && !what.from.empty())
        watch_.answered(what.from, ReceiverSays::taken, what.reply, clock_.steady());
    next_.on(what);
}

void Answers::on(const event::Bounced& what) {
    if (outside(what.route) && !what.by_screening && !what.from.empty())
        watch_.answered(what.from, receiver_says(what.reply, what.stage == text_of(Stage::dns)), what.reply,
                        clock_.steady());
    next_.on(what);
}

}  // namespace postern::relay
