// The copy of a message that an archive gets: a journal report as Microsoft Exchange makes them (MS-XJRNL),
// which has the envelope in its text and the message attached as it came. Pure functions.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "relay/mail/message.h"

namespace postern::relay {

struct JournalOrder {
    Address archive;
    std::string hostname;
    MessageId id;                     // of the report
    std::string mark;                 // Marks::journal() of it
    std::string subject, message_id;  // of the message's header, as they stand there; "" for none
    bool headerless = false;          // it has none: all of it is body
};

/// The report on a message that was just accepted. Its content is the message's own octets, shared where they
/// are in memory; where they are in a file, `file` is a second name of it. The reverse-path is null: no
/// bounce ever comes of it.
Message make_journal_report(const Message& message, const JournalOrder& order, std::filesystem::path file,
                            Time now);

/// The same without the message, of which only the `header` is attached: for an archive that does not take
/// one so large. Its checksum is for whoever stores it to make.
Message without_content(const Message& report, std::string_view header, MessageId id, Time now);

}  // namespace postern::relay
