// What is asked of the server, and how its answers are read: commands and values, nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/base/cluster.h"
#include "sync/cluster/redis.h"
#include "sync/cluster/view.h"

namespace postern::sync {

/// The names of all keys: "PREFIX:1:…", where 1 is the version of what stands in them.
class ClusterKeys {
public:
    explicit ClusterKeys(std::string_view prefix) : front_(std::string(prefix) + ":1:") {}
    std::string gateways() const { return front_ + "gateways"; }      // hash: name -> when, instance, version
    std::string poller() const { return front_ + "poller"; }          // the instance whose turn it is
    std::string fence() const { return front_ + "fence"; }            // turns so far
    std::string generation() const { return front_ + "generation"; }  // another one: all else was lost
    std::string directories() const {
        return front_ + "directories";
    }  // hash: primary -> fence, version, octets
    std::string directory(std::string_view primary) const {
        return front_ + "directory:" + std::string(primary);
    }
    std::string facts() const { return front_ + "facts"; }  // a stream
    std::string count(std::string_view name) const { return front_ + "count:" + std::string(name); }

private:
    std::string front_;
};

/// Who asks.
struct ClusterSelf {
    std::string name, instance, version;  // instance: of this process
};

/// The scripts' names at the server: their SHA-1, as SCRIPT LOAD gives them.
struct LoadedScripts {
    std::string beat, count, publish;
};
std::vector<RedisCommand> load_scripts();
std::optional<LoadedScripts> read_loaded(const std::vector<RedisValue>& answers);

/// "Here I am"; who else is; the turn is taken, kept or given back, as `wants` says.
RedisCommand beat_command(const LoadedScripts& scripts, const ClusterKeys& keys, const ClusterSelf& self,
                          bool wants, std::string_view new_generation);
struct Beat {
    std::chrono::milliseconds now{0};  // since 1970, by the server
    std::string before;                // the instance that had our name before this
    std::string generation, holder;    // holder: the instance whose turn it is, "" when nobody's
    std::uint64_t fence = 0;
    std::string last;  // of the stream, "" when it is empty
    struct Member {
        ClusterMember member;
        std::string instance;
    };
    std::vector<Member> members;
    std::vector<ClusterDirectory> directories;
};
std::optional<Beat> read_beat(const RedisValue& answer);

/// What is shown of it. `twin`: somebody else has our name.
void show(Beat beat, bool twin, base::Time wall, ClusterView& view);

RedisCommand count_command(const LoadedScripts& scripts, const ClusterKeys& keys, const ClusterSelf& self,
                           const base::CountQuestion& question);
/// Not answered, when it cannot be read.
base::CountAnswer read_count(const base::CountQuestion& question, const RedisValue& answer);

RedisCommand publish_command(const LoadedScripts& scripts, const ClusterKeys& keys, const ClusterSelf& self,
                             std::string_view primary, std::uint64_t fence, std::string_view version,
                             std::string octets);

/// Facts that one gateway tells in one go: to all, or to the one of that name.
struct Telling {
    std::uint64_t number = 0;  // of its instance; what is told twice is heard once
    std::string to;
    std::vector<base::Fact> facts;
};
RedisCommand tell_command(const ClusterKeys& keys, const ClusterSelf& self, const Telling& telling);
RedisCommand hear_command(const ClusterKeys& keys, std::string_view position);
struct Heard {
    std::string position, name, instance;
    Telling telling;
};
/// Entries that cannot be read have no name. nullopt: the answer is none.
std::optional<std::vector<Heard>> read_heard(const RedisValue& answer);

/// An error that the server answers, for an administrator.
std::string refusal_words(const RedisValue& error, std::string_view prefix);

/// Whether a position of the stream is behind another; "" is before all.
bool is_behind(std::string_view position, std::string_view other);

}  // namespace postern::sync
