"""A disk that fills up: accepted mail is kept and delivered, new mail is put off, room brings everything back."""
import collections
import os
import subprocess
import threading

import samples
import scenario
import smtp_client
from gateway import ACCOUNT


class FullDisk(scenario.Scenario):
    SIZE = 24 << 20

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("mounting a small file system needs root")
        self.disk = self.workspace.folder("disk")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.SIZE},mode=755", "postern-test", self.disk],
                              capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest(f"mounting a small file system is not permitted here: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=True)
        self.addCleanup(self.workspace.stop)  # before the disk goes
        self.state = self.workspace.folder("disk/state", owner=ACCOUNT)

    def _start(self, receiver, minimum_free):
        receiver.stop_listening()
        gateway = self.gateway(state_dir=self.state, accept={"sender": "any", "minimum_free": minimum_free},
                               queue={"retry_first": "1s", "retry_max": "1s", "volume_size": "4MiB"})
        gateway.state_dir = self.state
        return gateway

    def _fill(self, gateway, size):
        """Sends until refused; what was answered 250, and the refusal."""
        accepted = []
        for n in range(self.SIZE // size + 10):
            reply = smtp_client.send(gateway.address, "alice@company.example", f"u{n}@dest.example",
                                     samples.of_size(size, f"number {n}"))
            if reply.code != 250:
                return accepted, reply
            accepted.append(f"u{n}@dest.example")
        self.fail("the disk took more than it has")

    def _drains(self, gateway, receiver, accepted, size):
        receiver.start()
        gateway.wait_until_empty(120)
        self.assertEqual(sorted(m.recipients[0] for m in receiver.messages), sorted(accepted))
        for message in receiver.messages:
            self.assertEqual(len(samples.without_trace(message.data)), size)

    def _takes_mail(self, gateway):
        def taken():
            return smtp_client.send(gateway.address, "alice@company.example", "after@dest.example", samples.simple()).code == 250
        gateway.process.wait_for(taken, "mail being taken again")

    def test_refused_before_it_is_full(self):
        receiver = self.receiver()
        gateway = self._start(receiver, "6MiB")
        accepted, refusal = self._fill(gateway, 100 << 10)
        self.assertEqual((refusal.code, refusal.enhanced), (452, "4.3.1"), refusal)
        self.assertGreater(len(accepted), 20)
        self.assertEqual(gateway.http("/readyz")[0], 503)
        self._drains(gateway, receiver, accepted, 100 << 10)
        self._takes_mail(gateway)

    def _really_full(self, size):
        receiver = self.receiver()
        gateway = self._start(receiver, "0B")
        accepted, refusal = self._fill(gateway, size)
        self.assertEqual(refusal.code // 100, 4, refusal)
        gateway.process.require_running()
        self._drains(gateway, receiver, accepted, size)
        self._takes_mail(gateway)

    def test_really_full_by_small_messages(self):
        self._really_full(50 << 10)

    def test_really_full_by_large_messages(self):
        self._really_full(1 << 20)

    def test_filled_by_somebody_else_and_killed(self):
        receiver = self.receiver()
        gateway = self._start(receiver, "0B")
        accepted = []
        for n in range(20):
            self.assertEqual(smtp_client.send(gateway.address, "alice@company.example", f"u{n}@dest.example",
                                              samples.of_size(10 << 10, f"number {n}")).code, 250)
            accepted.append(f"u{n}@dest.example")
        self._fill_disk()
        reply = smtp_client.send(gateway.address, "alice@company.example", "late@dest.example", samples.of_size(300 << 10))
        self.assertEqual(reply.code // 100, 4, reply)
        gateway.kill()
        gateway.start(ready=False)  # it comes up on a full disk, too
        (self.disk / "ballast").unlink()
        self._drains(gateway, receiver, accepted, 10 << 10)
        self._takes_mail(gateway)

    def _fill_disk(self):
        with open(self.disk / "ballast", "ab", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"x" * 4096)
            except OSError:
                pass

    def _send_until(self, gateway, number, over, answers):
        """Goes on whatever it is answered; what got a 250 is in `answers`."""
        n = 0
        while not over.is_set():
            recipient = f"c{number}m{n}@dest.example"
            size = 400 << 10 if n % 9 == 0 else 6 << 10
            n += 1
            try:
                answers[recipient] = smtp_client.send(gateway.address, "alice@company.example", recipient,
                                                      samples.of_size(size, recipient)).code
            except (OSError, smtp_client.Closed):
                answers[recipient] = 0

    def test_filled_and_emptied_ten_times_under_load(self):
        receiver = self.receiver()
        gateway = self._start(receiver, "0B")
        receiver.start()
        over, answers = threading.Event(), {}
        clients = [threading.Thread(target=self._send_until, args=(gateway, n, over, answers)) for n in range(4)]
        for client in clients:
            client.start()

        def heard(code):
            return sum(1 for c in list(answers.values()) if c == code)

        def answered(code, meanwhile=lambda: None):
            """One more client than there are has heard it."""
            before = heard(code)
            gateway.process.wait_for(lambda: (meanwhile(), heard(code) > before + len(clients))[1], f"some answers of {code}")
        try:
            for _ in range(10):
                answered(250)
                # What the gateway gives back of the mail that goes is taken too.
                answered(452, self._fill_disk)
                (self.disk / "ballast").unlink()
        finally:
            over.set()
            for client in clients:
                client.join()
        gateway.process.require_running()
        gateway.wait_until_empty(120)
        accepted = {recipient for recipient, code in answers.items() if code == 250}
        got = collections.Counter(r for m in receiver.messages for r in m.recipients)
        self.assertEqual(set(got), accepted)
        self.assertEqual([r for r, times in got.items() if times > 1], [])
        self.assertEqual({code for code in answers.values()} - {250, 451, 452}, set())
        self._takes_mail(gateway)


if __name__ == "__main__":
    scenario.main()
