// Which keys there are, and for which domain: a folder with one folder for each domain, in which each file is
// one key, named after its selector.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "relay/signing/dkim_key.h"

namespace postern::relay {

/// One key of a domain.
struct DomainKey {
    std::string domain, selector;
    DkimKey key;
    std::filesystem::path file;

    std::string name() const { return selector + "._domainkey." + domain; }  // of its TXT record
};

/// Immutable; any thread.
class Keyring {
public:
    using Keys = std::vector<DomainKey>;

    Keyring() = default;
    explicit Keyring(Keys keys);

    bool empty() const { return domains_.empty(); }
    /// Of this domain, or else of the nearest one that it is in; null when there are none.
    const Keys* of(std::string_view domain) const;
    /// All, by domain.
    std::vector<const DomainKey*> all() const;

    /// What is wrong with one file or folder, in words.
    struct Fault {
        std::filesystem::path file;
        std::string text;
    };
    struct Read;
    /// FOLDER/DOMAIN/SELECTOR.pem; names that begin with a dot, and what ends otherwise, are passed over.
    /// Where there is no such folder there are none. Reads files, and may wait for a disk.
    static Read read(const std::filesystem::path& folder);

private:
    std::map<std::string, Keys, std::less<>> domains_;
};

struct Keyring::Read {
    Keys keys;
    std::vector<Fault> faults;
};

/// Where the key is kept.
std::filesystem::path key_file(const std::filesystem::path& folder, std::string_view domain,
                               std::string_view selector);
/// Whether a text can be a selector: labels of a domain name.
bool is_selector(std::string_view text);

/// The keys of a folder. Throws std::runtime_error in words when any of it cannot be used.
std::shared_ptr<const Keyring> load_keyring(const std::filesystem::path& folder);

}  // namespace postern::relay
