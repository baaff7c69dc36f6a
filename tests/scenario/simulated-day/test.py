"""A day with fifty sites, of which five are down, five slow, five defer and two blacklist one of our addresses.

Every message is accounted for. How long the healthy sites' mail took, next to a day on which all are healthy, is printed: a
figure, not a verdict, for on a busy machine it is noise.
"""
import collections
import json
import statistics
import threading
import time

import samples
import scenario
import smtp_client
from scripted_receiver import Stall, refuse

SITES = [f"site{n:02}.example" for n in range(50)]
UNREACHABLE, SILENT, SLOW, DEFERRING, BLACKLISTING = range(0, 3), range(3, 5), range(5, 10), range(10, 15), range(15, 17)
HEALTHY = range(17, 50)
CLIENTS, PER_CLIENT = 4, 200
PAUSE = 0.02  # seconds between two messages of a client: a load that leaves room, or latency would be the machine's queue


class SimulatedDay(scenario.Scenario):
    FIRST_HOST = 100

    def zones(self):
        return super().zones() | {site: ["@ MX 10 mx", f"mx A {self.workspace.host(self.FIRST_HOST + n)}"]
                                  for n, site in enumerate(SITES)}

    def _misbehave(self):
        for n in UNREACHABLE:
            self.sites[n].stop_listening()
        for n in SILENT:
            self.sites[n].on["banner"] = Stall
        for n in SLOW:
            self.sites[n].on["."] = lambda session, _: time.sleep(0.3)
        for n in DEFERRING:
            attempts = collections.Counter()

            def answer(session, path, attempts=attempts):
                attempts[path] += 1
                return "450 4.2.0 greylisted" if attempts[path] < 3 else None
            self.sites[n].on["RCPT"] = answer
        for n in BLACKLISTING:
            self.sites[n].on["MAIL"] = refuse(self.pool[:1], "550 5.7.606 Access denied, banned sending IP [{client}]")

    def _recipients(self, client, number):
        """One site mostly, three at times; one message in fifty has an unknown recipient too."""
        name = f"c{client}m{number}"
        first = (client * 13 + number) % len(SITES)
        places = [first] if number % 10 else [first, (first + 17) % len(SITES), (first + 34) % len(SITES)]
        unknown = [f"unknown-{name}@{SITES[HEALTHY[number % len(HEALTHY)]]}"] if number % 50 == 7 else []
        return [f"{name}@{SITES[place]}" for place in places] + unknown

    def _work(self, gateway, client, taken):
        with smtp_client.Client(gateway.address) as connection:
            connection.greet()
            for number in range(PER_CLIENT):
                time.sleep(PAUSE)
                recipients = self._recipients(client, number)
                reply = connection.message(f"user{client}@company.example", recipients, samples.simple(f"message {number}"))
                if (reply.code, connection.refused) == (250, {}):
                    taken.update(dict.fromkeys(recipients, time.monotonic()))

    def _day(self, bad):
        """{recipient: seconds from our 250 to the receiver's} of the healthy sites."""
        self.pool = [self.workspace.host(n) for n in (41, 42)]
        self.primary = self.receiver(scenario.PRIMARY)
        self.sites = [self.receiver(self.FIRST_HOST + n, name=f"mx.{site}") for n, site in enumerate(SITES)]
        for n in HEALTHY:
            self.sites[n].on["RCPT"] = lambda session, path: "550 5.1.1 no such user" if path.startswith("unknown") else None
        if bad:
            self._misbehave()
        gateway = self.gateway(egress=[{"address": a} for a in self.pool],
                               delivery={"command_timeout": "5s", "connect_timeout": "5s"})
        taken = {}
        workers = [threading.Thread(target=self._work, args=(gateway, n, taken)) for n in range(CLIENTS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.assertEqual(len(taken), len({r for c in range(CLIENTS) for n in range(PER_CLIENT) for r in self._recipients(c, n)}))
        if bad:
            self._evening(gateway, taken)
        gateway.wait_until_empty(180)
        self._account(gateway, taken)
        healthy = {r: m.time - taken[r] for n in HEALTHY for m in self.sites[n].messages for r in m.recipients}
        return healthy

    def _evening(self, gateway, taken):
        """All but the dead sites' mail has arrived; then these come back."""
        dead = {SITES[n] for n in (*UNREACHABLE, *SILENT)}
        gateway.process.wait_for(lambda: all(r["address"].split("@")[1] in dead or r["state"] in ("delivered", "failed")
                                             for m in self._all(gateway) for r in m["recipients"]), "all other mail", 180)
        waiting = {r["address"] for m in self._all(gateway) for r in m["recipients"]
                   if r["state"] not in ("delivered", "failed")}
        self.assertEqual(waiting, {r for r in taken if r.split("@")[1] in dead})
        for n in UNREACHABLE:
            self.sites[n].start()
        for n in SILENT:
            self.sites[n].on.clear()
        gateway.command("queue", "retry")

    def _all(self, gateway):
        return json.loads(gateway.command("queue", "list", "--json", "--limit", "10000").stdout)["messages"]

    def _account(self, gateway, taken):
        """Each recipient got one copy, or its sender one report."""
        got = collections.Counter(r for site in self.sites for m in site.messages for r in m.recipients)
        unknown = {r for r in taken if r.startswith("unknown")}
        self.assertEqual(got, collections.Counter(dict.fromkeys(set(taken) - unknown, 1)))
        reports = b"".join(m.data for m in self.primary.messages).decode()
        self.assertEqual(len(self.primary.messages), len(unknown))
        for recipient in unknown:
            self.assertIn(recipient, reports)
        self.assertEqual({e["to"] for e in gateway.events("bounced")}, unknown)
        delivered = collections.Counter(e["to"] for e in gateway.events("delivered") if e["to"] in taken)
        self.assertEqual(delivered, got)

    def test_every_message_is_accounted_for(self):
        days = {}
        with self.each(day="good"):
            days["all healthy"] = self._day(False)
        with self.each(day="bad"):
            days["the bad ones among them"] = self._day(True)
            self.assertEqual({m.client for n in BLACKLISTING for m in self.sites[n].messages}, {self.pool[1]})
        self._print(days)

    def _print(self, days):
        medians = []
        for name, day in days.items():
            values = sorted(day.values())
            medians.append(statistics.median(values))
            print(f"latency at healthy sites, {name}: median {medians[-1] * 1000:.1f} ms, "
                  f"95 % below {values[len(values) * 95 // 100] * 1000:.1f} ms, {len(values)} messages", flush=True)
        print(f"ratio of the medians: {medians[-1] / medians[0]:.2f}", flush=True)


if __name__ == "__main__":
    scenario.main()
