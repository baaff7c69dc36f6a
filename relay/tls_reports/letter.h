// A report about TLS as a mail (RFC 8460 §5.3).
#pragma once

#include <string>
#include <vector>

#include "relay/mail/address.h"
#include "relay/mail/message.h"
#include "relay/tls_reports/document.h"

namespace postern::relay {

/// With an envelope of its own. From the sender's address, not from nobody: who reads reports never writes,
/// so that a mailbox for them may take nothing that looks like a bounce. NOTIFY=NEVER: that it could not be
/// delivered is told to nobody. It goes whatever is wrong with the readers' TLS, for that is what it is about
/// (RFC 8460 §5.3, RFC 8689 §5).
Message make_letter(const std::string& hostname, const Address& from, const std::vector<Address>& readers,
                    const std::string& domain, const TlsPeriod& period, const ReportSender& sender,
                    MessageId id, Time now);

}  // namespace postern::relay
