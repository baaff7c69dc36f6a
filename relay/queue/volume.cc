#include "relay/queue/volume.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

#include "sync/base/file.h"

namespace postern::relay {

namespace {

constexpr unsigned readers_max = 64;
constexpr off_t lock_file_size = 16 << 10;  // more than its readers need

std::filesystem::path lock_file(const std::filesystem::path& volume) { return volume.string() + "-lock"; }

/// LMDB makes its lock file sparse, maps it and writes: without room on the disk for that, the kernel answers
/// with a signal. With its space taken beforehand, being full is an error like any other.
std::error_code reserve_lock_file(const std::filesystem::path& volume) {
    const auto file = base::open_file(lock_file(volume), O_RDWR | O_CREAT);
    if (!file) return file.error();
    return {posix_fallocate(file->get(), 0, lock_file_size), std::generic_category()};
}

class Category final : public std::error_category {
public:
    const char* name() const noexcept override { return "spool"; }
    std::string message(int value) const override { return mdb_strerror(value); }
};

using Key = std::array<char, 8>;

void big_endian(std::uint64_t value, char* out) {
    for (int at = 7; at >= 0; --at, value >>= 8) out[at] = static_cast<char>(value & 0xff);
}

std::uint64_t from_big_endian(const char* in) {
    std::uint64_t value = 0;
    for (int at = 0; at < 8; ++at) value = value << 8 | static_cast<unsigned char>(in[at]);
    return value;
}

Key key_of(MessageId id) {
    Key key{};
    big_endian(id.value, key.data());
    return key;
}

MDB_val value_of(std::string_view octets) { return MDB_val{octets.size(), const_cast<char*>(octets.data())}; }
MDB_val value_of(Key& key) { return MDB_val{key.size(), key.data()}; }

std::uint64_t microseconds(Time time) {
    auto us = std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
    return us < 0 ? 0 : static_cast<std::uint64_t>(us);
}

/// route, NUL, due, id: entries of one route lie together in order of time.
std::string wait_key(std::string_view route, Time due, MessageId id) {
    std::string key(route);
    std::array<char, 17> tail{};
    big_endian(microseconds(due), tail.data() + 1);
    big_endian(id.value, tail.data() + 9);
    key.append(tail.data(), tail.size());
    return key;
}

struct Parts {
    std::string_view route;
    Time due;
    MessageId id;
};

std::optional<Parts> split(const MDB_val& key) {
    if (key.mv_size < 17) return std::nullopt;
    std::string_view all(static_cast<const char*>(key.mv_data), key.mv_size);
    const char* tail = all.data() + all.size() - 17;
    std::uint64_t due = from_big_endian(tail + 1);
    if (*tail != '\0' || due > microseconds(Time::max())) return std::nullopt;
    return Parts{all.substr(0, all.size() - 17),
                 Time(std::chrono::microseconds(static_cast<std::int64_t>(due))),
                 MessageId{from_big_endian(tail + 9)}};
}

std::optional<MessageId> id_of(const MDB_val& key) {
    if (key.mv_size != 8) return std::nullopt;
    return MessageId{from_big_endian(static_cast<const char*>(key.mv_data))};
}

/// Whether it is there. That the engine cannot tell is no answer, least of all "no".
bool is_there(int code) {
    if (code != 0 && code != MDB_NOTFOUND) throw std::system_error(lmdb_error(code), "reading the spool");
    return code == 0;
}

class Cursor {
public:
    Cursor(MDB_txn* txn, MDB_dbi dbi) { is_there(mdb_cursor_open(txn, dbi, &cursor_)); }
    ~Cursor() { mdb_cursor_close(cursor_); }
    Cursor(const Cursor&) = delete;
    Cursor& operator=(const Cursor&) = delete;

    bool seek(std::string_view key) {
        key_ = value_of(key);
        return get(MDB_SET_RANGE);
    }
    bool next() { return get(MDB_NEXT); }
    bool last() { return get(MDB_LAST); }
    const MDB_val& key() const { return key_; }

private:
    bool get(MDB_cursor_op which) { return is_there(mdb_cursor_get(cursor_, &key_, &value_, which)); }
    MDB_cursor* cursor_ = nullptr;
    MDB_val key_{}, value_{};
};

}  // namespace

const std::error_category& lmdb_category() {
    static const Category category;
    return category;
}

std::uint64_t Volume::map_size(const std::filesystem::path& file, std::uint64_t size) {
    // New mail stops short of `size`. What becomes of it must be written down even so, however full the file
    // is found.
    constexpr std::uint64_t unit = 64 << 10;
    std::error_code none;
    std::uint64_t used = std::filesystem::exists(file, none) ? std::filesystem::file_size(file, none) : 0;
    return (std::max(used, size) + size) / unit * unit;
}

class Volume::Read {
public:
    explicit Read(const Volume& volume) : opening_(volume.opening_) {
        if (volume.env_ == nullptr)
            throw std::system_error(volume.closed_, "reading " + volume.file_.string());
        int error = mdb_txn_begin(volume.env_, nullptr, MDB_RDONLY, &txn_);
        if (error != 0) throw std::system_error(lmdb_error(error), "reading " + volume.file_.string());
    }
    ~Read() { mdb_txn_abort(txn_); }
    Read(const Read&) = delete;
    Read& operator=(const Read&) = delete;
    MDB_txn* txn() const { return txn_; }

private:
    std::shared_lock<std::shared_mutex> opening_;
    MDB_txn* txn_ = nullptr;
};

Volume::Volume(std::filesystem::path file, std::uint32_t number, std::uint64_t size)
    : file_(std::move(file)), number_(number), size_(size) {
    if (auto error = open()) throw std::system_error(error, file_.string());
}

Volume::~Volume() { close(); }

std::error_code Volume::open() {
    if (auto error = reserve_lock_file(file_)) return error;
    int error = mdb_env_create(&env_);
    if (error != 0) return lmdb_error(error);
    if (error == 0) error = mdb_env_set_maxdbs(env_, table_names.size());
    if (error == 0) error = mdb_env_set_maxreaders(env_, readers_max);
    if (error == 0) error = mdb_env_set_mapsize(env_, map_size(file_, size_));
    // Read-ahead would fetch what lies next to a message; a backlog is read in an order of its own.
    if (error == 0)
        error =
            mdb_env_open(env_, file_.c_str(), MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD | MDB_NOMEMINIT, 0600);
    MDB_txn* txn = nullptr;
    if (error == 0) error = mdb_txn_begin(env_, nullptr, 0, &txn);
    for (std::size_t at = 0; error == 0 && at < table_names.size(); ++at)
        error = mdb_dbi_open(txn, table_names[at], MDB_CREATE, &dbi_[at]);
    if (error == 0)
        error = mdb_txn_commit(txn);
    else if (txn != nullptr)
        mdb_txn_abort(txn);
    if (error == 0) return {};
    close();
    return lmdb_error(error);
}

void Volume::close() {
    if (env_ != nullptr) mdb_env_close(env_);
    env_ = nullptr;
}

/// When its first pages could not be written, for want of room say, the engine lets nobody read or write any
/// more until it is opened again; in the file is what was committed before.
std::error_code Volume::reopen_if_given_up() {
    if (env_ != nullptr) {
        MDB_txn* txn = nullptr;
        int error = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
        if (error == 0) mdb_txn_abort(txn);
        if (error != MDB_PANIC) return {};
    }
    std::unique_lock alone(opening_);
    close();
    closed_ = open();
    return closed_;
}

std::uint64_t Volume::entries(Table table) const {
    Read read(*this);
    // The count alone would be none where the engine cannot read on.
    if (!Cursor(read.txn(), dbi(table)).last()) return 0;
    MDB_stat stat{};
    is_there(mdb_stat(read.txn(), dbi(table), &stat));
    return stat.ms_entries;
}

std::uint64_t Volume::messages() const { return entries(Table::message); }
std::uint64_t Volume::waiting() const { return entries(Table::waiting); }

bool Volume::known_empty() const {
    try {
        return messages() == 0;
    } catch (const std::system_error&) {
        return false;
    }
}

std::uint64_t Volume::high_water() const {
    std::shared_lock opened(opening_);
    if (env_ == nullptr) {
        std::error_code ignored;
        return std::filesystem::file_size(file_, ignored);
    }
    MDB_envinfo info{};
    MDB_stat stat{};
    mdb_env_info(env_, &info);
    mdb_env_stat(env_, &stat);
    return (info.me_last_pgno + 1) * stat.ms_psize;
}

void Volume::unlink() {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
    std::filesystem::remove(lock_file(file_), ignored);
}

bool Volume::has(Table table, MessageId id) const {
    Read read(*this);
    Key key = key_of(id);
    MDB_val k = value_of(key), v{};
    return is_there(mdb_get(read.txn(), dbi(table), &k, &v));
}

std::optional<std::string> Volume::get(Table table, MessageId id) const {
    Read read(*this);
    Key key = key_of(id);
    MDB_val k = value_of(key), v{};
    if (!is_there(mdb_get(read.txn(), dbi(table), &k, &v))) return std::nullopt;
    return std::string(static_cast<const char*>(v.mv_data), v.mv_size);
}

std::vector<MessageId> Volume::ids(Table table, MessageId after, std::size_t limit) const {
    Read read(*this);
    Cursor cursor(read.txn(), dbi(table));
    std::vector<MessageId> out;
    Key key = key_of(MessageId{after.value + 1});
    for (bool more = cursor.seek({key.data(), key.size()}); more && out.size() < limit; more = cursor.next())
        if (auto id = id_of(cursor.key())) out.push_back(*id);
    return out;
}

MessageId Volume::last_id() const {
    Read read(*this);
    Cursor cursor(read.txn(), dbi(Table::message));
    return cursor.last() ? id_of(cursor.key()).value_or(MessageId{}) : MessageId{};
}

std::vector<WaitEntry> Volume::due(const RouteKey& key, Time until, std::size_t limit,
                                   const std::function<bool(MessageId)>& skip) const {
    Read read(*this);
    Cursor cursor(read.txn(), dbi(Table::waiting));
    std::vector<WaitEntry> out;
    const std::string route = key.text(), from = wait_key(route, Time{}, MessageId{});
    for (bool more = cursor.seek(from); more && out.size() < limit; more = cursor.next()) {
        auto parts = split(cursor.key());
        if (!parts) continue;  // damaged: what lies behind it counts nevertheless
        if (parts->route != route || parts->due > until) break;
        if (!skip(parts->id)) out.push_back(WaitEntry{parts->id, number_, parts->due});
    }
    return out;
}

bool Volume::waits(const WaitKey& key, MessageId id) const {
    Read read(*this);
    std::string octets = wait_key(key.route.text(), key.due, id);
    MDB_val k = value_of(octets), v{};
    return is_there(mdb_get(read.txn(), dbi(Table::waiting), &k, &v));
}

std::vector<WaitKey> Volume::routes() const {
    Read read(*this);
    Cursor cursor(read.txn(), dbi(Table::waiting));
    std::vector<WaitKey> out;
    for (bool more = cursor.seek(" "); more;) {
        auto parts = split(cursor.key());
        if (!parts) {
            more = cursor.next();
            continue;
        }
        const std::string route(parts->route);
        out.push_back(WaitKey{RouteKey::of(route), parts->due});
        more = cursor.seek(route + '\x01');  // behind everything of this route
    }
    return out;
}

Volume::Write::Write(Volume& volume) : volume_(volume) {
    if (auto error = volume.reopen_if_given_up())
        note(error.value());
    else
        note(mdb_txn_begin(volume.env_, nullptr, 0, &txn_));
}

Volume::Write::~Write() {
    if (txn_ != nullptr) mdb_txn_abort(txn_);
}

void Volume::Write::note(int code) {
    if (error_ == 0 && code != MDB_NOTFOUND) error_ = code;
}

void Volume::Write::put(Table table, MessageId id, std::string_view value) {
    if (error_ != 0) return;
    Key key = key_of(id);
    MDB_val k = value_of(key), v = value_of(value);
    note(mdb_put(txn_, volume_.dbi(table), &k, &v, 0));
}

void Volume::Write::erase(Table table, MessageId id) {
    if (error_ != 0) return;
    Key key = key_of(id);
    MDB_val k = value_of(key);
    if (table == Table::content && !large_value_intact(k)) return;
    note(mdb_del(txn_, volume_.dbi(table), &k, nullptr));
}

/// A value on pages of its own begins with a header that says how many they are. LMDB believes it when it
/// frees them, so a damaged one would spoil the list of free pages; its pages are rather lost until the
/// volume goes.
bool Volume::Write::large_value_intact(MDB_val key) {
    constexpr std::size_t header = 16;
    constexpr std::uint16_t overflow_page = 0x04;
    MDB_val value{};
    MDB_stat stat{};
    if (mdb_get(txn_, volume_.dbi(Table::content), &key, &value) != 0) return true;
    mdb_env_stat(volume_.env_, &stat);
    if (value.mv_size <= stat.ms_psize / 2)
        return true;  // perhaps within a leaf, which has been walked through
    const char* begin = static_cast<const char*>(value.mv_data) - header;
    std::uint16_t flags = 0;
    std::uint32_t pages = 0;
    std::memcpy(&flags, begin + 10, sizeof flags);
    std::memcpy(&pages, begin + 12, sizeof pages);
    return flags == overflow_page && pages == (header + value.mv_size + stat.ms_psize - 1) / stat.ms_psize;
}

void Volume::Write::wait(const WaitKey& key, MessageId id) {
    if (error_ != 0) return;
    std::string octets = wait_key(key.route.text(), key.due, id);
    MDB_val k = value_of(octets), v{};
    note(mdb_put(txn_, volume_.dbi(Table::waiting), &k, &v, 0));
}

void Volume::Write::unwait(const WaitKey& key, MessageId id) {
    if (error_ != 0) return;
    std::string octets = wait_key(key.route.text(), key.due, id);
    MDB_val k = value_of(octets);
    note(mdb_del(txn_, volume_.dbi(Table::waiting), &k, nullptr));
}

std::error_code Volume::Write::commit() {
    if (error_ == 0) {
        error_ = mdb_txn_commit(txn_);
        txn_ = nullptr;
        // Its readers must not wait for the next commit, and one that fails here is told by that.
        if (error_ != 0) volume_.reopen_if_given_up();
    }
    return error_ == 0 ? std::error_code() : lmdb_error(error_);
}

}  // namespace postern::relay
