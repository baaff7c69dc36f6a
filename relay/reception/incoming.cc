#include "relay/reception/incoming.h"

#include <utility>

#include "relay/limits.h"
#include "relay/mail/marks.h"
#include "relay/mail/trace.h"

namespace postern::relay {

std::size_t Incoming::feed(std::string_view octets) {
    const std::size_t used = reader_.feed(octets, held_);
    received_ += used;
    if (forgotten_) held_.clear();
    return used;
}

bool Incoming::full() {
    if (held_.size() <= SessionMemory::own) return false;
    return held_.size() > limits::inline_content || !share_.grow_to(limits::inline_content);
}

std::error_code Incoming::Piece::operator()() const { return writer->write(*octets); }

Incoming::Piece Incoming::piece() {
    header();  // while it is there
    if (!writer_) writer_ = std::make_shared<ContentWriter>(disk_, file_);
    writing_ = std::make_shared<std::string>(std::exchange(held_, {}));
    return Piece{writer_, writing_};
}

void Incoming::written(std::error_code error) {
    held_ = std::move(*std::exchange(writing_, nullptr));  // for its space
    held_.clear();
    error_ = error;
    if (error_) forgotten_ = true;
}

std::shared_ptr<ContentWriter> Incoming::forget() {
    header();  // while it is there
    forgotten_ = true;
    held_ = std::string();
    share_.give_back();
    return std::exchange(writer_, nullptr);
}

std::string Incoming::take_octets() { return std::exchange(held_, {}); }

const Incoming::Header& Incoming::header() {
    if (header_) return *header_;
    header_ = Header{count_received(held_),
                     says_tls_optional(held_),
                     held_.starts_with(' ') || held_.starts_with('\t'),
                     message_id_of(held_),
                     subject_of(held_),
                     value_of(held_, screening_name),
                     value_of(held_, journal_name)};
    if (header_->screening) stripped_ = strip_fields(held_, screening_name);
    return *header_;
}

}  // namespace postern::relay
