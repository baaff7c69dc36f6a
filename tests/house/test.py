"""The house keeps its order: who may include whom, how long a file gets, what the documents promise."""
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import unittest

import arrows

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["POSTERN_BIN"]).parent if "POSTERN_BIN" in os.environ else ROOT / "build" / "release"
COMMANDS = BUILD / "compile_commands.json"
BINARY = BUILD / "postern"
INCLUDE = re.compile(r'^#include "((?:agent|relay|sync)/[^"]+)"', re.M)
SYSTEM = re.compile(r"^#include <([^>]+)>", re.M)
# Inside relay, each room may use those in front of it; reception and delivery do not know each other.
ROOMS = {"mail": {"mail"}, "net": {"mail", "net"}, "queue": {"mail", "net", "queue"},
         "security": {"mail", "net", "security"}, "egress": {"mail", "net", "egress"}, "signing": {"mail", "signing"}, "volume": {"mail", "net", "volume"}, "screening": {"mail", "net", "screening"},
         "reception": {"mail", "net", "queue", "volume", "screening", "reception"},
         "tls_reports": {"mail", "net", "queue", "security", "tls_reports"},
         "delivery": {"mail", "net", "queue", "security", "egress", "signing", "screening", "tls_reports", "delivery"}}
# Inside agent, each room may use those in front of it; sync/base is below them all.
AGENT_ROOMS = {"machine": {"machine"}, "log": {"machine", "log"}, "http": {"machine", "http"},
               "settings": {"machine", "log", "http", "settings"},
               "status": {"machine", "log", "http", "settings", "status"},
               "gateway_mode": {"machine", "log", "http", "settings", "gateway_mode"},
               "command": {"machine", "log", "http", "settings", "status", "command"},
               "program": {"machine", "log", "http", "settings", "status", "gateway_mode", "command", "program"}}
# Inside sync likewise; what it holds beside its rooms may use them all.
SYNC_ROOMS = {"base": {"base"}, "directory": {"base", "directory"}, "primary": {"base", "directory", "primary"},
              "rest": {"base", "directory", "primary", "rest"}, "soap": {"base", "directory", "primary", "soap"},
              "smtp": {"base", "directory", "primary", "smtp"},
              "polling": {"base", "directory", "primary", "polling"}, "cluster": {"base", "primary", "cluster"}}
SYNC_VALUES = {"sync/settings.h", "sync/observer.h", "sync/report.h", "sync/trouble.h", "sync/turn.h",
               "sync/back_ends.h"}  # for its rooms above directory/
VALUES = {"relay/asking.h", "relay/limits.h", "relay/settings.h", "relay/observer.h", "relay/views.h", "relay/trial.h"}  # relay's own, for all its rooms
HOME = {"toml++/": {"agent"}, "CLI/": {"agent"}, "prometheus/": {"agent"}, "lmdb.h": {"relay/queue"}, "absl/": {"relay/queue"},
        "libdeflate.h": {"relay/queue"}, "hiredis/": {"sync/cluster"},
        "unbound.h": {"relay/net"}, "asio": {"relay", "agent/http"}, "pugixml.hpp": {"sync/soap", "agent"}, "nlohmann/": {"sync/base", "sync/rest", "agent"},
        "httplib.h": set()}


# Who asks the machine for the time, waits by it or sets its timers, is out of reach of a test that steps the clock.
TIME = re.compile(r"\b\w*(?:[Cc]lock|Steady)::now\(|(?<![\w.>])(?:std::)?time\((?:nullptr|NULL|0|&\w+)\)|clock_gettime|"
                  r"gettimeofday|steady_timer|system_timer|sleep_for|sleep_until|\bwait_for\(|(?<!clock)(?<!clock_)\.wait_until\(|"
                  r"\bSystemClock\b")
# The clock itself, the program that makes it, what systemd wants to be told in the kernel's own time, and the thread that
# writes the log, which a dead disk can keep for longer than there is a clock.
TIMED = {"sync/base/clock.h", "sync/base/clock.cc", "relay/net/timer.h", "relay/net/asio.h", "agent/program/main.cc",
         "agent/program/service.cc", "agent/log/output.cc"}

# Who writes files, gives them names or makes a disk of the machine, past the disk that is given at construction, is out of
# reach of a test whose disk fails or loses power.
WRITES = re.compile(r"\bopen_file\([^;]*?\bO_(?:WRONLY|RDWR|CREAT|TRUNC|TMPFILE)\b|\bwrite_all\(|\bfopen\(|\bo?fstream\b|"
                    r"(?<![\w:.>])::(?:open|openat|creat|rename|unlink|link|symlink|truncate)\(|"
                    r"\b(?:mkdir|rmdir|chmod|chown|unlink|ftruncate|fsync|fdatasync)\(|(?<![.>\w])(?:base::)?sync_folder\(|"
                    r"\bfilesystem::(?:remove|rename|create_|copy|resize_file|permissions)|\bSystemDisk\b")
WRITERS = {"sync/base/disk.h", "sync/base/disk.cc", "sync/base/file.h", "sync/base/file.cc",  # the disk itself
           "agent/program/main.cc",  # which makes it
           "agent/program/run.cc",  # folders, while it is root
           "agent/program/dkim.cc",  # a key, for the administrator who asks for one
           "agent/http/place.cc", "agent/http/entrance.cc",  # sockets, which have names among files
           "relay/queue/lock.cc",  # that there is one process is a matter of this machine's kernel
           "relay/queue/earlier_spool.cc",  # of versions before the journal, which a library reads
           "relay/delivery/form.cc",  # without a name, gone with whoever sends it
           "relay/relay_spool.cc", "relay/trial.cc", "agent/settings/environment.cc"}  # for commands that look at this machine

MOST_METHODS, MOST_FIELDS = 25, 12
CLASS = re.compile(r"((?:^ *///[^\n]*\n)*)^( *)(?:template <[^\n]*>\n *)?(class|struct) ([\w:]+)(?: final)?(?: : [^;{]*)? \{\n(.*?)^\2\};", re.M | re.S)


def members(body):
    """What stands in a class by itself: what is in braces within it is not its own."""
    out, depth = [], 0
    for c in re.sub(r"//.*", "", body):
        depth -= c == "}"
        if depth == 0:
            out.append("\0" if c == "}" else "{" if c == "{" else c)
        depth += c == "{"
    flat, before = "".join(out).replace("{\0", "{}"), ""
    while flat != before:  # arguments of templates, which have commas and parentheses
        flat, before = re.sub(r"(?<![\s=])<[^<>;]*>", "", flat), flat
    for part in re.split(r";|(?<=\{\})(?=\s*\n)", flat):
        part = re.sub(r"\b(?:public|private|protected):", "", part).strip()
        inner = re.match(r"(?:struct|class|union|enum)\b[^{]*\{\}\s*(\w.*)", part, re.S)  # one that has a type of its own
        if inner:
            yield inner[1]
        elif part and not re.match(r"(?:using|friend|static constexpr|enum|struct|class|union)\b", part) and not re.search(r"= (?:delete|default)$", part):
            yield part


def size_of(body):
    """Methods and fields of a class."""
    methods = fields = 0
    for part in members(body):
        if "(" in re.split(r"=(?!=)|\{\}", part)[0] or "operator" in part:
            methods += 1
        else:
            fields += 1 + re.sub(r"\([^()]*\)", "", part).count(",")
    return methods, fields


def sources(*rooms):
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*")):
            if path.suffix in (".h", ".cc"):
                yield path, path.relative_to(ROOT).as_posix()


class House(unittest.TestCase):
    def test_who_includes_whom(self):
        wrong = []
        for path, name in sources("agent", "relay", "sync"):
            own = name.split("/")
            for target in INCLUDE.findall(path.read_text()):
                there = target.split("/")
                if own[0] == "sync":
                    fine = there[0] == "sync"
                    if fine and len(own) == 3:
                        fine = (there[1] in SYNC_ROOMS[own[1]] if len(there) == 3
                                else target == "sync/limits.h" or target in SYNC_VALUES and own[1] not in ("base", "directory"))
                elif own[0] == "relay":
                    fine = target == "sync/directory/snapshot.h" or there[:2] == ["sync", "base"] or there[0] == "relay"
                    if fine and there[0] == "relay" and len(own) == 3 and target not in VALUES:
                        fine = len(there) == 3 and there[1] in ROOMS[own[1]]
                else:
                    fine = there[0] != "agent" or target == "agent/limits.h" or there[1] in AGENT_ROOMS.get(own[1], ())
                if not fine:
                    wrong.append(f"{name} includes {target}")
        self.assertEqual(wrong, [])

    def test_a_wrong_arrow_does_not_compile(self):
        """In a file of each room, what the compiler says of a header of every room that is not in front of it."""
        commands = {}
        for entry in json.loads(COMMANDS.read_text()):
            room = pathlib.Path(entry["file"]).parent
            if room.is_relative_to(ROOT) and len(room.relative_to(ROOT).parts) == 2:
                commands.setdefault(room.relative_to(ROOT).as_posix(), entry)
        if "clang" not in commands["relay/mail"]["command"]:
            self.skipTest("only clang keeps the arrows")
        wrong = []
        for house, rooms in (("relay", ROOMS), ("agent", AGENT_ROOMS), ("sync", SYNC_ROOMS)):
            for room, fine in rooms.items():
                there = [f"{house}/{other}" for other in rooms if other not in fine]
                there += {"relay": ["agent/log", "sync/primary"], "sync": ["agent/log", "relay/mail"], "agent": []}[house]
                headers = [sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / other).glob("*.h"))[0] for other in there]
                headers += [header for header, homes in (("lmdb.h", "relay/queue"), ("absl/container/btree_map.h", "relay/queue"), ("unbound.h", "relay/net"), ("CLI/CLI.hpp", "agent/command"))
                            if homes != f"{house}/{room}"]
                words = shlex.split(commands[f"{house}/{room}"]["command"])
                words = words[words.index(next(word for word in words if "clang" in word)):]
                del words[words.index("-o"):]
                done = subprocess.run([*words, "-E", "-o", os.devnull, "-ferror-limit=0", "-x", "c++", "-"], text=True, capture_output=True,
                                      cwd=commands[f"{house}/{room}"]["directory"],
                                      input="".join(f"#include <{header}>\n" for header in headers))
                refused = re.findall(r"<stdin>:\d+:\d+: error: module \w+ does not depend on a module exporting '([^']+)'", done.stderr)
                wrong += [f"{house}/{room} may include {header}" for header in headers if header not in refused]
        self.assertEqual(wrong, [])

    def test_no_circle_of_rooms(self):
        rooms = {unit for unit in arrows.units(depth=2) if (ROOT / unit).is_dir()}
        graph = {unit: targets & rooms for unit, targets in arrows.units(depth=2).items() if unit in rooms}
        self.assertGreater(len(graph), 15)
        self.assertEqual(arrows.circles(graph), [])

    def test_no_circle_of_units(self):
        for house in ("relay", "sync"):
            with self.subTest(house):
                units = arrows.units(house)
                self.assertGreater(len(units), 50)
                self.assertEqual(arrows.circles(units), [])

    def test_libraries_stay_at_home(self):
        wrong = []
        for path, name in sources("agent", "relay", "sync"):
            for header in SYSTEM.findall(path.read_text()):
                for library, homes in HOME.items():
                    if header.startswith(library) and not any(f"{name}/".startswith(home + "/") for home in homes):
                        wrong.append(f"{name} includes <{header}>")
        self.assertEqual(wrong, [])

    def test_what_the_spool_is_made_of_is_not_seen_outside_the_queue(self):
        """Not through other headers either: whoever includes one of ours gets all that it includes."""
        texts = {name: path.read_text() for path, name in sources("agent", "relay", "sync")}
        sees = set()
        for library in ("lmdb.h", "absl/"):
            found = {name for name, text in texts.items() if any(header.startswith(library) for header in SYSTEM.findall(text))}
            self.assertTrue(found, f"nothing includes {library}: this test looks for the wrong header")
            sees |= found
        while True:
            more = {name for name, text in texts.items() if sees.intersection(INCLUDE.findall(text))} - sees
            if not more:
                break
            sees |= more
        self.assertEqual([name for name in sorted(sees) if not name.startswith("relay/queue/")], [])

    def test_no_file_is_a_giant(self):
        giants = [f"{name}: {len(path.read_text().splitlines())}" for path, name in sources("agent", "relay", "sync", "tests")
                  if len(path.read_text().splitlines()) > 500]
        self.assertEqual(giants, [])

    def test_no_class_has_too_much_without_a_word_why(self):
        """Values may have any number of fields: all of them are seen, and none follows from another."""
        seen, wrong, idle = 0, [], []
        for path, name in sources("agent", "relay", "sync"):
            if path.suffix != ".h":
                continue
            for doc, _, kind, what, body in CLASS.findall(path.read_text()):
                methods, fields = size_of(body)
                seen += 1
                value = kind == "struct" and not re.search(r"_(?: = [^;]*|\{[^;]*\})?;", body) and len(re.findall(r"\) const[ ;]", body)) >= methods
                large = methods > MOST_METHODS or fields > MOST_FIELDS and not value
                if large and "One thing: " not in doc:
                    wrong.append(f"{name}: {what} has {methods} methods and {fields} fields; cut it, or say in its comment "
                                 "why it is one (One thing: ...)")
                if not large and "One thing: " in doc:
                    idle.append(f"{name}: {what} need not excuse itself any more")
        self.assertGreater(seen, 400)
        self.assertEqual(wrong, [])
        self.assertEqual(idle, [])

    def test_how_a_class_is_counted(self):
        body = """public:
    /// Said, not counted: int none_;
    explicit Some(int a, std::map<int, std::string> b);
    Some(const Some&) = delete;
    bool done() const { return done_; }
    template <class T>
    void each(T&& f) {
        for (int i = 0; i < 3; ++i) f(i);
    }
    using Done = std::function<void(int)>;
    struct Part {
        int x, y;
    };

private:
    bool done_ = false, told_{};
    std::function<void(int, int)> tell_;
    std::map<std::string, std::vector<int>> all_;
    struct {
        int x;
    } own_;
"""
        self.assertEqual(size_of(body), (3, 5))

    def test_no_name_is_given_twice(self):
        """Two types of one name in one namespace are one to the linker, also where no file includes both: what is made of the one,
        as a vector of it, may then be used for the other."""
        owners = {}
        for path, name in sources("agent", "relay", "sync"):
            if path.suffix != ".h":
                continue
            inside = []
            for found in re.finditer(r"^(?:namespace ([\w:]+) \{|(?:enum class|enum|struct|class|union) (\w+)(?= )[^;]*?\{|\}  // namespace)", path.read_text(), re.M):
                if found[1]:
                    inside.append(found[1])
                elif found[2]:
                    owners.setdefault("::".join([*inside, found[2]]), []).append(name)
                else:
                    inside.pop()
        self.assertGreater(len(owners), 300)
        self.assertEqual({name: where for name, where in owners.items() if len(where) > 1}, {})

    def test_every_header_says_what_it_is_for(self):
        silent = [name for path, name in sources("agent", "relay", "sync")
                  if path.suffix == ".h" and not path.read_text().startswith("//")]
        self.assertEqual(silent, [])

    def test_awaited_expressions_own_no_temporaries(self):
        """g++ 12 destroys them twice; building them as named locals costs nothing."""
        wrong = []
        for path, name in sources("relay"):
            for line, text in enumerate(path.read_text().splitlines(), 1):
                if re.search(r"co_await[^;]*[({,]\s*\{", text) or re.search(r"co_await[^;]*\[[^&\]]*=", text):
                    wrong.append(f"{name}:{line}: {text.strip()}")
        self.assertEqual(wrong, [])

    def test_time_is_what_the_clock_says(self):
        wrong = []
        for path, name in sources("agent", "relay", "sync"):
            if name in TIMED:
                continue
            for line, text in enumerate(path.read_text().splitlines(), 1):
                if TIME.search(text.split("//")[0]):
                    wrong.append(f"{name}:{line}: {text.strip()}")
        self.assertEqual(wrong, [])

    def test_files_are_written_through_the_disk_that_is_given(self):
        wrong, needed = [], set()
        for path, name in sources("agent", "relay", "sync"):
            text = re.sub(r"//.*", "", path.read_text())
            for found in WRITES.finditer(text):
                if name in WRITERS:
                    needed.add(name)
                else:
                    wrong.append(f"{name}:{text[:found.start()].count(chr(10)) + 1}: {found[0]}")
        self.assertEqual(wrong, [])
        self.assertEqual(WRITERS - needed, set(), "these need not be excepted")

    def test_times_are_written_and_read_in_one_room(self):
        wrong = [name for path, name in sources("agent", "relay", "sync") if name != "sync/base/time_text.cc"
                 and re.search(r"\b(strftime|strptime|put_time|get_time|gmtime_r|localtime_r|timegm|mktime)\b", path.read_text())]
        self.assertEqual(wrong, [])

    @unittest.skipIf(sys.version_info[:2] > (3, 11), "Debian 13 has no clang-format-16, and later ones format otherwise")
    def test_formatted(self):
        files = [str(path) for path, _ in sources("agent", "relay", "sync", "tests")]
        done = subprocess.run(["clang-format-16", "--dry-run", "-Werror", *files], capture_output=True, text=True, cwd=ROOT)
        self.assertEqual(done.returncode, 0, done.stderr[:3000])

    def test_the_readme_shows_every_key(self):
        table = subprocess.run([BINARY, "config", "--markdown"], capture_output=True, text=True, check=True).stdout
        self.assertIn(table.strip(), (ROOT / "README.md").read_text(), "put the output of `postern config --markdown` into README.md")

    def test_the_readme_lists_every_metric(self):
        names = set(re.findall(r'"(postern_[a-z_]+)"', (ROOT / "agent" / "log" / "metrics.cc").read_text()))
        listed = set(re.findall(r"^\| `(postern_[a-z_]+)` \|", (ROOT / "README.md").read_text(), re.M))
        self.assertEqual(names, listed)

    def test_the_top_level_holds_what_it_should(self):
        names = subprocess.run(["git", "ls-tree", "--name-only", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout.split()
        extra = [n for n in names if not n.startswith(".") and
                 n not in ("CMakeLists.txt", "CMakePresets.json", "README.md", "agent", "relay", "sync", "tests", "config")]
        self.assertEqual(extra, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
