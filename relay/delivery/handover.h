// One job over one connection: its form, its transaction, and what comes of each recipient.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "relay/delivery/client.h"
#include "relay/delivery/signing.h"
#include "relay/delivery/site.h"
#include "relay/delivery/sorting.h"
#include "relay/delivery/workplace.h"
#include "relay/net/asio.h"
#include "relay/queue/queue.h"

namespace postern::relay {

/// Recipients that one host deferred while there are others to ask at once (RFC 5321 §5.1).
struct SecondOpinion {
    Job job;
    std::vector<Outcome> outcomes;  // the first host's, which hold if no other can be asked
    net::Endpoint asked;
};

/// What a handover leaves to the connection.
struct TransactionEnd {
    bool usable = true;  // the connection can carry more
    std::optional<SecondOpinion> open;
    std::optional<Job> again;  // by a fresh connection, at once: this one was not fit for it
};

/// Lives while its run() does. Every recipient of the job is settled, given back, put in a line again, or in
/// what run() gives: none twice, and none is left, also when something is thrown.
class Handover {
public:
    /// `last_word`: no further host or connection is asked about what this one defers.
    Handover(Workplace& at, SitePtr site, SourceQueue& from, Client& client, Job job, bool last_word)
        : at_(at),
          site_(std::move(site)),
          from_(from),
          client_(client),
          job_(std::move(job)),
          last_word_(last_word) {}

    net::awaitable<TransactionEnd> run();

private:
    net::awaitable<TransactionEnd> carry();
    /// Settles at once whom the host cannot take this message for; what is left of the job fits it in the
    /// form it gives. Null when nothing is left, or it cannot be read now.
    net::awaitable<FormPtr> fit();
    /// False when it cannot be read now.
    net::awaitable<bool> sign(FormPtr form, Formless& why);
    bool to_screening() const;
    bool demands_more() const;
    bool refuse_addresses();  // false when no recipient is left
    Message fitted(const Form& form) const;
    /// After the transaction: who said what, and what follows from it.
    TransactionEnd distribute(const Transaction& transaction, Time begun);
    Results attribute(const Transaction& transaction) const;
    std::optional<SecondOpinion> send_on(Results& results, bool others);
    bool another_address();
    void accepted();
    void learn_tls(const Transaction& transaction);
    /// After a session that ended at MAIL without a word: true when that may be a policy against the sender,
    /// and says nothing of the site yet.
    bool cut_off(const Outcome& why);
    void turn_away();
    void refuse(const Job& job, const std::vector<Reply>& replies);
    void refuse_all(const Reply& why);
    void cannot_read(const ContentFault& fault);
    /// The recipients that are marked, out of the job and of its results; nullopt for none.
    std::optional<Job> take_out(Results& results, const std::vector<bool>& apart);

    Workplace& at_;
    SitePtr site_;
    SourceQueue& from_;
    Client& client_;
    Job job_;
    bool last_word_;
    SignaturesPtr signatures_;                // in front of what goes out
    std::map<std::uint16_t, Outcome> taken_;  // what the host has, whatever goes wrong behind that
};

}  // namespace postern::relay
