#include "sync/directory/unfit.h"

#include <algorithm>

namespace postern::sync {

namespace {

constexpr std::size_t most_examples = 3, longest_example = 80;

}  // namespace

void Unfit::note(std::string_view name) {
    ++count_;
    if (examples_.size() == most_examples) return;
    std::string example(name.substr(0, longest_example));
    for (char& c : example)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    if (name.size() > longest_example) example += "...";
    examples_.push_back(std::move(example));
}

void Unfit::note(const Unfit& more) {
    count_ += more.count_;
    for (const std::string& example : more.examples_)
        if (examples_.size() < most_examples) examples_.push_back(example);
}

std::string Unfit::words(std::string_view kind) const {
    if (count_ == 0) return {};
    std::string text = std::to_string(count_) + " " + std::string(kind) + " (";
    for (const std::string& example : examples_)
        text.append(&example == &examples_.front() ? "\"" : ", \"").append(example).append("\"");
    return text + (count_ > examples_.size() ? ", ...)" : ")");
}

}  // namespace postern::sync
