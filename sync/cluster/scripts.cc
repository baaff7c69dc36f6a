#include "sync/cluster/scripts.h"

#include <algorithm>

#include "sync/base/words.h"

namespace postern::sync {

namespace {

// A key that holds something of another kind is an error of the server's, and nothing is changed.

constexpr std::string_view beat_script = R"lua(
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local shown = string.format('%.0f', now)
local before = redis.call('HGET', KEYS[1], ARGV[1]) or ''
redis.call('HSET', KEYS[1], ARGV[1], shown .. ' ' .. ARGV[2] .. ' ' .. ARGV[3])
local all, members = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #all, 2 do
  local at = tonumber(string.match(all[i + 1], '^(%d+) '))
  if at and now - at < 86400000 and at - now < 60000 then
    members[#members + 1] = all[i]
    members[#members + 1] = all[i + 1]
  else
    redis.call('HDEL', KEYS[1], all[i])
  end
end
local holder = redis.call('GET', KEYS[2])
if holder == ARGV[2] then
  if ARGV[4] == '1' then
    redis.call('PEXPIRE', KEYS[2], ARGV[6])
  else
    redis.call('DEL', KEYS[2])
    holder = ''
  end
elseif not holder then
  holder = ''
  if ARGV[4] == '1' then
    redis.call('INCR', KEYS[3])
    redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[6])
    holder = ARGV[2]
  end
end
local generation = redis.call('GET', KEYS[4])
if not generation then
  generation = ARGV[5]
  redis.call('SET', KEYS[4], generation)
end
local last = redis.call('XREVRANGE', KEYS[6], '+', '-', 'COUNT', 1)
return {shown, before, generation, holder, redis.call('GET', KEYS[3]) or '0', last[1] and last[1][1] or '', members,
        redis.call('HGETALL', KEYS[5])}
)lua";

constexpr std::string_view count_script = R"lua(
local step, limit, claim = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local now = math.floor(redis.call('TIME')[1] / step)
local function each(text, take)
  for number, count in string.gmatch(text, '(%d+)=(%d+)') do
    number = tonumber(number)
    if number > now - 12 and number <= now + 12 then take(number, tonumber(count)) end
  end
end
local sum, theirs, mine = 0, {}, ARGV[2]
if ARGV[6] == '1' then
  local most = {}
  each(redis.call('HGET', KEYS[1], ARGV[1]) or '', function(number, count) most[number] = (most[number] or 0) + count end)
  each(mine, function(number, count) most[number] = math.max(most[number] or 0, count) end)
  local steps = {}
  for number, count in pairs(most) do steps[#steps + 1] = string.format('%.0f=%.0f', number, count) end
  mine = table.concat(steps, ',')
end
local own = mine
each(mine, function(_, count) sum = sum + count end)
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if all[i] ~= ARGV[1] then
    local lives = false
    each(all[i + 1], function(number, count)
      lives = true
      sum = sum + count
      theirs[number] = (theirs[number] or 0) + count
    end)
    if not lives then redis.call('HDEL', KEYS[1], all[i]) end
  end
end
local granted = math.max(0, math.min(claim, limit - sum))
if granted > 0 then
  mine = mine .. (mine == '' and '' or ',') .. string.format('%.0f=%.0f', now, granted)
end
if mine == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], mine)
  redis.call('EXPIRE', KEYS[1], 13 * step)
end
local out = {}
for number, count in pairs(theirs) do out[#out + 1] = string.format('%.0f=%.0f', number, count) end
return {granted, table.concat(out, ','), own}
)lua";

constexpr std::string_view publish_script = R"lua(
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return 0 end
-- Whose turn it was before is refused by that: nobody else can have written since.
redis.call('SET', KEYS[2], ARGV[5], 'EX', 604800)
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. string.len(ARGV[5]))
return 1
)lua";

constexpr std::string_view lease_milliseconds = "15000";
constexpr std::string_view facts_most = "1000", facts_at_once = "100";  // entries of the stream
constexpr std::chrono::seconds lives{15};

bool is_text(const RedisValue& value) { return value.kind == RedisValue::Kind::text; }
bool is_list(const RedisValue& value) { return value.kind == RedisValue::Kind::list; }

bool all_text(const std::vector<RedisValue>& values) {
    return std::all_of(values.begin(), values.end(), is_text);
}

RedisCommand call(const std::string& script, std::vector<std::string> keys,
                  std::vector<std::string> arguments) {
    RedisCommand out{"EVALSHA", script, std::to_string(keys.size())};
    std::move(keys.begin(), keys.end(), std::back_inserter(out));
    std::move(arguments.begin(), arguments.end(), std::back_inserter(out));
    return out;
}

/// "1700000000000-3": milliseconds, and a number among those of one.
struct Position {
    std::uint64_t at = 0, number = 0;
    auto operator<=>(const Position&) const = default;
};
Position position_of(std::string_view text) {
    Position out;
    if (!base::parse_number(base::take_part(text, '-'), out.at)) return {};
    if (!text.empty() && !base::parse_number(text, out.number)) return {};
    return out;
}

}  // namespace

std::vector<RedisCommand> load_scripts() {
    std::vector<RedisCommand> out;
    for (const auto script : {beat_script, count_script, publish_script})
        out.push_back({"SCRIPT", "LOAD", std::string(script)});
    return out;
}

std::optional<LoadedScripts> read_loaded(const std::vector<RedisValue>& answers) {
    if (answers.size() != 3 || !all_text(answers)) return std::nullopt;
    return LoadedScripts{answers[0].text, answers[1].text, answers[2].text};
}

RedisCommand beat_command(const LoadedScripts& scripts, const ClusterKeys& keys, const ClusterSelf& self,
                          bool wants, std::string_view new_generation) {
    return call(
        scripts.beat,
        {keys.gateways(), keys.poller(), keys.fence(), keys.generation(), keys.directories(), keys.facts()},
        {self.name, self.instance, self.version, wants ? "1" : "0", std::string(new_generation),
         std::string(lease_milliseconds)});
}

std::optional<Beat> read_beat(const RedisValue& answer) {
    const auto& list = answer.list;
    if (!is_list(answer) || list.size() != 8 || !all_text({list.begin(), list.begin() + 6}) ||
        !is_list(list[6]) || !is_list(list[7]) || !all_text(list[6].list) || !all_text(list[7].list))
        return std::nullopt;
    Beat out;
    std::int64_t now = 0;
    if (!base::parse_number(list[0].text, now) || now <= 0 || !base::parse_number(list[4].text, out.fence))
        return std::nullopt;
    out.now = std::chrono::milliseconds(now);
    std::string_view before = list[1].text;
    base::take_part(before);
    out.before = base::take_part(before);
    out.generation = list[2].text;
    out.holder = list[3].text;
    out.last = list[5].text;
    for (std::size_t i = 0; i + 1 < list[6].list.size(); i += 2) {
        std::string_view text = list[6].list[i + 1].text;
        std::int64_t at = 0;
        if (!base::parse_number(base::take_part(text), at)) continue;
        Beat::Member one;
        one.member.name = list[6].list[i].text;
        one.instance = base::take_part(text);
        one.member.version = text;
        one.member.heard = std::chrono::milliseconds(std::max<std::int64_t>(0, now - at));
        one.member.live = one.member.heard < lives;
        out.members.push_back(std::move(one));
    }
    for (std::size_t i = 0; i + 1 < list[7].list.size(); i += 2) {
        std::string_view text = list[7].list[i + 1].text;
        ClusterDirectory one;
        one.primary = list[7].list[i].text;
        if (!base::parse_number(base::take_part(text), one.fence)) continue;
        one.version = base::take_part(text);
        if (base::parse_number(text, one.octets)) out.directories.push_back(std::move(one));
    }
    return out;
}

void show(Beat beat, bool twin, base::Time wall, ClusterView& view) {
    view.twin =
        twin ? "another gateway is called " + view.name +
                   " too, so each takes the other's counts for its own: give each a cluster.name of its own"
             : std::string();
    view.ahead = beat.now - std::chrono::floor<std::chrono::milliseconds>(wall.time_since_epoch());
    view.directories = std::move(beat.directories);
    view.fence = beat.fence;
    view.members.clear();
    for (auto& one : beat.members) view.members.push_back(std::move(one.member));
}

RedisCommand count_command(const LoadedScripts& scripts, const ClusterKeys& keys, const ClusterSelf& self,
                           const base::CountQuestion& question) {
    return call(scripts.count, {keys.count(question.name)},
                {self.name, question.steps, std::to_string(question.step.count()),
                 std::to_string(question.limit), std::to_string(question.claim), question.first ? "1" : "0"});
}

base::CountAnswer read_count(const base::CountQuestion& question, const RedisValue& answer) {
    base::CountAnswer out;
    out.name = question.name;
    const auto& list = answer.list;
    if (!is_list(answer) || list.size() != 3 || list[0].kind != RedisValue::Kind::integer ||
        list[0].number < 0 || list[0].number > question.claim || !is_text(list[1]) || !is_text(list[2]))
        return out;
    if (question.first) out.own = list[2].text;
    out.answered = true;
    out.granted = static_cast<std::uint32_t>(list[0].number);
    out.others = list[1].text;
    return out;
}

RedisCommand publish_command(const LoadedScripts& scripts, const ClusterKeys& keys, const ClusterSelf& self,
                             std::string_view primary, std::uint64_t fence, std::string_view version,
                             std::string octets) {
    return call(scripts.publish, {keys.directories(), keys.directory(primary), keys.poller()},
                {self.instance, std::string(primary), std::to_string(fence), std::string(version),
                 std::move(octets)});
}

RedisCommand tell_command(const ClusterKeys& keys, const ClusterSelf& self, const Telling& telling) {
    RedisCommand out{
        "XADD",    keys.facts(), "MAXLEN",      "~",      std::string(facts_most),        "*",  "from",
        self.name, "instance",   self.instance, "number", std::to_string(telling.number), "to", telling.to};
    for (const auto& fact : telling.facts) {
        out.push_back(fact.kind);
        out.push_back(fact.text);
    }
    return out;
}

RedisCommand hear_command(const ClusterKeys& keys, std::string_view position) {
    return {"XREAD",   "COUNT",      std::string(facts_at_once),
            "STREAMS", keys.facts(), position.empty() ? "0-0" : std::string(position)};
}

std::optional<std::vector<Heard>> read_heard(const RedisValue& answer) {
    std::vector<Heard> out;
    if (answer.kind == RedisValue::Kind::nothing) return out;
    if (!is_list(answer) || answer.list.size() != 1 || !is_list(answer.list[0]) ||
        answer.list[0].list.size() != 2 || !is_list(answer.list[0].list[1]))
        return std::nullopt;
    for (const auto& entry : answer.list[0].list[1].list) {
        if (!is_list(entry) || entry.list.size() != 2 || !is_text(entry.list[0])) return std::nullopt;
        Heard one;
        one.position = entry.list[0].text;
        const auto& fields = entry.list[1].list;
        const auto is = [&](std::size_t at, std::string_view name) { return fields[at].text == name; };
        if (is_list(entry.list[1]) && fields.size() >= 8 && fields.size() % 2 == 0 && all_text(fields) &&
            is(0, "from") && is(2, "instance") && is(4, "number") && is(6, "to") &&
            base::parse_number(fields[5].text, one.telling.number)) {
            one.name = fields[1].text;
            one.instance = fields[3].text;
            one.telling.to = fields[7].text;
            for (std::size_t at = 8; at < fields.size(); at += 2)
                one.telling.facts.push_back({fields[at].text, fields[at + 1].text});
        }
        out.push_back(std::move(one));
    }
    return out;
}

std::string refusal_words(const RedisValue& error, std::string_view prefix) {
    std::string out = '"' + error.text + '"';
    if (error.text.find("WRONGTYPE") != std::string::npos)
        out += ": keys that begin with \"" + std::string(prefix) +
               ":1:\" are somebody else's; give another cluster.prefix";
    return out;
}

bool is_behind(std::string_view position, std::string_view other) {
    return position_of(position) > position_of(other);
}

}  // namespace postern::sync
