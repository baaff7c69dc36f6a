#include "sync/directory/cache.h"

#include <openssl/sha.h>

#include <system_error>
#include <type_traits>

#include "sync/base/file_fault.h"
#include "sync/base/kept_file.h"

namespace postern::sync {

namespace {

constexpr std::string_view magic = "postern directory";
constexpr std::uint32_t version = 2, without_kinds = 1;
constexpr std::size_t start = magic.size() + 4 + 8;  // of the records
constexpr std::size_t largest_file = std::size_t{2} << 30;

std::string digest(std::string_view bytes) {
    std::string sum(SHA256_DIGEST_LENGTH, '\0');
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
           reinterpret_cast<unsigned char*>(sum.data()));
    return sum;
}

class Writer {
public:
    template <class Integer>
        requires std::is_unsigned_v<Integer>
    void number(Integer value) {
        for (std::size_t i = 0; i < sizeof value; ++i) out += static_cast<char>((value >> (8 * i)) & 0xff);
    }
    void time(Time value) {
        number(static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::seconds>(value.time_since_epoch()).count()));
    }
    void text(std::string_view value) {
        number(static_cast<std::uint32_t>(value.size()));
        out += value;
    }
    void part(const Part<AddressList>& part) {
        time(part.read);
        text(part.content.packed());
    }

    std::string out;
};

/// Reads what Writer wrote. After the first thing that does not fit `good` is false and all values are empty.
class Reader {
public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    template <class Integer>
    Integer number() {
        const std::string_view bytes = take(sizeof(Integer));
        Integer value = 0;
        for (std::size_t i = 0; i < bytes.size(); ++i)
            value = static_cast<Integer>(value | static_cast<Integer>(static_cast<unsigned char>(bytes[i]))
                                                     << (8 * i));
        return value;
    }
    Time time() {
        const auto seconds = number<std::uint64_t>();
        if (seconds >> 33 != 0) good_ = false;  // the clock counts nanoseconds: to the year 2242
        return good_ ? Time(std::chrono::seconds(seconds)) : Time{};
    }
    std::string text() { return std::string(take(number<std::uint32_t>())); }
    bool flag() {
        const auto value = number<std::uint8_t>();
        if (value > 1) good_ = false;
        return value == 1;
    }
    Part<AddressList> part() {
        Part<AddressList> part;
        part.read = time();
        std::optional<AddressList> list = AddressList::unpack(take(number<std::uint32_t>()));
        if (list) part.content = std::move(*list);
        good_ = good_ && list.has_value();
        return part;
    }
    /// A count of things that take at least one octet each, so that a false one cannot make us allocate.
    std::size_t count() {
        const auto value = number<std::uint32_t>();
        if (value > rest_.size()) good_ = false;
        return good_ ? value : 0;
    }
    bool good() const { return good_; }
    bool at_end() const { return good_ && rest_.empty(); }

private:
    std::string_view take(std::size_t size) {
        if (size > rest_.size()) good_ = false;
        if (!good_) return {};
        const std::string_view taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }

    std::string_view rest_;
    bool good_ = true;
};

void write(Writer& out, const std::string& name, const DomainRecord& record) {
    out.text(name);
    out.text(record.spelling);
    out.number(static_cast<std::uint8_t>(record.enabled));
    out.time(record.listed);
    out.time(record.options.read);
    out.text(record.options.content.catch_all);
    out.text(record.options.content.list_command);
    for (const Part<AddressList>* part : {&record.users, &record.aliases, &record.lists, &record.resources})
        out.part(*part);
    out.time(record.domain_aliases.read);
    out.number(static_cast<std::uint32_t>(record.domain_aliases.content.size()));
    for (const std::string& alias : record.domain_aliases.content) out.text(alias);
    out.text(record.error);
    out.time(record.error_at);
}

DomainRecord read_domain(Reader& in) {
    DomainRecord record;
    record.spelling = in.text();
    record.enabled = in.flag();
    record.listed = in.time();
    record.options.read = in.time();
    record.options.content.catch_all = in.text();
    record.options.content.list_command = in.text();
    for (Part<AddressList>* part : {&record.users, &record.aliases, &record.lists, &record.resources})
        *part = in.part();
    record.domain_aliases.read = in.time();
    std::vector<std::string> aliases;
    for (std::size_t left = in.count(); left > 0 && in.good(); --left) aliases.push_back(in.text());
    record.domain_aliases.content = std::move(aliases);
    record.error = in.text();
    record.error_at = in.time();
    return record;
}

}  // namespace

std::string encode(std::span<const PrimaryRecord> directory) {
    Writer records;
    records.number(static_cast<std::uint32_t>(directory.size()));
    for (const PrimaryRecord& primary : directory) {
        records.text(primary.name);
        records.time(primary.listed);
        records.number(static_cast<std::uint8_t>(primary.lists));
        records.number(static_cast<std::uint32_t>(primary.domains.size()));
        for (const auto& [name, record] : primary.domains) write(records, name, record);
    }
    Writer file;
    file.out = magic;
    file.number(version);
    file.number(static_cast<std::uint64_t>(records.out.size()));
    file.out += records.out;
    file.out += digest(file.out);
    return std::move(file.out);
}

tl::expected<Directory, std::string> decode(std::string_view content) {
    const auto damaged = [](std::string why) { return tl::make_unexpected(std::move(why)); };
    if (content.size() < start + SHA256_DIGEST_LENGTH) return damaged("it is cut short");
    if (!content.starts_with(magic)) return damaged("it is not a directory file");
    Reader head(content.substr(magic.size()));
    const auto found = head.number<std::uint32_t>();
    if (found != version && found != without_kinds)
        return damaged("it has version " + std::to_string(found) + ", not " + std::to_string(version));
    if (head.number<std::uint64_t>() != content.size() - start - SHA256_DIGEST_LENGTH)
        return damaged("its length is wrong");
    const std::string_view body = content.substr(0, content.size() - SHA256_DIGEST_LENGTH);
    if (digest(body) != content.substr(body.size())) return damaged("its checksum is wrong");

    Reader in(body.substr(start));
    Directory directory;
    for (std::size_t primaries = in.count(); primaries > 0 && in.good(); --primaries) {
        PrimaryRecord primary;
        primary.name = in.text();
        primary.listed = in.time();
        primary.lists = found == without_kinds || in.flag();
        for (std::size_t domains = in.count(); domains > 0 && in.good(); --domains) {
            std::string name = in.text();
            primary.domains.insert_or_assign(std::move(name), read_domain(in));
        }
        directory.push_back(std::move(primary));
    }
    if (!in.at_end()) return damaged("its records do not fit together");
    return directory;
}

tl::expected<Directory, Cache::Unusable> Cache::load() const {
    const auto content = base::read_file(disk_, file_, largest_file);
    if (!content && content.error() == std::errc::no_such_file_or_directory) return Directory{};
    if (!content && content.error() != std::errc::file_too_large)
        return tl::make_unexpected(Unusable{base::file_fault(file_, content.error()), false, {}});
    auto directory = content ? decode(*content) : tl::make_unexpected("it is larger than any file of ours");
    if (directory) return std::move(*directory);
    auto aside = base::set_aside_damaged(disk_, file_);
    return tl::make_unexpected(Unusable{directory.error(), true, std::move(aside).value_or("")});
}

tl::expected<void, std::error_code> Cache::save(const Directory& directory) const {
    if (const auto error = base::replace_file(disk_, file_, encode(directory)))
        return tl::make_unexpected(error);
    return {};
}

}  // namespace postern::sync
