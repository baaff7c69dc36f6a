// One volume of the spool: an LMDB environment of bounded size. Only `queue/` knows the engine.
#pragma once

#include <lmdb.h>

#include <array>
#include <compare>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "relay/mail/message.h"
#include "relay/queue/wait_key.h"

namespace postern::relay {

const std::error_category& lmdb_category();
inline std::error_code lmdb_error(int code) {
    // Positive codes are the operating system's.
    return code > 0 ? std::error_code(code, std::generic_category()) : std::error_code(code, lmdb_category());
}

inline constexpr std::array<const char*, 5> table_names{"message", "content", "progress", "fresh", "waiting"};

/// Tables: `message` id → record, `content` id → octets, `progress` id → record, `fresh` id (not tried yet),
/// `waiting` (route, due, id). Reads are for any thread and see committed state; writes are for one thread.
/// Reads throw std::system_error when the system or the engine cannot give what they need; otherwise what is
/// not found is not there.
class Volume {
public:
    enum class Table : std::uint8_t { message, content, progress, fresh, waiting };

    /// Opens or creates. `size` is what new mail may fill, in bytes; as much again is left for what becomes
    /// of it. Throws std::system_error.
    Volume(std::filesystem::path file, std::uint32_t number, std::uint64_t size);
    ~Volume();
    Volume(const Volume&) = delete;
    Volume& operator=(const Volume&) = delete;

    /// What is mapped of a file: room for its `size`, and for what becomes of it.
    static std::uint64_t map_size(const std::filesystem::path& file, std::uint64_t size);

    std::uint32_t number() const { return number_; }
    const std::filesystem::path& file() const { return file_; }
    std::uint64_t high_water() const;  // bytes of the file that were ever used
    std::uint64_t messages() const;
    bool known_empty() const;       // false, too, when it cannot be read now
    std::uint64_t waiting() const;  // entries of the waiting table
    void unlink();                  // the file goes when the last reader lets go of the Volume

    // Reading. Nothing read points into the map: no read transaction outlives a call.
    bool has(Table table, MessageId id) const;
    std::optional<std::string> get(Table table, MessageId id) const;
    /// Ids in `message` or `fresh`, greater than `after`, lowest first.
    std::vector<MessageId> ids(Table table, MessageId after, std::size_t limit) const;
    MessageId last_id() const;  // the greatest in `message`, 0 when there is none
    /// Entries of one route due at `until` or before, earliest first, without those that `skip` names.
    std::vector<WaitEntry> due(const RouteKey& route, Time until, std::size_t limit,
                               const std::function<bool(MessageId)>& skip) const;
    /// Each route in `waiting` with its earliest due time; its cost grows with the number of routes only.
    std::vector<WaitKey> routes() const;
    bool waits(const WaitKey& key, MessageId id) const;

    /// One write transaction; ends without effect unless committed. Any error makes the whole transaction
    /// void.
    class Write {
    public:
        explicit Write(Volume& volume);
        ~Write();
        Write(const Write&) = delete;
        Write& operator=(const Write&) = delete;

        void put(Table table, MessageId id, std::string_view value);
        void erase(Table table, MessageId id);
        void wait(const WaitKey& key, MessageId id);
        void unwait(const WaitKey& key, MessageId id);
        /// Durable when this returns no error. Whatever the error, the volume can be used again.
        std::error_code commit();

    private:
        void note(int code);
        bool large_value_intact(MDB_val key);
        Volume& volume_;
        MDB_txn* txn_ = nullptr;
        int error_ = 0;
    };

private:
    class Read;
    std::uint64_t entries(Table table) const;
    MDB_dbi dbi(Table table) const { return dbi_[static_cast<std::size_t>(table)]; }
    std::error_code open();
    void close();
    std::error_code reopen_if_given_up();

    std::filesystem::path file_;
    std::uint32_t number_;
    std::uint64_t size_;
    mutable std::shared_mutex opening_;  // held by whoever reads, against its being opened anew
    MDB_env* env_ = nullptr;             // null after it could not be opened anew
    std::error_code closed_;             // why
    MDB_dbi dbi_[table_names.size()] = {};
};

}  // namespace postern::relay
