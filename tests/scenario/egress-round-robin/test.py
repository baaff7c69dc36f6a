"""Round-robin: the addresses take turns, a listed one misses its own."""
import collections

import scenario
from scripted_receiver import refuse


class EgressRoundRobin(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.pool = [self.workspace.host(n) for n in (41, 42, 43)]
        self.dest = self.receiver()

    def _send(self, count):
        gateway = self.gateway(egress=[{"address": a, "hostname": f"out{n}.company.example"} for n, a in enumerate(self.pool)],
                               delivery={"rotation": "round-robin", "idle": "0s"})
        for n in range(count):
            self.send(gateway, recipients=f"u{n}@dest.example")
            gateway.wait_until_empty()
        return collections.Counter(message.client for message in self.dest.messages)

    def test_in_turn(self):
        self.assertEqual(self._send(12), {address: 4 for address in self.pool})
        names = {(m.client, m.helo) for m in self.dest.messages}
        self.assertEqual(names, {(a, f"out{n}.company.example") for n, a in enumerate(self.pool)})

    def test_a_listed_one_is_left_out(self):
        self.dest.on["MAIL"] = refuse(self.pool[1:2], "550 5.7.606 Access denied, banned sending IP [{client}]")
        counts = self._send(12)
        self.assertEqual(set(counts), {self.pool[0], self.pool[2]})
        self.assertEqual(sum(counts.values()), 12)
        self.assertEqual(len([s for s in self.dest.sessions if s.client == self.pool[1]]), 1)


if __name__ == "__main__":
    scenario.main()
