// A message's content while it comes in: in memory, and in a file of its own when it is large.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "relay/queue/content.h"
#include "relay/reception/data_reader.h"
#include "relay/reception/session_memory.h"
#include "sync/base/disk.h"

namespace postern::relay {

/// Does no I/O itself: what it holds is written by whoever takes a Piece of it, where waiting for a disk
/// holds up nobody. Until that has been told by written() nothing is fed, so that a client is read no faster
/// than the disk takes what it sends.
class Incoming {
public:
    /// `disk` outlives it, and what is taken of it.
    Incoming(base::Disk& disk, std::filesystem::path file, std::shared_ptr<SessionMemory> memory)
        : disk_(disk), file_(std::move(file)), share_(std::move(memory)) {}

    /// Gives how many octets were used: see DataReader.
    std::size_t feed(std::string_view octets);
    /// More is held than may be: it is written down before any more is fed.
    bool full();

    /// Part of the content, and the writing of it.
    struct Piece {
        std::shared_ptr<ContentWriter> writer;
        std::shared_ptr<const std::string> octets;
        std::error_code operator()() const;
    };
    Piece piece();
    void written(std::error_code error);

    /// Nothing of it is kept, and what still comes is only read. Gives what is to be discarded, if anything
    /// is.
    std::shared_ptr<ContentWriter> forget();

    const DataReader& reader() const { return reader_; }
    std::uint64_t received() const { return received_; }     // octets on the wire
    const std::error_code& error() const { return error_; }  // of the file
    bool in_file() const { return writer_ != nullptr || error_; }

    // When it is complete.
    ContentWriter& writer() { return *writer_; }
    std::string take_octets();  // of one without a file

    // Of its header; what had to be written down in front of a very long end of it is not seen.
    struct Header {
        std::size_t hops = 0;
        bool tls_optional = false;
        bool missing = false;  // it begins with a blank, which would continue a header field in front of it
        std::string message_id, subject;
        std::optional<std::string> screening, journal;  // our own marks (marks.h), as they claim to be
    };
    const Header& header();
    /// Without the marks of a screening gateway, which are taken out: they are ours, or forged.
    std::uint64_t size() const { return reader_.size() - stripped_; }

private:
    base::Disk& disk_;
    std::filesystem::path file_;
    SessionMemory::Share share_;
    DataReader reader_;
    std::string held_;                      // not yet written
    std::shared_ptr<std::string> writing_;  // what a Piece has of it
    std::uint64_t received_ = 0;
    std::shared_ptr<ContentWriter> writer_;
    std::error_code error_;
    bool forgotten_ = false;
    std::optional<Header> header_;  // once looked at
    std::uint64_t stripped_ = 0;
};

}  // namespace postern::relay
