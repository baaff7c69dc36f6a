// A spool by itself, whose reports are kept, and messages to give to it.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "relay/queue/spool.h"
#include "tests/unit/relay/folder.h"

namespace postern::tests {

/// One life of it, with a clean stop at its end. One thread uses it.
class KeptSpool {
public:
    static constexpr relay::Spool::Options options{1 << 20, std::chrono::microseconds(0),
                                                   std::chrono::milliseconds(1)};

    KeptSpool(const std::filesystem::path& folder, const base::Clock& clock, base::Disk& disk,
              relay::Spool::Options with = options)
        : spool(
              folder, clock, disk, with, [this](relay::Committed done) { committed(std::move(done)); },
              [this](std::string_view what, bool grave) {
                  std::lock_guard lock(mutex_);
                  reports_ += std::string(what) + '\n';
                  graves_ += grave;
              }) {
        spool.start();
    }
    ~KeptSpool() { spool.stop(); }
    KeptSpool(const KeptSpool&) = delete;
    KeptSpool& operator=(const KeptSpool&) = delete;

    std::error_code accept(relay::StoredPtr stored) {
        std::promise<std::error_code> done;
        spool.accept(std::move(stored), [&done](std::error_code error) { done.set_value(error); });
        return done.get_future().get();
    }
    /// Until the change is durable.
    void change(relay::Change change) {
        const std::uint64_t number = spool.change(std::move(change));
        std::unique_lock lock(mutex_);
        while (durable_ < number) {
            if (changes_ >= number) spool.sync_soon();
            more_.wait(lock);
        }
    }
    std::string reports() const {
        std::lock_guard lock(mutex_);
        return reports_;
    }
    /// How many of them were grave.
    int grave_reports() const {
        std::lock_guard lock(mutex_);
        return graves_;
    }

private:
    void committed(relay::Committed done) {
        for (auto& one : done.accepted)
            if (one.done) one.done(done.error);
        std::lock_guard lock(mutex_);
        changes_ = std::max(changes_, done.changes);
        durable_ = std::max(durable_, done.durable);
        more_.notify_all();
    }

    mutable std::mutex mutex_;
    std::condition_variable more_;
    std::uint64_t changes_ = 0, durable_ = 0;
    std::string reports_;
    int graves_ = 0;

public:
    relay::Spool spool;
};

/// A new message with this content, in a file of its own or with the record.
inline relay::StoredPtr message_with(relay::Spool& spool, std::string content, bool own_file,
                                     std::vector<relay::Address> recipients = {{"r", "dest.example"}}) {
    auto out = std::make_shared<relay::Stored>();
    relay::Message& mail = out->message;
    mail.id = spool.new_id();
    mail.envelope.reverse_path = {"s", "example.com"};
    mail.envelope.forward_paths = std::move(recipients);
    mail.content.size = content.size();
    mail.content.checksum = relay::checksum(content);
    if (own_file) {
        mail.content.file = spool.content_file(mail.id);
        relay::ContentWriter writer(spool.disk(), mail.content.file);
        if (writer.write(content)) throw std::runtime_error("a content cannot be written");
        out->written = writer.take();
    } else {
        mail.content.bytes = std::make_shared<const std::string>(std::move(content));
    }
    return out;
}

}  // namespace postern::tests
