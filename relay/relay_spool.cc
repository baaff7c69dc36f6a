// Relay, as far as it is about what was set aside; and a look at the spool without a Relay.
#include <algorithm>
#include <future>
#include <memory>
#include <utility>

#include "relay/limits.h"
#include "relay/parts.h"
#include "relay/queue/content.h"
#include "relay/queue/inspection.h"
#include "relay/queue/set_aside.h"
#include "relay/relay.h"
#include "relay/spool_check.h"
#include "sync/base/file_fault.h"

namespace postern::relay {

namespace {

constexpr std::size_t most_listed = 1000;  // each is read

Restored refused(Restored::Result result, std::string why) {
    Restored out;
    out.result = result;
    out.why = std::move(why);
    return out;
}

SetAsidePage list_damaged(base::Disk& disk, const std::filesystem::path& state_dir) {
    auto out = list_set_aside(disk, state_dir / "damaged", most_listed);
    if (out) return std::move(*out);
    SetAsidePage unseen;
    unseen.trouble = std::move(out.error());
    return unseen;
}

/// Who has it, and who was given up, is left out.
void leave_out_settled(SetAside& found) {
    Envelope& envelope = found.message.envelope;
    Envelope left = envelope;
    left.forward_paths.clear();
    left.options.clear();
    for (std::size_t at = 0; at < envelope.forward_paths.size(); ++at) {
        if (!found.progress[at].pending()) continue;
        left.forward_paths.push_back(envelope.forward_paths[at]);
        if (!envelope.options.empty()) left.options.push_back(envelope.options_of(at));
    }
    envelope = std::move(left);
}

/// To a file of its own when it is large, as all content is.
std::error_code place_content(base::Disk& disk, Stored& stored, const std::filesystem::path& file) {
    Content& content = stored.message.content;
    if (content.size <= limits::inline_content) return {};
    ContentWriter writer(disk, file);
    if (auto error = writer.write(*content.bytes)) {
        writer.discard();
        return error;
    }
    stored.written = writer.take();
    content.file = file;
    content.bytes = nullptr;
    return {};
}

/// Until it is on the disk.
std::error_code accept(Spool& spool, const StoredPtr& stored) {
    const auto file = spool.content_file(stored->message.id);
    if (auto error = place_content(spool.disk(), *stored, file)) return error;
    const auto answer = std::make_shared<std::promise<std::error_code>>();
    auto done = answer->get_future();
    spool.accept(stored, [answer](std::error_code error) { answer->set_value(error); });
    const auto error = done.get();
    if (error && !stored->message.content.file.empty()) spool.disk().remove(file);
    return error;
}

}  // namespace

SetAsidePage Relay::set_aside() { return list_damaged(parts_->disk, parts_->in_force().settings->state_dir); }

SetAsidePage list_damaged(const std::filesystem::path& state_dir) {
    base::SystemDisk disk;
    return list_damaged(disk, state_dir);
}

Restored Relay::restore(const std::string& file) {
    using Result = Restored::Result;
    const std::lock_guard one_at_a_time(parts_->restoring);
    const auto settings = parts_->in_force().settings;
    const auto folder = settings->state_dir / "damaged";
    const auto names = parts_->disk.names(folder).value_or(std::vector<std::string>());
    const auto there = [&](const std::string& name) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    auto& disk = parts_->disk;
    if (const auto as = being_taken(names, file); as && !there(file)) {
        if (!parts_->spool.contains(*as))
            return refused(
                Result::absent,
                "postern stopped while " + file + " was taken again as message " + as->text() +
                    ", which is not in the spool: unless the log says that it was delivered, rename " +
                    (folder / name_while_taken(file, *as)).string() + " to " + file + " and try again");
        disk.rename(folder / name_while_taken(file, *as), folder / name_when_taken(file));
        return refused(Result::absent, file + " was taken again already, as message " + as->text());
    }
    if (!there(file))
        return refused(Result::absent, there(name_when_taken(file))
                                           ? file + " was taken again already"
                                           : "there is no " + file + " in " + folder.string() +
                                                 "; \"postern spool list-damaged\" shows what there is");
    auto found = read_set_aside(parts_->disk, folder, file);
    if (!found) return refused(Result::useless, found.error());
    leave_out_settled(*found);
    if (found->message.envelope.forward_paths.empty())
        return refused(Result::useless, "everybody whom " + file + " was for has it, or was given up");
    if (auto want = parts_->spool.want(settings->accept.minimum_free); !want.empty())
        return refused(Result::put_off, std::move(want));
    Message& message = found->message;
    if (parts_->spool.contains(message.id))
        return refused(Result::useless, "message " + message.id.text() + " is in the spool");
    message.id = parts_->spool.new_id();
    message.arrived = {};  // now
    Restored out;
    out.id = message.id.text();
    out.from = message.envelope.reverse_path.text();
    for (const auto& path : message.envelope.forward_paths) out.to.push_back(path.text());
    out.whole = found->whole;
    // Should we stop in the middle, it is seen as which message it was taken.
    const auto taken = folder / name_while_taken(file, message.id);
    auto error = disk.rename(folder / file, taken);
    if (!error) error = disk.sync_folder(folder);
    if (error) return refused(Result::put_off, "cannot rename " + base::file_fault(folder / file, error));
    if (auto refusal = accept(parts_->spool, std::make_shared<Stored>(Stored{std::move(message)}))) {
        disk.rename(taken, folder / file);
        return refused(Result::put_off, "the spool does not take it: " +
                                            base::file_fault(settings->state_dir / "spool", refusal));
    }
    error = disk.rename(taken, folder / name_when_taken(file));
    if (!error && !found->content.empty())
        error = disk.rename(folder / found->content, folder / name_when_taken(found->content));
    if (!error) error = disk.sync_folder(folder);
    if (error)
        out.why = "it is taken, but cannot be renamed, so do not take it twice: " +
                  base::file_fault(folder / file, error);
    return out;
}

SpoolCheck check_spool(const std::filesystem::path& state_dir, std::uint64_t segment_size) {
    base::SystemDisk disk;
    auto out = inspect_spool(disk, state_dir, segment_size);
    if (out) return std::move(*out);
    SpoolCheck trouble;
    trouble.trouble = out.error();
    return trouble;
}

}  // namespace postern::relay
