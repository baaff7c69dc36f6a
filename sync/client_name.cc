#include "sync/client_name.h"

#include <stdexcept>
#include <string_view>
#include <system_error>

#include "sync/base/encoding.h"
#include "sync/base/file_fault.h"
#include "sync/base/kept_file.h"
#include "sync/base/random.h"

namespace postern::sync {

namespace {

constexpr std::string_view prefix = "postern-";
constexpr std::size_t length = prefix.size() + 32;
constexpr std::size_t largest_file = 4096;  // that should have one

}  // namespace

std::string random_client_name() { return std::string(prefix) + base::hex(base::random_octets(16)); }

std::string obtain_client_name(base::Disk& disk, const std::filesystem::path& file) {
    const auto refuse = [&file](const std::error_code& error) {
        throw std::runtime_error("state_dir: cannot use " + base::file_fault(file, error));
    };
    const auto text = base::obtain_file(disk, file, largest_file, [] { return random_client_name() + '\n'; });
    if (!text) refuse(text.error());
    std::string name = text->substr(0, text->find('\n'));
    if (name.size() == length) return name;
    name = random_client_name();
    if (const auto error = base::replace_file(disk, file, name + '\n')) refuse(error);
    return name;
}

}  // namespace postern::sync
