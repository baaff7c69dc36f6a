"""A new address warms up: so many messages a day, the rest leaves from the others."""
import collections
import json

import scenario


class WarmUp(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.pool = [self.workspace.host(n) for n in (41, 42)]
        self.dest = self.receiver()

    def _send(self, gateway, count):
        before = len(self.dest.messages)
        for n in range(count):
            self.send(gateway, recipients=f"u{n}@dest.example")
            gateway.wait_until_empty()
        return collections.Counter(m.client for m in self.dest.messages[before:])

    def _view(self, gateway, address):
        pool = json.loads(gateway.command("egress", "list", "--json").stdout)["egress"]
        return next(view for view in pool if view["address"] == address)

    def test_the_allowance_of_the_first_day(self):
        gateway = self.gateway(egress=[{"address": self.pool[0], "warm_up": "yes"}, {"address": self.pool[1], "warm_up": "no"}],
                               delivery={"warm_up": [3, 6], "idle": "0s"})
        self.assertEqual(self._send(gateway, 8), {self.pool[0]: 3, self.pool[1]: 5})
        view = self._view(gateway, self.pool[0])
        self.assertEqual((view["allowance"], view["sent_today"], view["warm_up_day"]), (3, 3, 1))
        self.assertIsNone(self._view(gateway, self.pool[1])["allowance"])

    def test_the_count_outlives_a_restart(self):
        gateway = self.gateway(egress=[{"address": self.pool[0], "warm_up": "yes"}, {"address": self.pool[1], "warm_up": "no"}],
                               delivery={"warm_up": [3, 6], "idle": "0s"})
        self._send(gateway, 2)
        gateway.stop()
        gateway.start()
        self.assertEqual(self._send(gateway, 4), {self.pool[0]: 1, self.pool[1]: 3})

    def test_an_address_that_joins_a_pool_in_use(self):
        gateway = self.gateway(egress=[{"address": self.pool[1]}], delivery={"warm_up": [2], "idle": "0s"})
        self.assertEqual(self._send(gateway, 4), {self.pool[1]: 4})
        gateway.stop()
        gateway.configure(egress=[{"address": a} for a in self.pool])
        gateway.start()
        self.assertEqual(self._send(gateway, 5), {self.pool[0]: 2, self.pool[1]: 3})

    def test_a_pool_that_is_all_new_is_not_held_back(self):
        gateway = self.gateway(egress=[{"address": a} for a in self.pool], delivery={"warm_up": [2], "idle": "0s"})
        self.assertEqual(self._send(gateway, 5), {self.pool[0]: 5})

    def test_mail_is_never_stuck_when_all_allowances_are_used(self):
        gateway = self.gateway(egress=[{"address": a, "warm_up": "yes"} for a in self.pool],
                               delivery={"warm_up": [2], "idle": "0s"})
        self.assertEqual(sum(self._send(gateway, 7).values()), 7)


if __name__ == "__main__":
    scenario.main()
