#include "relay/volume/volume.h"

#include <asio/post.hpp>
#include <future>
#include <string>

#include "sync/base/file_fault.h"

namespace postern::relay {

namespace {

constexpr const char* tally_file = "volume.state";
constexpr const char* episodes_file = "unusual.state";
constexpr const char* histories_file = "senders.state";
constexpr const char* acquaintances_file = "acquaintances.state";
constexpr std::size_t octets_most = 256u << 20;
constexpr std::chrono::minutes whole_every{10};

}  // namespace

void tell_unusual(Observer& observer, const VolumeChange& change) {
    observer.on(event::Unusual{change.who, text_of(change.level), change.why, change.monitored});
}

Volume::Volume(const net::Machine& machine, const Settings& settings, Observer& observer)
    : watch(tally),
      clock_(machine.clock),
      observer_(observer),
      kept_{&machine.disk, settings.state_dir},
      keeping_(machine.workers.keeping),
      written_whole_(clock_.now()) {
    recall();
    reload(settings);
}

/// Where it cannot be read everybody begins anew, which is told: no mail waits for that.
void Volume::recall() {
    const auto read = [this](const char* name, const auto& take) {
        const auto file = kept_.path / name;
        const auto octets = base::read_file(*kept_.disk, file, octets_most);
        if (octets && take(*octets)) return;
        if (!octets && octets.error() == std::errc::no_such_file_or_directory) return;
        const std::string why =
            octets ? file.string() + " is damaged" : base::file_fault(file, octets.error());
        observer_.on(event::Trouble{event::Area::reception,
                                    "how much senders handed in before is not known: " + why, false});
    };
    read(tally_file, [this](const std::string& text) {
        tally.restore(text, clock_.steady());
        return true;
    });
    for (const char* file : {episodes_file, histories_file})
        read(file, [this](const std::string& text) {
            watch.restore(text);
            return true;
        });
    read(acquaintances_file,
         [this](const std::string& octets) { return watch.restore_acquaintances(octets); });
}

void Volume::reload(const Settings& settings) {
    tally.reload(settings.limits);
    watch.reload(settings.unusual, settings.accept.enforce);
}

void Volume::write(const char* name, std::string_view octets, const std::function<void()>& not_saved) {
    const auto file = kept_.path / name;
    const auto error = base::replace_file(*kept_.disk, file, octets);
    if (!error) return;
    not_saved();
    observer_.on(event::Trouble{
        event::Area::reception,
        "how much senders handed in cannot be written down: " + base::file_fault(file, error), false});
}

void Volume::keep(bool all) {
    for (const auto& change : watch.look(clock_.steady(), clock_.wall())) tell_unusual(observer_, change);
    all = all || clock_.now() >= written_whole_ + whole_every;
    if (all) written_whole_ = clock_.now();
    asio::post(keeping_, [this, all] { write_changed(all); });
}

bool Volume::suspects(const Envelope& mail) const {
    if (mail.primary.empty() || mail.bounce || mail.reverse_path.null()) return false;
    const VolumeSender sender(mail.reverse_path.mailbox(), mail.reverse_path.domain, mail.primary);
    return watch.suspect(sender.names[static_cast<std::size_t>(VolumeScope::user)]);
}

void Volume::keep_at_once(bool all) {
    std::promise<void> done;
    asio::post(keeping_, [this, all, &done] {
        write_changed(all);
        done.set_value();
    });
    done.get_future().wait();
}

void Volume::write_changed(bool all) {
    if (const auto text = tally.save()) write(tally_file, *text, [this] { tally.not_saved(); });
    if (const auto text = watch.save_episodes()) write(episodes_file, *text, [this] { watch.not_saved(); });
    if (!all) return;
    if (const auto text = watch.save_histories()) write(histories_file, *text, [this] { watch.not_saved(); });
    if (const auto octets = watch.save_acquaintances())
        write(acquaintances_file, *octets, [this] { watch.not_saved(); });
}

}  // namespace postern::relay
