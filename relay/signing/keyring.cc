#include "relay/signing/keyring.h"

#include <algorithm>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "sync/base/ascii.h"
#include "sync/base/domain_name.h"
#include "sync/base/file.h"
#include "sync/base/file_fault.h"

namespace postern::relay {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view ending = ".pem";
constexpr std::size_t file_size_max = 32 << 10, keys_max = 100'000, selector_max = 63;

/// What is in a folder, sorted, without what is hidden.
std::vector<fs::path> entries(const fs::path& folder, std::vector<Keyring::Fault>& faults) {
    std::error_code error;
    std::vector<fs::path> out;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
        if (!at->path().filename().string().starts_with('.')) out.push_back(at->path());
    if (error) faults.push_back({folder, base::file_fault(folder, error, base::FileUse::read)});
    std::sort(out.begin(), out.end());
    return out;
}

void read_key(const fs::path& file, const std::string& domain, Keyring::Read& out) {
    const std::string name = file.filename().string();
    const std::string selector = base::lower(name.substr(0, name.size() - ending.size()));
    const auto fault = [&](std::string text) { out.faults.push_back({file, std::move(text)}); };
    if (!is_selector(selector))
        return fault("\"" + file.string() + "\" is not named after a selector, as \"mail2026.pem\"");
    auto text = base::read_file(file, file_size_max);
    if (!text) return fault(base::file_fault(file, text.error(), base::FileUse::read));
    const base::Secret pem(std::move(*text));
    auto key = DkimKey::parse(pem.text());
    if (!key) return fault("\"" + file.string() + "\" " + key.error());
    if (const auto other = std::find_if(
            out.keys.begin(), out.keys.end(),
            [&](const DomainKey& one) { return one.domain == domain && one.selector == selector; });
        other != out.keys.end())
        return fault("\"" + file.string() + "\" has the selector of \"" + other->file.string() + "\"");
    out.keys.push_back({domain, selector, std::move(*key), file});
}

}  // namespace

Keyring::Keyring(Keys keys) {
    for (auto& one : keys) domains_[one.domain].push_back(std::move(one));
}

const Keyring::Keys* Keyring::of(std::string_view domain) const {
    while (!domain.empty()) {
        if (const auto found = domains_.find(domain); found != domains_.end()) return &found->second;
        const std::size_t dot = domain.find('.');
        if (dot == std::string_view::npos) break;
        domain.remove_prefix(dot + 1);
    }
    return nullptr;
}

std::vector<const DomainKey*> Keyring::all() const {
    std::vector<const DomainKey*> out;
    for (const auto& [domain, keys] : domains_)
        for (const auto& one : keys) out.push_back(&one);
    return out;
}

Keyring::Read Keyring::read(const fs::path& folder) {
    Read out;
    std::error_code none;
    if (folder.empty() || fs::status(folder, none).type() == fs::file_type::not_found) return out;
    for (const auto& one : entries(folder, out.faults)) {
        std::error_code error;
        if (!fs::is_directory(one, error)) continue;
        const auto domain = base::DomainName::parse(one.filename().string());
        if (!domain) {
            out.faults.push_back(
                {one, "\"" + one.string() + "\" is not named after a domain: " + domain.error()});
            continue;
        }
        for (const auto& file : entries(one, out.faults)) {
            if (out.keys.size() == keys_max) {
                out.faults.push_back({folder, "\"" + folder.string() + "\" has more than " +
                                                  std::to_string(keys_max) + " keys"});
                return out;
            }
            if (file.filename().string().ends_with(ending)) read_key(file, domain->text(), out);
        }
    }
    return out;
}

fs::path key_file(const fs::path& folder, std::string_view domain, std::string_view selector) {
    return folder / domain / (std::string(selector) + std::string(ending));
}

bool is_selector(std::string_view text) { return text.size() <= selector_max && base::is_host_name(text); }

std::shared_ptr<const Keyring> load_keyring(const fs::path& folder) {
    auto read = Keyring::read(folder);
    if (!read.faults.empty()) throw std::runtime_error("dkim.keys: " + read.faults.front().text);
    return std::make_shared<const Keyring>(std::move(read.keys));
}

}  // namespace postern::relay
