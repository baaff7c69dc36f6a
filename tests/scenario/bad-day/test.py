"""All at once: dead domains, tarpits, a large message for slow hosts, clients that drip, strangers and reloads. The rest goes on."""
import socket
import threading

import samples
import scenario
import smtp_client
from gateway import Gateway
from nsd import NameServer
from probes import Probes
from process import wait_for
from scripted_names import ScriptedNames
from scripted_receiver import Stall
from workspace import SMTP_PORT, STATUS_PORT

SILENT, TAR, SLOW = 3, 40, range(100, 108)  # hosts
NAMES = 600  # of each kind
SEVEN_BIT = ("PIPELINING", "SIZE 104857600", "ENHANCEDSTATUSCODES")


class Dripping:
    """Connections that send an octet of this now and then, and never come to an end."""

    def __init__(self, address, port, octets, count, source=None):
        self._octets, self._end = octets, threading.Event()
        self._sockets = [socket.create_connection((address, port), 60, (source, 0) if source else None) for _ in range(count)]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        at = 0
        while not self._end.wait(1):
            for one in self._sockets:
                try:
                    one.send(self._octets[at % len(self._octets):][:1])
                except OSError:
                    pass  # it was sent away
            at += 1

    def close(self):
        self._end.set()
        self._thread.join()
        for one in self._sockets:
            one.close()


class BadDay(scenario.Scenario):
    def zones(self):
        return super().zones() | {
            "new.example": ["* MX 10 mx1.dest.example."],
            "tar.example": [line for n in range(NAMES) for line in (f"t{n} MX 10 mx{n}", f"mx{n} A {self.workspace.host(TAR)}")],
            "slow.example": [line for n in SLOW for line in (f"s{n} MX 10 mx{n}", f"mx{n} A {self.workspace.host(n)}")]}

    def _gateway(self):
        silent = self.workspace.add(ScriptedNames(self.workspace.host(SILENT), lambda name, kind: None))
        self.name_server = self.workspace.add(NameServer(self.workspace, self.zones()))
        return self.workspace.add(Gateway(self.workspace, self.name_server, dns={
            "servers": [self.name_server.server], "timeout": "20s",
            "stub": self.name_server.stub | {"silent.example": silent.server}})).start()

    def _drip(self, *arguments):
        return self.workspace.add(Dripping(*arguments))

    def test_all_at_once(self):
        tar = self.receiver(TAR, on={"banner": Stall})
        slow = [self.receiver(n, extensions=SEVEN_BIT, reads=(4096, 0.5)) for n in SLOW]
        receiver = self.receiver()
        gateway = self._gateway()
        probes = Probes(self, gateway, receiver, ("probe{}@dest.example", "probe@d{}.new.example"))
        probes.take(3)
        stranger = self.workspace.host(scenario.STRANGER)
        self._drip(gateway.address, STATUS_PORT, b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 500, 150)
        self._drip(gateway.address, SMTP_PORT, b"NOOP\r\n", 100)
        self._drip(gateway.address, SMTP_PORT, b"NOOP " + b"x" * 1000 + b"\r\n", 20, stranger)
        self.send(gateway, recipients=[f"x@d{n}.silent.example" for n in range(NAMES)])
        self.send(gateway, recipients=[f"x@t{n}.tar.example" for n in range(NAMES)])
        content = samples.of_size(31 << 20).replace(b"0123", "ü=".encode() + b"4")
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            self.assertEqual(client.message("alice@company.example", [f"x@s{n}.slow.example" for n in SLOW], content,
                                            " BODY=8BITMIME").code, 250)
        wait_for(lambda: tar.stalled >= 5, "the first tarpits")
        for number in range(4):
            gateway.reload(queue={"report_size": f"{10 + number}KiB"})
            probes.take(2)
            # The next one would be one with this as long as this has not begun.
            gateway.process.wait_for(lambda: len(gateway.events("reloaded")) == number + 1, "the reload")
        probes.take_until(lambda: any(one.begun for one in slow), 11)
        probes.check()
        self.assertEqual(gateway.http("/healthz")[0], 200)
        self.assertEqual(gateway.command("status").returncode, 0)
        self.assertLess(tar.connections, 350, "of 500 that there are")
        for one in (tar, *slow):
            one.close()


if __name__ == "__main__":
    scenario.main()
