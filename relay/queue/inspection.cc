#include "relay/queue/inspection.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <string>

#include "relay/queue/volume.h"
#include "sync/base/file.h"

namespace postern::relay {

namespace {

// How the process that looks ends: by one of these, or by errno_base and an errno.
constexpr int found_sound = 0, found_damaged = 1, errno_base = 2;

[[noreturn]] void cannot_tell(int error) { _exit(errno_base + std::min(error, 250)); }

/// Ends the look unless `code` is 0: LMDB's own codes are about the file, the system's are not.
void require(int code) {
    if (code == 0) return;
    if (code > 0) cannot_tell(code);
    _exit(found_damaged);
}

void require_sound(bool sound) {
    if (!sound) _exit(found_damaged);
}

/// LMDB maps as much as the newest of the two first pages says, however much that is. They lie at the
/// beginning of the file: a page header, then magic, version, address, map size, two tables of 48 octets
/// (the first one's begin is the page size), the last page, the transaction.
void check_meta_pages(const std::filesystem::path& file, std::uint64_t map_size) {
    constexpr std::uint32_t magic = 0xBEEFC0DE;
    constexpr std::size_t header = 16, page_size_at = 40, last_page_at = 136, octets = 152;
    const auto opened = base::open_file(file, O_RDONLY);
    if (!opened) cannot_tell(opened.error().value());
    std::uint32_t page_size = 0;
    for (off_t at : {off_t{0}, off_t{1}}) {
        std::array<char, octets> meta{};
        ssize_t got = ::pread(opened->get(), meta.data(), meta.size(), at * page_size);
        if (got < 0) cannot_tell(errno);
        std::uint32_t found = 0;
        std::uint64_t last = 0;
        std::memcpy(&found, meta.data() + header, sizeof found);
        if (at == 0) std::memcpy(&page_size, meta.data() + page_size_at, sizeof page_size);
        std::memcpy(&last, meta.data() + last_page_at, sizeof last);
        // A second one that is unsound is not used.
        if (got < static_cast<ssize_t>(meta.size()) || found != magic) {
            require_sound(at != 0);
            continue;
        }
        require_sound(page_size >= 512 && page_size <= 65536 && last <= map_size / page_size);
    }
}

constexpr std::size_t page_header = 16;

/// The two octets at `at`, of a page or of a node in it.
std::size_t number_at(const char* begin, std::size_t at) {
    std::uint16_t out = 0;
    std::memcpy(&out, begin + at, sizeof out);
    return out;
}

/// Where a table's pages begin, as its record says: its depth at 6, its root at 40.
struct Tree {
    std::uint64_t root = 0;
    std::size_t depth = 0;  // 0: it is empty; 1: the root is a leaf

    explicit Tree(const char* record) : depth(number_at(record, 6)) {
        std::memcpy(&root, record + 40, sizeof root);
    }
};

/// The branch pages of a tree, `levels` of them above the leaves. A page with a flag too many is changed by
/// LMDB in memory and then not written, so that whoever follows it reads behind the end of the file.
bool branches_intact(const char* map, std::size_t page_size, std::uint64_t page, std::uint64_t last_page,
                     std::size_t levels) {
    constexpr std::size_t branch = 0x01, node_header = 8;
    if (levels == 0) return true;
    if (page < 2 || page > last_page) return false;
    const char* begin = map + page * page_size;
    std::uint64_t own = 0;
    std::memcpy(&own, begin, sizeof own);
    const std::size_t lower = number_at(begin, 12);
    if (own != page || number_at(begin, 10) != branch || lower < page_header || lower > page_size)
        return false;
    for (std::size_t at = page_header; at < lower; at += 2) {
        const std::size_t node = number_at(begin, at);
        if (node < lower || node + node_header > page_size) return false;
        const std::uint64_t child = number_at(begin, node) | std::uint64_t{number_at(begin, node + 2)} << 16 |
                                    std::uint64_t{number_at(begin, node + 4)} << 32;
        if (!branches_intact(map, page_size, child, last_page, levels - 1)) return false;
    }
    return true;
}

/// Whether the nodes of the leaf page that `inside` points into lie within it. LMDB moves them by these
/// numbers when it deletes one, without looking.
bool leaf_intact(const void* inside, std::size_t page_size) {
    constexpr std::size_t header = page_header, node_header = 8, leaf = 0x02;
    constexpr unsigned on_pages_of_its_own = 1;
    const char* page =
        static_cast<const char*>(inside) - reinterpret_cast<std::uintptr_t>(inside) % page_size;
    auto number = [page](std::size_t at) { return number_at(page, at); };
    if (number(10) != leaf) return false;  // as with branches
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

/// The list of free pages, which a write transaction trusts: each record counts itself and names pages of the
/// file.
void walk_free_pages(MDB_txn* txn, std::size_t last_page, std::size_t page_size) {
    constexpr MDB_dbi free_pages = 0;
    MDB_cursor* cursor = nullptr;
    require(mdb_cursor_open(txn, free_pages, &cursor));
    MDB_val key{}, value{};
    int error = 0;
    while ((error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        std::size_t count = 0;
        require_sound(key.mv_size == sizeof count && value.mv_size >= sizeof count &&
                      leaf_intact(key.mv_data, page_size));
        std::memcpy(&count, value.mv_data, sizeof count);
        require_sound(count <= value.mv_size / sizeof count - 1);
        for (std::size_t at = 1; at <= count; ++at) {
            std::size_t page = 0;
            std::memcpy(&page, static_cast<const char*>(value.mv_data) + at * sizeof page, sizeof page);
            require_sound(page >= 2 && page <= last_page);
        }
    }
    if (error != MDB_NOTFOUND) require(error);
}

/// Every leaf of one table. `end` is where the file ends; `begin`, where it is mapped, is found by the first.
void walk_table(MDB_txn* txn, MDB_dbi table, std::uintptr_t end, std::uintptr_t& begin) {
    MDB_cursor* cursor = nullptr;
    require(mdb_cursor_open(txn, table, &cursor));
    MDB_stat stat{};
    require(mdb_stat(txn, table, &stat));
    MDB_val key{}, value{};
    std::size_t seen = 0;
    std::uintptr_t walked = 0;
    int error = 0;
    while ((error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        ++seen;
        auto page = reinterpret_cast<std::uintptr_t>(key.mv_data) / stat.ms_psize * stat.ms_psize;
        if (page != walked) {
            std::uint64_t number = 0;  // each page begins with it
            std::memcpy(&number, reinterpret_cast<const void*>(page), sizeof number);
            std::uintptr_t mapped = page - number * stat.ms_psize;
            begin = begin == 0 ? mapped : begin;
            require_sound(mapped == begin && leaf_intact(key.mv_data, stat.ms_psize));
        }
        require_sound(reinterpret_cast<std::uintptr_t>(value.mv_data) - begin + value.mv_size <= end);
        walked = page;
    }
    if (error != MDB_NOTFOUND) require(error);
    require_sound(seen == stat.ms_entries);
}

/// As a process of its own: a crash is an answer too.
[[noreturn]] void look(const std::filesystem::path& file, std::uint64_t size) {
    std::error_code failed;
    std::uintptr_t end = std::filesystem::file_size(file, failed), begin = 0;
    if (failed) cannot_tell(failed.value());
    if (end == 0) _exit(found_sound);  // stopped when it was made
    std::uint64_t map_size = Volume::map_size(file, size);
    check_meta_pages(file, map_size);
    MDB_env* env = nullptr;
    require(mdb_env_create(&env));
    require(mdb_env_set_maxdbs(env, table_names.size()));
    require(mdb_env_set_mapsize(env, map_size));
    require(mdb_env_open(env, file.c_str(), MDB_NOSUBDIR | MDB_RDONLY | MDB_NOTLS | MDB_NOLOCK, 0600));
    MDB_txn* txn = nullptr;
    require(mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn));
    // Pages behind the end of a file that was cut short could be mapped, but not touched. That the file is
    // shorter than its last page number says proves nothing: pages that are taken and given back in one
    // transaction are not written.
    MDB_envinfo info{};
    require(mdb_env_info(env, &info));
    MDB_stat sizes{};
    require(mdb_env_stat(env, &sizes));
    walk_free_pages(txn, info.me_last_pgno, sizes.ms_psize);
    // All tables are made by one transaction, and named in a table of their own.
    MDB_dbi tables = 0;
    require(mdb_dbi_open(txn, nullptr, 0, &tables));
    walk_table(txn, tables, end, begin);
    MDB_stat named{};
    require(mdb_stat(txn, tables, &named));
    require_sound(named.ms_entries == 0 || named.ms_entries == table_names.size());
    auto require_branches = [&](const char* record) {
        constexpr std::size_t deepest = 32;  // LMDB's own bound
        const Tree tree(record);
        require_sound(tree.depth <= deepest &&
                      (tree.depth < 2 || branches_intact(reinterpret_cast<const char*>(begin), named.ms_psize,
                                                         tree.root, info.me_last_pgno, tree.depth - 1)));
    };
    if (named.ms_entries > 0) {
        for (const char* name : table_names) {
            MDB_dbi table = 0;
            require(mdb_dbi_open(txn, name, 0, &table));
            walk_table(txn, table, end, begin);
            MDB_val key{std::strlen(name), const_cast<char*>(name)}, record{};
            require(mdb_get(txn, tables, &key, &record));
            require_branches(static_cast<const char*>(record.mv_data));
        }
        // The trees of the free pages and of the tables are in the newer of the two first pages.
        const char* meta = reinterpret_cast<const char*>(begin) + info.me_last_txnid % 2 * named.ms_psize;
        for (std::size_t at : {std::size_t{40}, std::size_t{88}}) require_branches(meta + at);
    }
    mdb_txn_abort(txn);
    mdb_env_close(env);

    // As Volume opens it, without committing anything.
    require(mdb_env_create(&env));
    require(mdb_env_set_maxdbs(env, table_names.size()));
    require(mdb_env_set_mapsize(env, map_size));
    require(mdb_env_open(env, file.c_str(), MDB_NOSUBDIR | MDB_NOTLS | MDB_NOLOCK, 0600));
    require(mdb_txn_begin(env, nullptr, 0, &txn));
    for (const char* name : table_names) {
        MDB_dbi table = 0;
        require(mdb_dbi_open(txn, name, MDB_CREATE, &table));
    }
    _exit(found_sound);
}

/// What a read of the whole file says: a page that the disk cannot give ends whoever touches it in the map
/// with a signal, as one that is not there does.
std::error_code read_through(const std::filesystem::path& file) {
    const auto opened = base::open_file(file, O_RDONLY);
    if (!opened) return opened.error();
    std::string part(1 << 20, '\0');
    ssize_t got = 0;
    while ((got = ::read(opened->get(), part.data(), part.size())) > 0) {
    }
    return got < 0 ? base::last_error() : std::error_code();
}

}  // namespace

tl::expected<Soundness, std::error_code> inspect_volume(const std::filesystem::path& file,
                                                        std::uint64_t size) {
    auto unknown = [](int error) { return tl::unexpected(std::error_code(error, std::generic_category())); };
    pid_t child = fork();
    if (child == 0) look(file, size);
    if (child < 0) return unknown(errno);
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return unknown(errno);
    if (WIFEXITED(status)) {
        int code = WEXITSTATUS(status);
        if (code >= errno_base) return unknown(code - errno_base);
        return code == found_sound ? Soundness::sound : Soundness::damaged;
    }
    switch (WTERMSIG(status)) {
        case SIGBUS:
            if (auto error = read_through(file)) return tl::unexpected(error);
            return Soundness::damaged;
        case SIGSEGV:
        case SIGABRT:
        case SIGFPE:
        case SIGILL: return Soundness::damaged;
        default: return unknown(EINTR);  // ended by somebody, or for want of memory
    }
}

}  // namespace postern::relay
