"""kill -9 at random moments under load: what got a 250 arrives, twice only where the receiver's 250 was in flight.

    kill9.py [--kills N] [--seed N]
"""
import argparse
import collections
import random
import re
import sys
import threading
import time

import samples
import smtp_client
from gateway import Gateway
from nsd import NameServer
from process import wait_for
from scripted_receiver import Receiver
from workspace import Workspace

SENDERS = 6
# Seconds before a kill in which a receiver's 250 may not have been written down yet, on a machine that does not stall.
IN_FLIGHT = 0.2


class Load:
    """Senders that go on until told to stop; `accepted` has what was answered 250, by id."""

    def __init__(self, gateway, seed):
        self._gateway, self._stop = gateway, threading.Event()
        self._lock = threading.Lock()
        self.sent, self.accepted = {}, set()
        self._threads = [threading.Thread(target=self._run, args=(random.Random(f"{seed}/{n}"), n), daemon=True)
                         for n in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _message(self, choice, name):
        recipients = [f"{name}.{r}@{choice.choice(('dest', 'other'))}.example" for r in range(choice.choice((1, 1, 1, 2, 7)))]
        size = choice.choice((1000, 4000, 4000, 20000, 60000)) if choice.random() < 0.98 else 400000
        return recipients, samples.of_size(size, name)

    def _run(self, choice, number):
        serial = 0
        while not self._stop.is_set():
            try:
                with smtp_client.Client(self._gateway.address, timeout=30) as client:
                    if client.greet().code != 250:
                        continue
                    while not self._stop.is_set():
                        serial += 1
                        name = f"m{number}-{serial}"
                        recipients, content = self._message(choice, name)
                        with self._lock:
                            self.sent[name] = recipients
                        if client.message("alice@company.example", recipients, content).code == 250:
                            with self._lock:
                                self.accepted.add(name)
            except (OSError, smtp_client.Closed):
                time.sleep(0.01)  # it has just been killed


class Stalls:
    """How long a small write to the gateway's disk takes, again and again: so long a note may take, too."""

    def __init__(self, folder):
        self._file, self._writes, self._going = open(folder / "probe", "wb", buffering=0), [], True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while self._going:
            begun = time.monotonic()
            self._file.seek(0)
            self._file.write(bytes(512))
            self._writes.append((begun, time.monotonic()))
            time.sleep(0.005)

    def stop(self):
        self._going = False
        self._thread.join()
        self._file.close()

    def longest(self, since, until):
        """Of a write, or between two of them, in this time."""
        moments = [moment for write in self._writes for moment in write if since - 1 < moment < until + 1]
        return max((later - sooner for sooner, later in zip(moments, moments[1:]) if sooner < until and later > since),
                   default=0)


def _refuse_some(choice):
    lock = threading.Lock()

    def answer(session, argument):
        with lock:
            return "451 4.3.0 not just now" if choice.random() < 0.03 else None
    return answer


def _duplicates(deliveries, kills, stalls):
    """(allowed, forbidden) recipients that got more than one copy.

    A copy is excused when its connection was cut by a kill before, or shortly after, its 250 was sent.
    """
    allowed, forbidden = [], []
    for recipient, copies in deliveries.items():
        if len(copies) < 2:
            continue
        def in_flight(kill, moment):
            late = kill - moment - IN_FLIGHT
            return late <= 0 or (late < 2 and late <= stalls.longest(moment, kill))
        excused = all(any(opened < kill and in_flight(kill, moment) for kill in kills)
                      for moment, opened in sorted(copies)[:-1])
        (allowed if excused else forbidden).append(recipient)
    return allowed, forbidden


def run(kills_wanted, seed):
    choice = random.Random(seed)
    workspace = Workspace("kill9")
    good = False
    try:
        hosts = {"dest.example": workspace.host(20), "other.example": workspace.host(21)}
        name_server = workspace.add(NameServer(workspace, {zone: ["@ MX 10 mx", f"mx A {host}"] for zone, host in hosts.items()}))
        receivers = [workspace.add(Receiver(host, on={"RCPT": _refuse_some(random.Random(f"{seed}/rcpt")),
                                                      ".": _refuse_some(random.Random(f"{seed}/dot"))}))
                     for host in hosts.values()]
        gateway = workspace.add(Gateway(workspace, name_server, log={"format": "json", "level": "warning"})).start()
        load, kills, stalls = Load(gateway, seed), [], Stalls(gateway.state_dir.parent)
        for _ in range(kills_wanted):
            time.sleep(choice.uniform(0.02, 0.7))  # the moment is what is tested
            gateway.process.require_running()
            kills.append(time.monotonic())
            gateway.kill()
            gateway.start()
        load.stop()
        gateway.wait_until_empty(240)
        stalls.stop()

        answered = {id(message): moment for receiver in receivers for message, moment in receiver.answers}
        deliveries, contents = collections.defaultdict(list), collections.defaultdict(set)
        for message in (m for receiver in receivers for m in receiver.messages):
            name = re.search(rb"^Subject: (\S+)\r$", message.data, re.M)[1].decode()
            contents[name].add(samples.without_trace(message.data))
            for recipient in message.recipients:
                deliveries[recipient].append((answered.get(id(message), message.time), message.opened))
        promised = {recipient for name in load.accepted for recipient in load.sent[name]}
        lost = sorted(promised - deliveries.keys())
        changed = sorted(name for name, seen in contents.items()
                         if {len(c) for c in seen} - {1000, 4000, 20000, 60000, 400000} or len(seen) != 1)
        allowed, forbidden = _duplicates(deliveries, kills, stalls)
        damaged = gateway.damaged()
        print(f"seed {seed}: {len(kills)} kills, {len(load.sent)} messages sent, {len(load.accepted)} answered 250 "
              f"for {len(promised)} recipients; lost {len(lost)}, changed {len(changed)}, damaged records {damaged}, "
              f"duplicates in flight {len(allowed)}, other duplicates {len(forbidden)}", flush=True)
        for title, names in (("lost", lost), ("changed", changed), ("duplicate", forbidden)):
            for name in names[:10]:
                print(f"  {title}: {name} {[round(t - kills[0], 3) for t, _ in deliveries.get(name, [])]}")
        if forbidden:
            print("  kills at", [round(kill - kills[0], 3) for kill in kills])
        good = not lost and not changed and not forbidden and not damaged and len(load.accepted) > 10 * len(kills)
        workspace.stop()
    except BaseException:
        good = False
        raise
    finally:
        try:
            workspace.stop()
        finally:
            print("passed" if good else f"FAILED (seed {seed}), kept for inspection: {workspace.path}", flush=True)
            if good:
                workspace.remove()
    return good


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    sys.exit(0 if run(options.kills, options.seed) else 1)
