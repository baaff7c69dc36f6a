#include "relay/queue/selection.h"

namespace postern::relay {

namespace {

constexpr std::size_t messages_max = 256, recipients_max = 5'000;  // of a part

}  // namespace

Applied for_each_part(const Search& search,
                      const std::function<Applied(const std::vector<MessageId>&)>& work) {
    Applied done;
    std::vector<MessageId> part;
    std::size_t recipients = 0;
    const auto flush = [&] {
        if (!part.empty()) done += work(part);
        part.clear();
        recipients = 0;
    };
    search.each([&](const Loaded& loaded) {
        part.push_back(loaded.stored->message.id);
        recipients += loaded.progress.size();
        if (part.size() == messages_max || recipients >= recipients_max) flush();
        return true;
    });
    flush();
    return done;
}

}  // namespace postern::relay
