"""Questions that take long (`explain` about silent domains) hold up no reload, no watchdog and nobody's mail."""
import socket
import statistics
import threading
import time

import scenario
from gateway import Gateway
from process import wait_for
from scripted_names import ScriptedNames

SILENT = range(30, 42)  # hosts, each with a zone of its own: of one that is known to be silent little is expected
LIMIT = 4.0  # seconds of the watchdog, which wants to be fed twice as often


class Supervisor:
    """As systemd: hears what a service tells it, with the times."""

    def __init__(self, workspace):
        path = workspace.path / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        path.chmod(0o777)
        self.told = []
        self.environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": str(int(LIMIT * 1e6))}
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        while words := self._socket.recv(65536):
            self.told.append((time.monotonic(), words.decode()))

    def pauses(self):
        """Between two times it was fed."""
        fed = [when for when, words in self.told if "WATCHDOG=1" in words]
        return [after - before for before, after in zip(fed, fed[1:])]

    def close(self):
        self._socket.shutdown(socket.SHUT_RD)
        self._thread.join()
        self._socket.close()


class SlowQuestions(scenario.Scenario):
    def _gateway(self):
        self.silent = [self.workspace.add(ScriptedNames(self.workspace.host(n), lambda name, kind: None)) for n in SILENT]
        self.name_server = self.workspace.add(scenario.NameServer(self.workspace, self.zones()))
        self.supervisor = self.workspace.add(Supervisor(self.workspace))
        gateway = self.workspace.add(Gateway(self.workspace, self.name_server, dns={
            "servers": [self.name_server.server], "timeout": "20s",
            "stub": self.name_server.stub | {f"silent{n}.example": one.server for n, one in enumerate(self.silent)}}))
        gateway.environment = self.supervisor.environment
        return gateway.start()

    def _reload(self, gateway):
        """How long one takes."""
        before, begun = len(gateway.events("reloaded")), time.monotonic()
        gateway.reload()
        wait_for(lambda: len(gateway.events("reloaded")) > before, "the reload")
        return time.monotonic() - begun

    def _explain(self, gateway, number):
        self.answers.append(gateway.http(f"/v1/explain?from=alice@company.example&to=bob@silent{number}.example", token=True))

    def test_a_reload_meanwhile(self):
        receiver = self.receiver()
        gateway = self._gateway()
        alone = [self._reload(gateway) for _ in range(3)]
        self.answers = []
        asking = [threading.Thread(target=self._explain, args=(gateway, number), daemon=True) for number in range(2)]
        for number, thread in enumerate(asking):
            thread.start()
            wait_for(lambda: self.silent[number].asked, "the question")
        beside = [self._reload(gateway) for _ in range(3)]
        self.send(gateway)
        self.wait_for_messages(receiver, 1)
        self.assertEqual(self.answers, [], "all are still being asked about")
        print(f"reloads: {max(alone):.2f} s at most, beside questions {max(beside):.2f} s", flush=True)
        self.assertLess(statistics.median(beside), max(2.0, 5 * statistics.median(alone)))
        for thread in asking:
            thread.join(60)
        self.assertEqual(len(self.answers), 2)
        self.assertLess(max(self.supervisor.pauses()), LIMIT)

    def test_there_are_not_very_many_at_once(self):
        gateway = self._gateway()
        self.answers = []
        for number in range(len(SILENT)):
            threading.Thread(target=self._explain, args=(gateway, number), daemon=True).start()
        wait_for(lambda: len(self.answers) >= len(SILENT) - 2, "those beyond two")
        self.assertEqual({status for status, _ in self.answers}, {503}, "in a moment, they are told")
        for who in ("healthz", "v1/status"):
            self.assertEqual(gateway.http("/" + who)[0], 200)
        for words in (("status",), ("queue", "retry"), ("reload",)):  # an operator is not kept waiting
            self.assertEqual(gateway.command(*words).returncode, 0)
        self.assertEqual(gateway.http("/v1/sync", "POST", token=True)[0] // 100, 2)
        self.assertEqual(len(self.answers), len(SILENT) - 2, "two are still being asked about")
        self.assertLess(max(self.supervisor.pauses(), default=0), LIMIT)


if __name__ == "__main__":
    scenario.main()
