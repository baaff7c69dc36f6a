"""The double of the primary's web services (the program primary_double)."""
import json
import os
import pathlib
import re
import urllib.request

from gateway import ACCOUNT
from process import Process

_ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("PRIMARY_DOUBLE", _ROOT / "build" / "release" / "tests" / "support" / "primary_double"))
USER, PASSWORD = "gateway", "secret of the primary"

WORLD = {
    "admin": {"user": USER, "password": PASSWORD},
    "domains": [
        {"name": "company.example", "enabled": True,
         "users": ["alice", "ceo", {"name": "gone", "enabled": False, "can_receive": False}],
         "aliases": ["sales"], "domain_aliases": ["company-alias.example"], "lists": ["news"],
         "list_command": "listserv", "catch_all": ""},
        {"name": "open.example", "users": ["erin"], "catch_all": "erin"},
        {"name": "closed.example", "enabled": False, "users": ["frank"]},
    ],
}


class Primary:
    def __init__(self, workspace, world=None, port=0, name="primary"):
        self._workspace, self._world, self._port, self._name = workspace, world or WORLD, port, name
        self.password_file = workspace.file(f"{name}/password", PASSWORD + "\n", 0o600, owner=ACCOUNT)
        self.start()

    def start(self):
        world = self._workspace.file(f"{self._name}/world.json", json.dumps(self._world))
        log = self._workspace.file(f"{self._name}/output", "")
        self._process = Process([BINARY, "--port", self._port, "--world", world], log)
        match = self._process.wait_for(lambda: re.search(r"^listening (\d+)$", self._process.text(), re.M),
                                       "the port of the primary's double")
        self._port = int(match[1])
        self.url = f"http://127.0.0.1:{self._port}"

    def settings(self, **more):
        """The keys of a [[primary]] that belong to its web services."""
        return {"url": self.url, "username": USER, "password_file": self.password_file, "poll_every": "1m",
                "request_gap": "0s", **more}

    def control(self, path, value=None):
        """GET, or POST of `value`, at /__control/PATH."""
        body = None if value is None else json.dumps(value).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(f"{self.url}/__control/{path}", data=body,
                                         headers={"Content-Type": "application/json"})
        with opener.open(request, timeout=20) as reply:
            text = reply.read()
            return json.loads(text) if text else None

    def stop(self):
        self._process.stop()

    close = stop
