"""Other people's mail, beside what a test does to a gateway: how long it takes, and what memory the gateway needs meanwhile."""
import pathlib
import statistics
import time

import samples
import smtp_client
from gateway import Gateway
from process import wait_for

PROMISE = 2.0  # seconds
MEMORY = 300 << 20  # bytes


class Probes:
    """Each goes through the gateway, and one right after it through a second gateway that has nothing else to do: a
    machine that is slow at that moment is slow for both."""

    def __init__(self, test, gateway, receiver, recipients=("probe{}@dest.example",)):
        """`recipients`: in turn, with the number of the probe in the place of {}."""
        self._test, self._gateway, self._receiver, self._recipients = test, gateway, receiver, recipients
        self._idle = Gateway(test.workspace, test.name_server, name="postern-idle", host=9)
        test.workspace.add(self._idle).start()
        self.times, self.idle, self._number = [], [], 0

    def _through(self, gateway, recipient):
        begun = time.monotonic()
        reply = smtp_client.send(gateway.address, "alice@company.example", recipient, samples.simple(f"probe {self._number}"))
        self._test.assertEqual(reply.code, 250, reply)
        arrived = wait_for(lambda: next((m for m in list(self._receiver.messages) if m.recipients == (recipient,)), None),
                           f"the probe to {recipient}")
        return arrived.time - begun

    def take(self, count=1):
        for _ in range(count):
            for gateway, times, prefix in ((self._gateway, self.times, ""), (self._idle, self.idle, "idle-")):
                self._number += 1
                recipient = self._recipients[len(times) % len(self._recipients)].format(self._number)
                times.append(self._through(gateway, prefix + recipient))
            self._test.assertLess(peak_memory(self._gateway), MEMORY)

    def take_until(self, condition, least=5, deadline=240.0):
        """One after the other, until the condition is true, and `least` at least."""
        end = time.monotonic() + deadline
        while len(self.times) < least or not condition():
            self.take()
            self._test.assertLess(time.monotonic(), end, "what was waited for beside the probes")

    def check(self):
        """The promise: in the middle within two seconds, or not much beyond what the machine does at that moment."""
        middle, idle = statistics.median(self.times), statistics.median(self.idle)
        print(f"{len(self.times)} probes: median {middle:.2f} s, worst {max(self.times):.2f} s; beside an idle gateway "
              f"{idle:.2f} s, worst {max(self.idle):.2f} s; at most {peak_memory(self._gateway) >> 20} MiB", flush=True)
        self._test.assertLess(middle, max(PROMISE, 5 * idle), self.times)


def peak_memory(gateway):
    """The most the process ever had resident, in bytes."""
    status = pathlib.Path(f"/proc/{gateway.process.pid}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM:"))
