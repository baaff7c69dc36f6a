"""The base of all scenarios: a workspace per test, kept and named when the test fails."""
import contextlib
import time
import unittest

import samples
import smtp_client
from gateway import Gateway
from nsd import NameServer
from process import wait_for
from scripted_receiver import Receiver
from workspace import Workspace

PRIMARY, RECEIVER, SECOND_RECEIVER, STRANGER = 10, 20, 21, 66  # hosts in the workspace's network


class Scenario(unittest.TestCase):
    def run(self, result=None):
        self.workspace = self._new_workspace()
        bad = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) == bad:
            self.workspace.remove()
        else:
            self._keep()

    def _new_workspace(self):
        return Workspace(self.id().split(".")[-1].split()[0].removeprefix("test_"))

    def _keep(self):
        print(f"kept for inspection: {self.workspace.path}", flush=True)
        for log in self.workspace.path.glob("postern*/log"):
            print(f"--- the end of {log}:", *log.read_text(errors="replace").splitlines()[-25:], sep="\n", flush=True)

    def setUp(self):
        self.addCleanup(self.workspace.stop)
        self.primary_address = self.workspace.host(PRIMARY)

    @contextlib.contextmanager
    def each(self, **what):
        """A sub-test in a workspace of its own, with setUp() and clean-ups as for a test."""
        outer = self.workspace
        with self.subTest(**what):
            self.workspace = self._new_workspace()
            self.setUp()
            try:
                yield
                self.doCleanups()
                self.workspace.remove()
            except BaseException:
                self.doCleanups()
                self._keep()
                raise
            finally:
                self.workspace = outer

    def zones(self):
        """The zones served; dest.example has one exchanger, the receiver."""
        return {"dest.example": ["@ MX 10 mx1", f"mx1 A {self.workspace.host(RECEIVER)}"],
                "company.example": ["@ MX 10 primary", f"primary A {self.workspace.host(PRIMARY)}"]}

    def signed(self):
        """Which of the zones are signed."""
        return ()

    def tampered(self):
        """Which of them are changed after that: see NameServer."""
        return {}

    def gateway(self, ready=True, environment=None, errors=None, **settings):
        """A started gateway that asks a name server with zones()."""
        self.name_server = self.workspace.add(NameServer(self.workspace, self.zones(), signed=self.signed(),
                                                         tampered=self.tampered()))
        gateway = self.workspace.add(Gateway(self.workspace, self.name_server, **settings))
        gateway.environment, gateway.errors = environment, errors
        return gateway.start(ready)

    def send(self, gateway, sender="alice@company.example", recipients="bob@dest.example", content=None, **connection):
        """Hands one message to the gateway, which must take it."""
        reply = smtp_client.send(gateway.address, sender, recipients, content or samples.simple(), **connection)
        self.assertEqual(reply.code, 250, reply)

    def receiver(self, host=RECEIVER, **options):
        return self.workspace.add(Receiver(self.workspace.host(host), **options))

    def wait_for_messages(self, receiver, count):
        """Waits for `count` messages answered 250 and returns all there are."""
        wait_for(lambda: len(receiver.messages) >= count, f"{count} messages at the receiver")
        return receiver.messages


def main():
    started = time.monotonic()
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    print(f"{time.monotonic() - started:.1f} s", flush=True)
    raise SystemExit(not program.result.wasSuccessful())
