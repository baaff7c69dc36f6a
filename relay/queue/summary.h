// What waits, counted by where it goes, who sent it and why it waits.
#pragma once

#include <map>
#include <string>

#include "relay/queue/search.h"

namespace postern::relay {

/// Of each kind at most some 20,000 are told apart; what comes after them is counted as "other".
class Summarizer {
public:
    explicit Summarizer(Time now) : now_(now) {}
    void add(const Message& message, const Progress& progress, const Search::Router& route);
    /// At most `most` of each kind, the largest first.
    QueueSummary take(std::size_t most) const;

private:
    Time now_;
    QueueSummary totals_;
    std::map<std::string, QueueSummary::Destination> destinations_;
    std::map<std::string, QueueSummary::Sender> senders_;
    std::map<std::string, std::uint64_t> reasons_;
};

/// What a reply says to every message alike: words with numbers, with addresses or with `domain`, the
/// recipient's, are "...".
std::string common_words(const std::string& text, const std::string& domain);

}  // namespace postern::relay
