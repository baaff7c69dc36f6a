#include "relay/queue/earlier_spool.h"

#include <lmdb.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

#include "sync/base/file.h"

namespace postern::relay {

namespace {

constexpr std::string_view volume_suffix = ".volume", settled_prefix = "settled.", reserve = "reserve";
constexpr std::size_t settled_max = 64 << 20;

class Category final : public std::error_category {
public:
    const char* name() const noexcept override { return "earlier spool"; }
    std::string message(int value) const override { return mdb_strerror(value); }
};

const std::error_category& category() {
    static const Category only;
    return only;
}

/// Positive codes are the operating system's. That there is no such entry is no error.
bool is_there(int code) {
    if (code == MDB_NOTFOUND) return false;
    if (code != 0)
        throw std::system_error(code, code > 0 ? std::generic_category() : category(), "reading the spool");
    return true;
}

[[noreturn]] void throw_damaged() { throw std::system_error(MDB_CORRUPTED, category(), "reading the spool"); }

class Volume {
public:
    explicit Volume(const std::filesystem::path& file) {
        constexpr std::uint64_t unit = 64 << 10;
        MDB_env* env = nullptr;
        is_there(mdb_env_create(&env));
        env_.reset(env);
        const std::uint64_t size = std::filesystem::file_size(file);
        if (size == 0) throw_damaged();  // the engine would make a new one of it
        is_there(mdb_env_set_maxdbs(env, 5));
        is_there(mdb_env_set_mapsize(env, (size + unit - 1) / unit * unit));
        is_there(
            mdb_env_open(env, file.c_str(), MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK | MDB_NORDAHEAD, 0600));
        MDB_txn* txn = nullptr;
        is_there(mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn));
        txn_.reset(txn);
    }

    /// Each volume had all of them from its beginning.
    MDB_dbi table(const char* name) const {
        MDB_dbi out = 0;
        if (!is_there(mdb_dbi_open(txn_.get(), name, 0, &out))) throw_damaged();
        return out;
    }
    std::optional<std::string_view> get(MDB_dbi table, MDB_val key) const {
        MDB_val value{};
        if (!is_there(mdb_get(txn_.get(), table, &key, &value))) return std::nullopt;
        return std::string_view(static_cast<const char*>(value.mv_data), value.mv_size);
    }
    /// Calls `each` for what is in it. What it counts must be found, in its order, by either way.
    void walk(MDB_dbi table,
              const std::function<void(const MDB_val& key, const MDB_val& value)>& each) const {
        MDB_cursor* cursor = nullptr;
        is_there(mdb_cursor_open(txn_.get(), table, &cursor));
        const std::unique_ptr<MDB_cursor, void (*)(MDB_cursor*)> closed(cursor, mdb_cursor_close);
        MDB_stat stat{};
        is_there(mdb_stat(txn_.get(), table, &stat));
        std::size_t found = 0;
        std::string last;
        MDB_val key{}, value{};
        for (bool more = is_there(mdb_cursor_get(cursor, &key, &value, MDB_FIRST)); more;
             more = is_there(mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
            std::string now(static_cast<const char*>(key.mv_data), key.mv_size);
            const auto same = get(table, key);
            if (key.mv_size != sizeof(std::uint64_t) || (++found > 1 && now <= last) || !same ||
                same->data() != value.mv_data || same->size() != value.mv_size)
                throw_damaged();
            last = std::move(now);
            each(key, value);
        }
        if (found != stat.ms_entries) throw_damaged();
    }

private:
    struct Close {
        void operator()(MDB_env* env) const { mdb_env_close(env); }
        void operator()(MDB_txn* txn) const { mdb_txn_abort(txn); }
    };
    std::unique_ptr<MDB_env, Close> env_;
    std::unique_ptr<MDB_txn, Close> txn_;
};

std::uint64_t from_big_endian(const MDB_val& key) {
    std::uint64_t value = 0;
    for (std::size_t at = 0; at < key.mv_size; ++at)
        value = value << 8 | static_cast<const unsigned char*>(key.mv_data)[at];
    return value;
}

std::vector<std::filesystem::path> named(const std::filesystem::path& folder, std::error_code& error,
                                         const std::function<bool(std::string_view)>& wanted) {
    std::vector<std::filesystem::path> out;
    std::filesystem::directory_iterator each(folder, error);
    for (; !error && each != std::filesystem::directory_iterator(); each.increment(error))
        if (wanted(each->path().filename().string())) out.push_back(each->path());
    std::sort(out.begin(), out.end());
    return out;
}

template <typename T>
T take(std::string_view& in) {
    T value{};
    std::copy_n(in.data(), sizeof value, reinterpret_cast<char*>(&value));
    in.remove_prefix(sizeof value);
    return value;
}

}  // namespace

tl::expected<std::vector<std::filesystem::path>, std::error_code> earlier_volumes(
    const std::filesystem::path& folder) {
    std::error_code error;
    auto out = named(folder, error, [](std::string_view name) { return name.ends_with(volume_suffix); });
    if (error) return tl::make_unexpected(error);
    return out;
}

tl::expected<bool, std::error_code> earlier_volume_sound(const std::filesystem::path& volume) {
    enum Result : int { sound = 0, damaged = 1, passing = 2 };  // and errno behind them
    const pid_t child = ::fork();
    if (child < 0) return tl::make_unexpected(base::last_error());
    if (child == 0) {
        int result = sound;
        try {
            read_earlier_volume(volume, [](const EarlierMessage&) {});
        } catch (const std::system_error& fault) {
            result = fault.code().category() == category() ? damaged : passing + fault.code().value();
        } catch (...) {
            result = damaged;
        }
        ::_exit(result);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return tl::make_unexpected(base::last_error());
    if (!WIFEXITED(status) || WEXITSTATUS(status) == damaged) return false;
    if (WEXITSTATUS(status) == sound) return true;
    return tl::make_unexpected(std::error_code(WEXITSTATUS(status) - passing, std::generic_category()));
}

std::size_t read_earlier_volume(const std::filesystem::path& file,
                                const std::function<void(EarlierMessage)>& each) {
    const Volume volume(file);
    const auto messages = volume.table("message"), contents = volume.table("content"),
               progress = volume.table("progress"), fresh = volume.table("fresh");
    // What they have not would not be missed otherwise.
    for (const MDB_dbi table : {contents, progress, fresh})
        volume.walk(table, [](const auto&, const auto&) {});
    std::size_t unreadable = 0;
    volume.walk(messages, [&](const MDB_val& key, const MDB_val& value) {
        const MessageId id{from_big_endian(key)};
        auto message = decode_message(id, {static_cast<const char*>(value.mv_data), value.mv_size});
        const auto became = volume.get(progress, key);
        auto decoded = became ? decode_progress(*became) : std::nullopt;
        const auto octets = volume.get(contents, key);
        if (!message || (became && !decoded) || (!octets && message->content.file.empty())) {
            ++unreadable;
            return;
        }
        // That it does not match its checksum is found out when it is wanted.
        if (octets) message->content.bytes = std::make_shared<const std::string>(*octets);
        each({std::move(*message), std::move(decoded), volume.get(fresh, key).has_value()});
    });
    return unreadable;
}

tl::expected<EarlierDeliveries, std::error_code> earlier_deliveries(const std::filesystem::path& folder) {
    EarlierDeliveries out;
    std::error_code error;
    for (const auto& file :
         named(folder, error, [](std::string_view name) { return name.starts_with(settled_prefix); })) {
        const auto all = base::read_file(file, settled_max);
        if (!all) return tl::make_unexpected(all.error());
        std::string_view rest = *all;
        while (rest.size() >= 14) {
            const std::string_view record = rest;
            const MessageId id{take<std::uint64_t>(rest)};
            const auto count = take<std::uint16_t>(rest);
            const std::size_t body = count * sizeof(std::uint16_t);
            if (rest.size() < body + 4) break;
            std::set<std::uint16_t> recipients;
            for (unsigned at = 0; at < count; ++at) recipients.insert(take<std::uint16_t>(rest));
            if (take<std::uint32_t>(rest) != checksum(record.substr(0, 10 + body))) break;
            out[id].merge(recipients);
        }
    }
    if (error) return tl::make_unexpected(error);
    return out;
}

void remove_earlier_remains(const std::filesystem::path& folder) {
    std::error_code ignored;
    for (const auto& file : named(folder, ignored, [](std::string_view name) {
             return name.starts_with(settled_prefix) || name == reserve ||
                    name.ends_with(std::string(volume_suffix) + "-lock");
         }))
        std::filesystem::remove(file, ignored);
}

}  // namespace postern::relay
