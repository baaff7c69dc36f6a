"""Whatever a primary's web service answers: memory stays small, mail goes on, other primaries are read, the stop is prompt."""
import pathlib
import socket
import threading
import time

import scenario
from primary import PASSWORD, USER, Primary
from process import wait_for

MEMORY = 300 << 20
STOP = 10.0
SIGNED_IN = b'{"success":true,"accessToken":"a","refreshToken":"r","accessTokenExpiration":"2099-01-01T00:00:00Z"}'


def head(length):
    return f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode()


class Hostile:
    """Signs everybody in; to all else it says what `answer` sends by `send`, which fails when the client is gone."""

    def __init__(self, answer):
        self.answered = 0  # times
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            try:
                stream = client.makefile("rb")
                while line := stream.readline():
                    length = 0
                    while (field := stream.readline()) not in (b"\r\n", b""):
                        if field.lower().startswith(b"content-length:"):
                            length = int(field.split(b":")[1])
                    stream.read(length)
                    if b"authenticate-user" in line:
                        client.sendall(head(len(SIGNED_IN)) + SIGNED_IN)
                    else:
                        self.answered += 1
                        self._answer(client.sendall)
            except OSError:
                pass

    def close(self):
        self._socket.close()


def header_without_end(send):
    send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
    while True:
        send(b"X-Filler: " + b"x" * 8000 + b"\r\n")


def drip(send):
    send(head(1_000_000) + b"{")
    while True:
        time.sleep(1)
        send(b" ")


def whole(body):
    def answer(send):
        send(head(len(body)))
        for start in range(0, len(body), 1 << 20):
            send(body[start:start + (1 << 20)])
    return answer


def large(row, octets):
    """A list of domains that repeats `row` with numbers in it."""
    rows, size = [], 0
    while size < octets:
        rows.append(row % len(rows))
        size += len(rows[-1]) + 1
    return b'{"success":true,"data":[' + b",".join(rows) + b"]}"


ANSWERS = {
    "header without end": lambda: header_without_end,
    "an octet a second": lambda: drip,
    "80,000 objects": lambda: whole(b'{"success":true,"data":[' + b",".join([b"{}"] * 80_000) + b"]}"),
    "80,000 domains": lambda: whole(large(b'{"name":"d%d.example","isEnabled":true,"userCount":1}', 4_400_000)),
    "deep nesting": lambda: whole(b'{"success":true,"data":' + b"[" * 5_000_000),
    "63 MiB of domains": lambda: whole(large(b'{"name":"d%d.example","isEnabled":true}', 63 << 20)),
    "63 MiB in one name": lambda: whole(b'{"success":true,"data":[{"name":"' + b"x" * (63 << 20) + b'"}]}'),
    "63 MiB of values nobody wants": lambda: whole(b'{"success":true,"other":[' + b"1," * (31 << 20) + b"1]}"),
    "more than the bound": lambda: whole(b'{"success":true,"data":["' + b"x" * (65 << 20) + b'"]}'),
}
LONG = {"an octet a second", "63 MiB of values nobody wants"}  # may well last longer than all the rest


class HostilePrimary(scenario.Scenario):
    def _peak(self):
        """Octets of memory at most so far."""
        status = pathlib.Path(f"/proc/{self.postern.process.pid}/status").read_text()
        return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))

    def _beside(self, answer, long):
        hostile = self.workspace.add(Hostile(answer))
        honest = self.workspace.add(Primary(self.workspace))
        receiver = self.receiver()
        settings = {"poll_every": "1s", "request_gap": "0s", "username": USER, "password_file": honest.password_file,
                    "api": "rest"}
        self.postern = self.gateway(ready=False, primary=[
            {"name": "hostile", "addresses": [self.workspace.host(30)], "url": hostile.url} | settings,
            {"name": "honest", "addresses": ["127.0.0.1"], "url": honest.url} | settings])
        wait_for(lambda: hostile.answered > 0, "the hostile primary's first answer")
        self.send(self.postern)
        self.wait_for_messages(receiver, 1)
        # Some rounds of the honest one while the other goes on.
        self.postern.process.wait_for(
            lambda: len([each for each in self.postern.events("synced") if each["primary"] == "honest"]) >= 3,
            "the honest primary's rounds")
        if not long:
            wait_for(lambda: hostile.answered > 1, "the hostile primary's second answer")
        self.send(self.postern)
        self.wait_for_messages(receiver, 2)
        self.assertLess(self._peak(), MEMORY)
        began = time.monotonic()
        self.assertEqual(self.postern.stop(), 0)
        self.assertLess(time.monotonic() - began, STOP)

    def test_it_harms_nobody(self):
        for name, answer in ANSWERS.items():
            with self.each(answer=name):
                self._beside(answer(), name in LONG)


if __name__ == "__main__":
    scenario.main()
