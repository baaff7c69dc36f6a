// A temporary folder that goes with its object.
#pragma once

#include <fcntl.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sync/base/disk.h"
#include "sync/base/file.h"

namespace postern::tests {

class Folder {
public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "postern-relay-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
        path_ = name;
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// What `octets` were written to a new file through.
inline base::DiskFilePtr written(const std::filesystem::path& file, std::string_view octets) {
    auto out = base::open_file(file, O_WRONLY | O_CREAT | O_EXCL);
    if (!out || base::write_all(out->get(), octets))
        throw std::runtime_error("cannot write " + file.string());
    return base::disk_file(std::move(*out));
}

}  // namespace postern::tests
