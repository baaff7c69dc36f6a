#include "relay/queue/volume.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace postern::relay {

namespace {

constexpr std::array<const char*, 5> names{"message", "content", "progress", "fresh", "waiting"};

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

class Cursor {
public:
    Cursor(MDB_txn* txn, MDB_dbi dbi) {
        if (mdb_cursor_open(txn, dbi, &cursor_) != 0) cursor_ = nullptr;
    }
    ~Cursor() {
        if (cursor_ != nullptr) mdb_cursor_close(cursor_);
    }
    Cursor(const Cursor&) = delete;
    Cursor& operator=(const Cursor&) = delete;

    bool seek(std::string_view key) {
        key_ = value_of(key);
        return cursor_ != nullptr && mdb_cursor_get(cursor_, &key_, &value_, MDB_SET_RANGE) == 0;
    }
    bool next() { return mdb_cursor_get(cursor_, &key_, &value_, MDB_NEXT) == 0; }
    bool last() { return cursor_ != nullptr && mdb_cursor_get(cursor_, &key_, &value_, MDB_LAST) == 0; }
    const MDB_val& key() const { return key_; }

private:
    MDB_cursor* cursor_ = nullptr;
    MDB_val key_{}, value_{};
};

/// The list of free pages, which a write transaction trusts: each record counts itself and names pages of the
/// file.
void walk_free_pages(MDB_txn* txn, std::size_t last_page) {
    constexpr MDB_dbi free_pages = 0;
    MDB_cursor* cursor = nullptr;
    if (mdb_cursor_open(txn, free_pages, &cursor) != 0) _exit(1);
    MDB_val key{}, value{};
    int error = 0;
    while ((error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        std::size_t count = 0;
        if (key.mv_size != sizeof count || value.mv_size < sizeof count) _exit(1);
        std::memcpy(&count, value.mv_data, sizeof count);
        if (count > value.mv_size / sizeof count - 1) _exit(1);
        for (std::size_t at = 1; at <= count; ++at) {
            std::size_t page = 0;
            std::memcpy(&page, static_cast<const char*>(value.mv_data) + at * sizeof page, sizeof page);
            if (page < 2 || page > last_page) _exit(1);
        }
    }
    if (error != MDB_NOTFOUND) _exit(1);
}

/// Whether the nodes of the leaf page that `inside` points into lie within it. LMDB moves them by these
/// numbers when it deletes one, without looking.
bool leaf_intact(const void* inside, std::size_t page_size) {
    constexpr std::size_t header = 16, node_header = 8;
    constexpr unsigned on_pages_of_its_own = 1;
    const char* page =
        static_cast<const char*>(inside) - reinterpret_cast<std::uintptr_t>(inside) % page_size;
    auto number = [page](std::size_t at) {
        std::uint16_t out = 0;
        std::memcpy(&out, page + at, sizeof out);
        return static_cast<std::size_t>(out);
    };
    std::size_t lower = number(12), upper = number(14);
    if (lower < header || lower % 2 != 0 || upper < lower || upper > page_size) return false;
    std::size_t used = 0;
    for (std::size_t at = header; at < lower; at += 2) {
        std::size_t node = number(at);
        if (node < upper || node + node_header > page_size) return false;
        std::size_t value = (number(node + 4) & on_pages_of_its_own) != 0
                                ? sizeof(std::uint64_t)
                                : number(node) + (number(node + 2) << 16);
        std::size_t size = node_header + number(node + 6) + value;
        if (size > page_size - node) return false;
        used += size + size % 2;
    }
    return used == page_size - upper;
}

[[noreturn]] void walk(const std::filesystem::path& file) {
    MDB_env* env = nullptr;
    if (mdb_env_create(&env) != 0) _exit(1);
    mdb_env_set_maxdbs(env, names.size());
    if (mdb_env_open(env, file.c_str(), MDB_NOSUBDIR | MDB_RDONLY | MDB_NOTLS | MDB_NOLOCK, 0600) != 0)
        _exit(1);
    MDB_txn* txn = nullptr;
    if (mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn) != 0) _exit(1);
    // Pages behind the end of a file that was cut short could be mapped, but not touched. That the file is
    // shorter than its last page number says proves nothing: pages that are taken and given back in one
    // transaction are not written.
    MDB_envinfo info{};
    mdb_env_info(env, &info);
    std::error_code error_code;
    std::uintptr_t size = std::filesystem::file_size(file, error_code), begin = 0;
    if (error_code) _exit(1);
    walk_free_pages(txn, info.me_last_pgno);
    for (const char* name : names) {
        MDB_dbi dbi = 0;
        int error = mdb_dbi_open(txn, name, 0, &dbi);
        if (error == MDB_NOTFOUND) continue;  // stopped between creation of the file and its first commit
        MDB_cursor* cursor = nullptr;
        if (error != 0 || mdb_cursor_open(txn, dbi, &cursor) != 0) _exit(1);
        MDB_stat stat{};
        mdb_stat(txn, dbi, &stat);
        MDB_val key{}, value{};
        std::size_t seen = 0;
        std::uintptr_t walked = 0;
        while ((error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
            ++seen;
            auto page = reinterpret_cast<std::uintptr_t>(key.mv_data) / stat.ms_psize * stat.ms_psize;
            if (page != walked) {
                std::uint64_t number = 0;  // each page begins with it
                std::memcpy(&number, reinterpret_cast<const void*>(page), sizeof number);
                std::uintptr_t mapped = page - number * stat.ms_psize;
                begin = begin == 0 ? mapped : begin;
                if (mapped != begin || !leaf_intact(key.mv_data, stat.ms_psize)) _exit(1);
            }
            if (reinterpret_cast<std::uintptr_t>(value.mv_data) - begin + value.mv_size > size) _exit(1);
            walked = page;
        }
        if (error != MDB_NOTFOUND || seen != stat.ms_entries) _exit(1);
    }
    _exit(0);
}

}  // namespace

const std::error_category& lmdb_category() {
    static const Category category;
    return category;
}

class Volume::Read {
public:
    explicit Read(const Volume& volume) {
        int error = mdb_txn_begin(volume.env_, nullptr, MDB_RDONLY, &txn_);
        if (error != 0) throw std::system_error(lmdb_error(error), "reading " + volume.file_.string());
    }
    ~Read() { mdb_txn_abort(txn_); }
    Read(const Read&) = delete;
    Read& operator=(const Read&) = delete;
    MDB_txn* txn() const { return txn_; }

private:
    MDB_txn* txn_ = nullptr;
};

bool Volume::intact(const std::filesystem::path& file) {
    pid_t child = fork();
    if (child == 0) walk(file);
    if (child < 0) return true;  // no process to spare: reading it will tell
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

Volume::Volume(std::filesystem::path file, std::uint32_t number, std::uint64_t size)
    : file_(std::move(file)), number_(number) {
    auto check = [this](int error) {
        if (error == 0) return;
        if (env_ != nullptr) mdb_env_close(env_);
        env_ = nullptr;
        throw std::system_error(lmdb_error(error), file_.string());
    };
    check(mdb_env_create(&env_));
    check(mdb_env_set_maxdbs(env_, names.size()));
    check(mdb_env_set_maxreaders(env_, 64));
    // New mail stops short of `size`. What becomes of it must be written down even so, however full the file
    // is found.
    constexpr std::uint64_t unit = 64 << 10;
    std::error_code none;
    std::uint64_t used = std::filesystem::exists(file_, none) ? std::filesystem::file_size(file_, none) : 0;
    check(mdb_env_set_mapsize(env_, (std::max(used, size) + size) / unit * unit));
    // Read-ahead would fetch what lies next to a message; a backlog is read in an order of its own.
    check(mdb_env_open(env_, file_.c_str(), MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD | MDB_NOMEMINIT, 0600));
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env_, nullptr, 0, &txn));
    for (std::size_t at = 0; at < names.size(); ++at)
        if (int error = mdb_dbi_open(txn, names[at], MDB_CREATE, &dbi_[at]); error != 0) {
            mdb_txn_abort(txn);
            check(error);
        }
    check(mdb_txn_commit(txn));
}

Volume::~Volume() {
    if (env_ != nullptr) mdb_env_close(env_);
}

std::uint64_t Volume::entries(Table table) const {
    Read read(*this);
    MDB_stat stat{};
    mdb_stat(read.txn(), dbi(table), &stat);
    return stat.ms_entries;
}

std::uint64_t Volume::messages() const { return entries(Table::message); }
std::uint64_t Volume::waiting() const { return entries(Table::waiting); }

std::uint64_t Volume::high_water() const {
    MDB_envinfo info{};
    MDB_stat stat{};
    mdb_env_info(env_, &info);
    mdb_env_stat(env_, &stat);
    return (info.me_last_pgno + 1) * stat.ms_psize;
}

void Volume::unlink() {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
    std::filesystem::remove(file_.string() + "-lock", ignored);
}

bool Volume::has(Table table, MessageId id) const {
    Read read(*this);
    Key key = key_of(id);
    MDB_val k = value_of(key), v{};
    return mdb_get(read.txn(), dbi(table), &k, &v) == 0;
}

std::optional<std::string> Volume::get(Table table, MessageId id) const {
    Read read(*this);
    Key key = key_of(id);
    MDB_val k = value_of(key), v{};
    if (mdb_get(read.txn(), dbi(table), &k, &v) != 0) return std::nullopt;
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

std::vector<WaitEntry> Volume::due(const std::string& route, Time until, std::size_t limit,
                                   const std::function<bool(MessageId)>& skip) const {
    Read read(*this);
    Cursor cursor(read.txn(), dbi(Table::waiting));
    std::vector<WaitEntry> out;
    std::string from = wait_key(route, Time{}, MessageId{});
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
    std::string octets = wait_key(key.route, key.due, id);
    MDB_val k = value_of(octets), v{};
    return mdb_get(read.txn(), dbi(Table::waiting), &k, &v) == 0;
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
        out.push_back(WaitKey{std::string(parts->route), parts->due});
        more = cursor.seek(out.back().route + '\x01');  // behind everything of this route
    }
    return out;
}

Volume::Write::Write(Volume& volume) : volume_(volume) {
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
    std::string octets = wait_key(key.route, key.due, id);
    MDB_val k = value_of(octets), v{};
    note(mdb_put(txn_, volume_.dbi(Table::waiting), &k, &v, 0));
}

void Volume::Write::unwait(const WaitKey& key, MessageId id) {
    if (error_ != 0) return;
    std::string octets = wait_key(key.route, key.due, id);
    MDB_val k = value_of(octets);
    note(mdb_del(txn_, volume_.dbi(Table::waiting), &k, nullptr));
}

std::error_code Volume::Write::commit() {
    if (error_ == 0) {
        error_ = mdb_txn_commit(txn_);
        txn_ = nullptr;
    }
    return error_ == 0 ? std::error_code() : lmdb_error(error_);
}

}  // namespace postern::relay
