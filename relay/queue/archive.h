// How the archive takes the copies that are made for it.
#pragma once

#include <set>
#include <string>

#include "relay/observer.h"
#include "relay/queue/job.h"
#include "relay/views.h"

namespace postern::relay {

/// A copy is never given up: what is refused for good waits as what is put off does, and is told. On the
/// delivery loop.
class Archive {
public:
    explicit Archive(Observer& observer) : observer_(observer) {}

    /// What comes of an attempt with one of its messages. Failed stays only what is too large for it, which
    /// is replaced by a copy without the content.
    void judge(const Message& report, Outcome& outcome, Time now);
    /// It is delivered, or was taken out by an operator.
    void gone(MessageId report);
    const ArchiveView& view() const { return view_; }

private:
    Observer& observer_;
    std::set<MessageId> refused_;  // those that wait since an attempt failed; bounded
    ArchiveView view_;
    Time told_{};
};

/// Whether it was the size of a message that was refused for good.
bool refused_as_too_large(const RecipientProgress& progress);

}  // namespace postern::relay
