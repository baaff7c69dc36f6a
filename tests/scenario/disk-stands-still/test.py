"""A disk that does not answer holds up what is written to it, and nobody else: clients are spoken with all the time."""
import os
import pathlib
import threading
import time

import samples
import scenario
import smtp_client
from process import wait_for

_ROOT = pathlib.Path(__file__).resolve().parents[3]
LIBRARY = pathlib.Path(os.environ.get("STILL_DISK_LIBRARY", _ROOT / "build/release/tests/support/libstill_disk.so"))
STILL = 10.0  # seconds it does not answer for
AT_ONCE = 5.0  # seconds, of which a small part is needed: it is not the disk that is waited for


class DiskStandsStill(scenario.Scenario):
    def _start(self, **settings):
        self.still = self.workspace.path / "still"
        self.addCleanup(self._goes_on)
        environment = {"LD_PRELOAD": str(LIBRARY), "STILL_DISK_BELOW": str(self.workspace.path / "postern" / "state"),
                       "STILL_DISK_WHILE": str(self.still)}
        return self.gateway(environment=environment, **settings)

    def _stands_still(self):
        self.still.touch()

    def _goes_on(self):
        self.still.unlink(missing_ok=True)

    def _at_once(self, what):
        begun = time.monotonic()
        out = what()
        self.assertLess(time.monotonic() - begun, AT_ONCE)
        return out

    def _dialogue(self, gateway):
        """What needs no disk, each reply of it at once."""
        with smtp_client.Client(gateway.address) as client:
            self.assertEqual(self._at_once(client.greet).code, 250)
            for command, code in (("MAIL FROM:<alice@company.example>", 250), ("RCPT TO:<bob@dest.example>", 250),
                                  ("RCPT TO:<@bad>", 501), ("RSET", 250), ("QUIT", 221)):
                self.assertEqual(self._at_once(lambda: client.say(command)).code, code)
        with smtp_client.Client(gateway.address, source=self.workspace.host(scenario.STRANGER)) as client:
            self.assertEqual(self._at_once(client.greet).code, 250)
            self.assertEqual(self._at_once(lambda: client.say("MAIL FROM:<x@else.example>")).code, 250)
            self.assertEqual(self._at_once(lambda: client.say("RCPT TO:<bob@dest.example>")).code, 550)

    def test_large_mail_waits_for_it_and_others_do_not(self):
        receiver = self.receiver()
        gateway = self._start()
        content = samples.of_size(24 << 20)
        sent, replies = [0], []

        def send():
            with smtp_client.Client(gateway.address) as client:
                client.greet()
                for command in ("MAIL FROM:<alice@company.example>", "RCPT TO:<bob@dest.example>", "DATA"):
                    client.say(command)
                stuffed = smtp_client.stuff_dots(content)
                for at in range(0, len(stuffed), 64 << 10):
                    client.send(stuffed[at:at + (64 << 10)])
                    sent[0] += 64 << 10
                    if sent[0] == 2 << 20:
                        self._stands_still()
                replies.append(client.reply())
        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        wait_for(self.still.exists, "the middle of the message")
        end = time.monotonic() + STILL
        while time.monotonic() < end:
            self._dialogue(gateway)
        # What the client has got rid of lies in the buffers of two sockets, not in our memory.
        self.assertLess(sent[0], len(content) - (4 << 20))
        self.assertEqual(replies, [])
        self._goes_on()
        sender.join()
        self.assertEqual(replies[0].code, 250)
        self.assertEqual(samples.without_trace(self.wait_for_messages(receiver, 1)[0].data), content)
        gateway.wait_until_empty()

    def test_many_that_wait_for_it_hold_little_memory(self):
        gateway = self._start()
        self.receiver()
        content = samples.of_size(250 << 10)
        before = self._resident(gateway)
        self._stands_still()
        clients = []
        for n in range(40):
            client = smtp_client.Client(gateway.address)
            self.addCleanup(client.close)
            client.greet()
            for command in ("MAIL FROM:<alice@company.example>", f"RCPT TO:<u{n}@dest.example>", "DATA"):
                self._at_once(lambda: client.say(command))
            client.send(smtp_client.stuff_dots(content))
            clients.append(client)
        self._dialogue(gateway)
        self.assertLess(self._resident(gateway) - before, 60 << 20)
        self._goes_on()
        self.assertEqual({client.reply().code for client in clients}, {250})
        gateway.wait_until_empty()

    @staticmethod
    def _resident(gateway):
        with open(f"/proc/{gateway.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * 4096


if __name__ == "__main__":
    scenario.main()
