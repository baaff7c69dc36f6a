#include "relay/queue/settled_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <stdexcept>
#include <string>

#include "relay/queue/record.h"
#include "sync/base/file.h"
#include "sync/base/file_fault.h"

namespace postern::relay {

namespace {

constexpr std::size_t file_max = 1 << 20;
constexpr std::size_t read_max = 64 << 20;   // far more than a file of ours has
constexpr std::chrono::seconds patience{1};  // until something noted should be written
constexpr std::chrono::seconds again{1};     // after a shortage
/// Before what came meanwhile is written: to wake the thread for each note costs more than to write it.
constexpr std::chrono::microseconds company_for{500};
constexpr std::size_t company = 1000;
constexpr std::string_view prefix = "settled.";

[[noreturn]] void unreadable(const std::filesystem::path& path, const std::error_code& error) {
    throw std::runtime_error(
        "state_dir: cannot read what was delivered last, and without it mail would go out "
        "twice: " +
        base::file_fault(path, error));
}

/// What is kept until it can be written.
bool is_shortage(const std::error_code& error) { return base::is_passing(error) || base::is_full(error); }

std::vector<std::filesystem::path> files(const std::filesystem::path& dir) {
    std::vector<std::filesystem::path> out;
    std::error_code error;
    std::filesystem::directory_iterator each(dir, error);
    for (; !error && each != std::filesystem::directory_iterator(); each.increment(error))
        if (each->path().filename().string().starts_with(prefix)) out.push_back(each->path());
    if (error) unreadable(dir, error);
    std::sort(out.begin(), out.end());
    return out;
}

template <typename T>
void append(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
T take(std::string_view& in) {
    T value{};
    std::copy_n(in.data(), sizeof value, reinterpret_cast<char*>(&value));
    in.remove_prefix(sizeof value);
    return value;
}

}  // namespace

SettledLog::Delivered SettledLog::read(const std::filesystem::path& dir) {
    Delivered out;
    for (const auto& file : files(dir)) {
        const auto all = base::read_file(file, read_max);
        if (!all) unreadable(file, all.error());
        std::string_view rest = *all;
        while (rest.size() >= 14) {
            std::string_view record = rest;
            MessageId id{take<std::uint64_t>(rest)};
            auto count = take<std::uint16_t>(rest);
            std::size_t body = count * sizeof(std::uint16_t);
            if (rest.size() < body + 4) break;
            std::set<std::uint16_t> recipients;
            for (unsigned at = 0; at < count; ++at) recipients.insert(take<std::uint16_t>(rest));
            if (take<std::uint32_t>(rest) != checksum(record.substr(0, 10 + body))) break;
            out[id].merge(recipients);
        }
    }
    return out;
}

void SettledLog::clear(const std::filesystem::path& dir) {
    std::error_code ignored;
    for (const auto& file : files(dir)) std::filesystem::remove(file, ignored);
}

SettledLog::SettledLog(std::filesystem::path dir, const base::Clock& clock, Tell tell)
    : dir_(std::move(dir)), clock_(clock), tell_(std::move(tell)) {
    open_next();
    thread_ = std::thread([this] { run(); });
}

SettledLog::~SettledLog() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
        wake_.notify_one();
    }
    thread_.join();
}

void SettledLog::note(MessageId id, const std::vector<std::uint16_t>& recipients) {
    add(Entry{Entry::What::note, id, 0, recipients});
}

void SettledLog::recorded(MessageId id, std::uint64_t change) {
    add(Entry{Entry::What::recorded, id, change, {}});
}

void SettledLog::committed(std::uint64_t change) { add(Entry{Entry::What::committed, {}, change, {}}); }

void SettledLog::add(Entry entry) {
    std::lock_guard lock(mutex_);
    const bool note = entry.what == Entry::What::note;
    if (note && waiting_since_ == 0) waiting_since_ = clock_.now().time_since_epoch().count();
    entries_.push_back(std::move(entry));
    // The others only say what may go, and wait for company.
    if (!note && entries_.size() < company) return;
    due_ = true;
    if (!busy_ && !short_) wake_.notify_one();
}

bool SettledLog::behind() const {
    const base::Moment::rep since = waiting_since_;
    return since != 0 && clock_.now() - base::Moment(base::Moment::duration(since)) > patience;
}

void SettledLog::wait() {
    std::unique_lock lock(mutex_);
    ++waiters_;
    // What comes after this began and does not ask for the thread would wait for company, and we with it.
    while ((!entries_.empty() || busy_) && !short_) {
        due_ = true;
        wake_.notify_one();
        done_.wait(lock);
    }
    --waiters_;
}

void SettledLog::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        if (short_)
            clock_.wait_until(wake_, lock, {}, clock_.now() + again, [this] { return stopping_; });
        else
            wake_.wait(lock, [this] { return stopping_ || due_; });
        due_ = false;
        if (entries_.empty()) {
            done_.notify_all();
            if (stopping_) return;
            continue;
        }
        auto entries = std::exchange(entries_, {});
        busy_ = true;
        lock.unlock();
        std::error_code error, given_up;
        while (!entries.empty() && !is_shortage(error = apply(entries.front()))) {
            if (error) given_up = std::exchange(error, {});
            entries.pop_front();
        }
        lock.lock();
        if (!error)
            clock_.wait_until(wake_, lock, {}, clock_.now() + company_for,
                              [this] { return stopping_ || waiters_ > 0; });
        busy_ = false;
        entries_.insert(entries_.begin(), std::make_move_iterator(entries.begin()),
                        std::make_move_iterator(entries.end()));
        const bool was_short = std::exchange(short_, bool(error)), late = behind();
        waiting_since_ = error ? 1 : due_ ? clock_.now().time_since_epoch().count() : 0;
        if (given_up) tell_outside(lock, given_up);
        if (short_ != was_short || (!error && late)) tell_outside(lock, error);
        done_.notify_all();
        if (error && stopping_) return;
    }
}

void SettledLog::tell_outside(std::unique_lock<std::mutex>& lock, const std::error_code& error) {
    lock.unlock();
    tell_(error);
    lock.lock();
}

std::error_code SettledLog::apply(const Entry& entry) {
    switch (entry.what) {
        case Entry::What::note: return write(entry);
        case Entry::What::recorded: record(entry); break;
        case Entry::What::committed: drop(entry.change); break;
    }
    return {};
}

/// Its space is taken beforehand: what was delivered must be written down on a full disk too. As long as
/// there is no room for another file, this one goes on to its end.
std::error_code SettledLog::open_next() {
    const auto path = dir_ / (std::string(prefix) + std::to_string(dropped_ + files_.size()));
    auto opened = base::open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);
    if (!opened) return opened.error();
    if (::fallocate(opened->get(), FALLOC_FL_KEEP_SIZE, 0, file_max) != 0 && errno != EOPNOTSUPP) {
        const auto error = base::last_error();
        ::unlink(path.c_str());
        return error;
    }
    file_ = std::move(*opened);
    files_.push_back(File{path});
    size_ = 0;
    next_at_ = file_max / 2;
    return {};
}

std::error_code SettledLog::write(const Entry& entry) {
    std::string record;
    append(record, entry.id.value);
    append(record, static_cast<std::uint16_t>(entry.recipients.size()));
    for (auto recipient : entry.recipients) append(record, recipient);
    append(record, checksum(record));
    std::error_code error;
    const bool full = size_ + record.size() > file_max;
    if (!file_ || full || size_ >= next_at_) error = open_next();
    if (error && file_ && !full) {
        next_at_ = size_ + file_max / 16;
        error = {};
    }
    if (!error) {
        ssize_t wrote = 0;
        do wrote = ::write(file_.get(), record.data(), record.size());
        while (wrote < 0 && errno == EINTR);
        if (wrote == static_cast<ssize_t>(record.size())) {
            size_ += record.size();
            if (noted_[entry.id.value].insert(dropped_ + files_.size() - 1).second) ++files_.back().open;
            return {};
        }
        error = wrote < 0 ? base::last_error() : std::make_error_code(std::errc::no_space_on_device);
        // A torn record would hide what is written behind it.
        if (wrote > 0 && ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) file_.close();
    }
    return error;
}

void SettledLog::record(const Entry& entry) {
    auto noted = noted_.find(entry.id.value);
    if (noted == noted_.end()) return;
    for (std::uint64_t number : noted->second) {
        File& file = files_[number - dropped_];
        --file.open;
        file.last_change = entry.change;
    }
    noted_.erase(noted);
}

void SettledLog::drop(std::uint64_t change) {
    std::error_code ignored;
    while (files_.size() > 1 && files_.front().open == 0 && files_.front().last_change <= change) {
        std::filesystem::remove(files_.front().path, ignored);
        files_.pop_front();
        ++dropped_;
    }
}

}  // namespace postern::relay
