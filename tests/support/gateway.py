"""postern with a generated configuration, and ways to ask it things."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import urllib.error
import urllib.request

from log_pipe import LogPipe
from process import Process, wait_for
from workspace import SMTP_PORT, STATUS_PORT

_ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("POSTERN_BIN", _ROOT / "build" / "release" / "postern"))
ACCOUNT = "nobody" if os.geteuid() == 0 else None


def _value(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, (bool, int)):
        return json.dumps(value)
    return json.dumps(str(value))


def to_toml(settings):
    """Scalars, tables of scalars, and lists of tables as [[name]]; inline tables below that."""
    scalars, tables = [], []
    for key, value in settings.items():
        if isinstance(value, dict):
            tables.append("\n".join([f"[{key}]", *(f"{k} = {_value(v)}" for k, v in value.items())]))
        elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
            tables += ["\n".join([f"[[{key}]]", *(f"{k} = {_value(v)}" for k, v in entry.items())]) for entry in value]
        else:
            scalars.append(f"{key} = {_value(value)}")
    return "\n\n".join(["\n".join(scalars), *tables]) + "\n"


class Gateway:
    """Settings are those of postern.toml; `settings` given here are merged over defaults fit for a test."""

    def __init__(self, workspace, name_server=None, name="postern", host=1, **settings):
        self.address = workspace.host(host)
        self.status_address = f"{self.address}:{STATUS_PORT}"
        self._workspace, self._name = workspace, name
        self.state_dir = workspace.folder(f"{name}/state", owner=ACCOUNT)
        self._log_file, self._log = workspace.path / name / "log", None
        self.configuration_file = workspace.path / name / "postern.toml"
        self.settings = {
            "hostname": "gw1.company.example",
            "state_dir": self.state_dir,
            "user": ACCOUNT or "",
            "listener": [{"address": f"{self.address}:{SMTP_PORT}", "tls": "opportunistic"}],
            "primary": [{"name": "main", "addresses": ["127.0.0.1", workspace.host(10)],
                         "deliver_to": f"{workspace.host(10)}:{SMTP_PORT}"}],
            "accept": {"sender": "any"},
            "limits": {"user": [], "domain": []},  # tests send a lot
            "queue": {"retry_first": "1s", "retry_max": "2s"},
            "delivery": {"port": SMTP_PORT, "ignore_addresses": []},  # all of it is on loopback
            # What is in none of its zones is refused by that server too: nothing is ever asked of the outside.
            "dns": {"stub": name_server.stub if name_server else {}, "timeout": "5s",
                    "servers": [name_server.server] if name_server else [],
                    "trust_anchors": (name_server.trust_anchors if name_server else None) or ""},
            "status": {"address": self.status_address},
            "log": {"format": "json"},
        }
        if "POSTERN_THREADS" in os.environ:  # to play whatever there is on so many loops
            self.settings["threads"] = int(os.environ["POSTERN_THREADS"])
        self.configure(**settings)
        self.environment = None  # of the process, beside what it inherits
        self.errors = None  # where the log goes instead of log_file
        self._process, self._ended = None, True

    def configure(self, **settings):
        """Merges and writes the file; a table is merged key by key, anything else replaced."""
        for key, value in settings.items():
            if isinstance(value, dict) and isinstance(self.settings.get(key), dict):
                self.settings[key] = {**self.settings[key], **value}
            else:
                self.settings[key] = value
        self.configuration_file.write_text(to_toml(self.settings))

    def start(self, ready=True):
        """Returns once it greets on SMTP, and says it is ready unless `ready` is false."""
        if not BINARY.exists():
            raise RuntimeError(f"{BINARY} is not built")
        self._ended = False
        self._catch_up()
        self._log = LogPipe(self._log_file)
        self._process = Process([BINARY, "run", "--config", self.configuration_file], self._log_file,
                                self.environment, errors=self.errors or self._log.write_end)
        self._log.start()
        self._process.wait_for(self._greets, "postern's greeting")
        if ready:
            self._process.wait_for(lambda: self.http("/readyz")[0] == 200, "postern's readiness")
        return self

    def _greets(self):
        try:
            with socket.create_connection((self.address, SMTP_PORT), 5) as s:
                return s.recv(1) == b"2"
        except OSError:
            return False

    def _catch_up(self):
        if self._log:
            self._log.catch_up()

    @property
    def log_file(self):
        """All that was logged so far is in it."""
        self._catch_up()
        return self._log_file

    @property
    def process(self):
        return self._process

    def stop(self, deadline=60.0):
        """SIGTERM; returns the exit code."""
        self._ended = True
        return self._process.stop(deadline=deadline)

    def kill(self):
        self._ended = True
        self._process.kill()

    def close(self):
        """Ends it; an end of its own before, or a bad exit code now, is a fault."""
        if self._process and not self._ended:
            self._process.require_running()
            code = self.stop()
            if code != 0:
                raise AssertionError(f"postern ended with {code}:\n{self._process.text()[-4000:]}")

    def reload(self, **settings):
        """Writes the changed file and sends SIGHUP."""
        self.configure(**settings)
        self._process.send_signal(signal.SIGHUP)

    def http(self, path, method="GET", token=False, headers=None):
        """(status, body) of the status endpoint; (0, reason) when nobody answers."""
        request = urllib.request.Request(f"http://{self.status_address}{path}", method=method, headers=headers or {})
        if token:
            request.add_header("Authorization", "Bearer " + (self.state_dir / "token").read_text().strip())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=20) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as fault:
            return fault.code, fault.read().decode(errors="replace")
        except OSError as fault:
            return 0, str(fault)

    def json(self, path):
        status, body = self.http(path)
        if status != 200:
            raise AssertionError(f"GET {path}: {status} {body}")
        return json.loads(body)

    def command(self, *arguments, check=True):
        """Runs `postern ARGUMENTS --config FILE`; the finished process."""
        done = subprocess.run([str(BINARY), *arguments, "--config", str(self.configuration_file)],
                              capture_output=True, text=True, timeout=60)
        if check and done.returncode != 0:
            raise AssertionError(f"postern {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def messages(self):
        """The queue as `postern queue list --json` gives it."""
        return json.loads(self.command("queue", "list", "--json").stdout)["messages"]

    def wait_until_empty(self, deadline=60.0):
        self._process.wait_for(lambda: self.queued() == 0, "an empty queue", deadline)

    def queued(self):
        return self.json("/v1/status")["queue"]["messages"]

    def damaged(self):
        """Records set aside since the start."""
        return self.json("/v1/status")["queue"]["damaged"]

    def events(self, name=None):
        """The log's events so far, as dictionaries."""
        found = []
        for line in self.log_file.read_text(errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and (name is None or entry.get("event") == name):
                found.append(entry)
        return found

    def wait_for_event(self, name, deadline=60.0, **fields):
        """The first event of that name whose fields contain the given texts."""
        def first():
            for entry in self.events(name):
                if all(str(text) in str(entry.get(field)) for field, text in fields.items()):
                    return entry
            return None
        return self._process.wait_for(first, f"the event {name} {fields}", deadline)
