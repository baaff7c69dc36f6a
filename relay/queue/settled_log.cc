#include "relay/queue/settled_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

#include "relay/queue/record.h"

namespace postern::relay {

namespace {

constexpr std::size_t file_max = 1 << 20;
constexpr std::string_view prefix = "settled.";

std::vector<std::filesystem::path> files(const std::filesystem::path& dir) {
    std::vector<std::filesystem::path> out;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(dir, ignored))
        if (entry.path().filename().string().starts_with(prefix)) out.push_back(entry.path());
    std::sort(out.begin(), out.end());
    return out;
}

template <typename T>
void append(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
T take(std::string_view& in) {
    T value{};
    std::copy_n(in.data(), sizeof value, reinterpret_cast<char*>(&value));
    in.remove_prefix(sizeof value);
    return value;
}

}  // namespace

SettledLog::Delivered SettledLog::read(const std::filesystem::path& dir) {
    Delivered out;
    for (const auto& file : files(dir)) {
        std::ifstream in(file, std::ios::binary);
        std::string all((std::istreambuf_iterator<char>(in)), {});
        std::string_view rest = all;
        while (rest.size() >= 14) {
            std::string_view record = rest;
            MessageId id{take<std::uint64_t>(rest)};
            auto count = take<std::uint16_t>(rest);
            std::size_t body = count * sizeof(std::uint16_t);
            if (rest.size() < body + 4) break;
            std::set<std::uint16_t> recipients;
            for (unsigned at = 0; at < count; ++at) recipients.insert(take<std::uint16_t>(rest));
            if (take<std::uint32_t>(rest) != checksum(record.substr(0, 10 + body))) break;
            out[id].merge(recipients);
        }
    }
    return out;
}

void SettledLog::clear(const std::filesystem::path& dir) {
    std::error_code ignored;
    for (const auto& file : files(dir)) std::filesystem::remove(file, ignored);
}

SettledLog::SettledLog(std::filesystem::path dir) : dir_(std::move(dir)) { open_next(); }

SettledLog::~SettledLog() {
    if (fd_ >= 0) ::close(fd_);
}

void SettledLog::open_next() {
    if (fd_ >= 0) ::close(fd_);
    files_.push_back(File{dir_ / (std::string(prefix) + std::to_string(dropped_ + files_.size()))});
    fd_ = ::open(files_.back().path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    // Its space is taken beforehand: what was delivered must be written down on a full disk too.
    if (fd_ >= 0) [[maybe_unused]]
        int ignored = ::fallocate(fd_, FALLOC_FL_KEEP_SIZE, 0, file_max);
    size_ = 0;
}

bool SettledLog::note(MessageId id, const std::vector<std::uint16_t>& recipients) {
    std::string record;
    append(record, id.value);
    append(record, static_cast<std::uint16_t>(recipients.size()));
    for (auto recipient : recipients) append(record, recipient);
    append(record, checksum(record));
    if (noted_[id.value].insert(dropped_ + files_.size() - 1).second) ++files_.back().open;
    bool written =
        fd_ >= 0 && ::write(fd_, record.data(), record.size()) == static_cast<ssize_t>(record.size());
    if (written) size_ += record.size();
    if (size_ >= file_max / 2) open_next();
    return written;
}

void SettledLog::recorded(MessageId id, std::uint64_t change) {
    auto noted = noted_.find(id.value);
    if (noted == noted_.end()) return;
    for (std::uint64_t number : noted->second) {
        File& file = files_[number - dropped_];
        --file.open;
        file.last_change = change;
    }
    noted_.erase(noted);
}

void SettledLog::committed(std::uint64_t change) {
    std::error_code ignored;
    while (files_.size() > 1 && files_.front().open == 0 && files_.front().last_change <= change) {
        std::filesystem::remove(files_.front().path, ignored);
        files_.pop_front();
        ++dropped_;
    }
}

}  // namespace postern::relay
