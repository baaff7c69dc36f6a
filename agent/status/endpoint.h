// A page or an action of the gateway as one row: the status endpoint, the command line, the help of both and
// README go by it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/http/answer.h"
#include "agent/status/control.h"
#include "sync/base/clock.h"

namespace postern::agent {

/// By name: what a query says, and what the options of a command say.
using Parameters = std::multimap<std::string, std::string>;

struct Request {
    std::string method, path;  // path decoded, without the query
    Parameters parameters;
    bool authorised = false;  // may change things
    std::string who{};        // asks, for the log: "root", "token"; "" when it is not known
    std::string subject{};    // what stands in the path where the row's has a word in capitals
};

/// A parameter of the query, and what a command takes for it.
struct Parameter {
    enum class Kind : std::uint8_t { text, flag, number, word, duration };
    /// Where a command takes it: as --name; as a word behind the command; as any number of words, a request
    /// for each. What stands in the path is one word or several too. The last is no parameter of the
    /// endpoint: it changes the text a command prints.
    enum class Place : std::uint8_t { option, word, words, path, paths, text_only };

    std::string_view name;   // of one in the path: the word in capitals
    std::string_view value;  // for people: "ADDRESS|DOMAIN"; of Kind::word those there are
    std::string_view help{};
    Kind kind = Kind::text;
    Place place = Place::option;
    bool required = false;
    std::size_t smallest = 0, largest = 0;  // of a number
    std::string_view initial{};             // when it is not given

    bool in_path() const { return place == Place::path || place == Place::paths; }
    bool in_query() const { return !in_path() && place != Place::text_only; }
    /// What is wrong with a value, "" for nothing. An empty one is never taken for none: that would be
    /// "everything" where it chooses messages.
    std::string fault(const std::string& text) const;
};

/// Who may ask. Readers are everybody unless status.reads says otherwise; changes, and readings that cost
/// others something, are for operators: root, the gateway's account, and who shows the token.
enum class Access : std::uint8_t { everybody, readers, operators };

/// The answer to a request. Exceptions of the Control pass through.
using Handler = std::function<Answer(const Control& control, const Request& request)>;

/// The answer as text for a terminal, times told from `now`; may throw nlohmann::json::exception when it has
/// another shape.
using Presenter =
    std::function<std::string(const nlohmann::json& answer, const Parameters& asked, base::Time now)>;
Presenter says(std::string_view text);  // always the same
/// By a field of the answer that is true or false.
Presenter says_whether(std::string_view field, std::string_view yes, std::string_view no);
Presenter shown_by(std::string (*present)(const nlohmann::json&));
Presenter shown_by(std::string (*present)(const nlohmann::json&, base::Time now));

struct Endpoint {
    std::string_view method, path;  // "/v1/gateways/NAME/enable": anything may stand for the word in capitals
    std::string_view words{};       // of the command: "gateway enable"; "" when there is none
    std::string_view help{};        // one line
    Access access = Access::readers;
    std::vector<Parameter> parameters{};
    Handler handle{};
    Presenter present{};  // of the command
    /// What is wrong with the parameters together, "" for nothing.
    std::string (*objection)(const Parameters& asked) = nullptr;
    /// The command's exit code (sysexits.h) for an answer; without it 0. `absent` is that for a 404.
    int (*exit_code)(const nlohmann::json& answer, const Parameters& asked) = nullptr;
    int absent = 65;

    /// What stands in the path for the word in capitals, "" when there is none; nullopt for another path.
    std::optional<std::string> match(std::string_view asked) const;
    /// The path about `subject`.
    std::string path_of(const std::string& subject) const;
    /// What is wrong with the parameters, "" for nothing. A misspelt filter must never act on the whole
    /// queue.
    std::string fault(const Parameters& asked) const;
};

// For what answers.
Answer ok(const nlohmann::json& body);
/// "" when it is not given.
std::string parameter(const Parameters& parameters, const std::string& name);
std::string parameter(const Request& request, const std::string& name);
std::size_t number(const Request& request, const std::string& name);  // of Kind::number
/// Tells the log who has changed what.
void note(const Control& control, const Request& request, const std::string& what,
          std::optional<std::size_t> messages = std::nullopt);

}  // namespace postern::agent
