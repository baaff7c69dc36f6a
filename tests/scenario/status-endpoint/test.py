"""The HTTP endpoint: open to read on loopback, closed to change without the token, hard to abuse."""
import json
import pathlib
import re
import resource
import socket
import stat

import samples
import scenario
import smtp_client
from workspace import STATUS_PORT


class StatusEndpoint(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.destination = self.receiver()
        self.postern = self.gateway()
        smtp_client.send(self.postern.address, "alice@company.example", "bob@dest.example", samples.simple())
        self.wait_for_messages(self.destination, 1)
        self.postern.wait_until_empty()

    def test_what_can_be_read(self):
        for path in ("/", "/healthz", "/readyz"):
            self.assertEqual(self.postern.http(path)[0], 200, path)
        for path in ("/v1/status", "/v1/queue", "/v1/directory"):
            self.assertIsInstance(self.postern.json(path), (dict, list), path)
        self.assertEqual(self.postern.http("/v1/nothing")[0], 404)

    def test_metrics(self):
        status, text = self.postern.http("/metrics")
        self.assertEqual(status, 200)
        names = set()
        for line in text.splitlines():
            if not line.startswith("#"):
                self.assertRegex(line, r'^[a-z_]+(\{[^}]*\})? [-+0-9.eE]+$|^[a-z_]+(\{[^}]*\})? (NaN|\+Inf)$')
                names.add(re.match("[a-z_]+", line)[0])
        self.assertTrue(all(name.startswith("postern_") for name in names), names)
        self.assertTrue(any("accepted" in name for name in names), names)
        self.assertTrue(any("delivered" in name for name in names), names)

    def test_changes_need_the_token(self):
        for method, path in (("POST", "/v1/queue/retry"), ("DELETE", "/v1/queue?sender=alice@company.example"),
                             ("POST", "/v1/reload"), ("POST", "/v1/sync")):
            self.assertIn(self.postern.http(path, method)[0], (401, 403), path)
        self.assertEqual(self.postern.http("/v1/queue/retry?sender=alice@company.example", "POST", token=True)[0], 200)
        wrong = {"Authorization": "Bearer " + "0" * 64}
        self.assertIn(self.postern.http("/v1/reload", "POST", headers=wrong)[0], (401, 403))

    def test_the_token_is_for_its_owner_only(self):
        mode = (self.postern.state_dir / "token").stat().st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        self.assertNotIn((self.postern.state_dir / "token").read_text().strip(), self.postern.log_file.read_text())

    def test_a_foreign_host_name_is_refused(self):
        self.assertIn(self.postern.http("/v1/status", headers={"Host": "evil.example"})[0], (400, 403, 421))

    def _raw(self, octets):
        with socket.create_connection((self.postern.address, STATUS_PORT), 30) as s:
            try:
                s.sendall(octets)
                return s.recv(4096)
            except OSError:
                return b""

    def test_bodies_and_odd_requests_are_refused(self):
        host = f"Host: {self.postern.status_address}\r\n".encode()
        for request in (b"POST /v1/reload HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n" + b"x" * 100000,
                        b"POST /v1/reload HTTP/1.1\r\n" + host + b"Content-Length: 1000000000\r\n\r\n",
                        b"GET /../../etc/passwd HTTP/1.1\r\n" + host + b"\r\n",
                        b"TRACE / HTTP/1.1\r\n" + host + b"\r\n",
                        b"GET / HTTP/1.1\r\n" + host + b"X: y\r\n" * 500 + b"\r\n",
                        b"\0\0\0\0\r\n\r\n"):
            with self.subTest(request[:30]):
                self.assertNotIn(b" 200 ", self._raw(request)[:20])
        self.assertEqual(self.postern.http("/healthz")[0], 200)

    def test_not_ready_is_said_with_reasons(self):
        self.postern.reload(accept={"sender": "any", "minimum_free": "900000GiB"})
        self.postern.process.wait_for(lambda: self.postern.http("/readyz")[0] == 503, "not ready")
        self.assertRegex(self.postern.http("/readyz")[1], r"(?i)disk|space|free")
        self.assertEqual(self.postern.http("/healthz")[0], 200)


class ShortOfThreads(scenario.Scenario):
    def test_what_finds_no_thread_is_told_so_and_takes_no_turn_from_others(self):
        postern = self.gateway(user="")  # whose limits the test may set
        pid = postern.process.pid
        self.assertEqual(postern.http("/healthz")[0], 200)
        before = resource.prlimit(pid, resource.RLIMIT_AS)
        size = int(re.search(r"VmSize:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) << 10
        resource.prlimit(pid, resource.RLIMIT_AS, (size + (4 << 20), before[1]))  # less than a thread's stack
        for _ in range(4):  # one more than one asker has turns
            status, body = postern.http("/v1/queue/retry", "POST", token=True)
            self.assertEqual((status, "no thread" in body), (503, True), body)
        resource.prlimit(pid, resource.RLIMIT_AS, before)
        self.assertEqual(postern.http("/v1/queue/retry", "POST", token=True)[0], 200)


if __name__ == "__main__":
    scenario.main()
