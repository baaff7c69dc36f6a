"""A pool of IPv4 and IPv6 addresses: each site is reached from one of its own kind."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))

import scenario
from scripted_receiver import Receiver


class EgressFamilies(scenario.Scenario):
    def zones(self):
        four = self.workspace.host(scenario.RECEIVER)
        return {"four.example": ["@ MX 10 mx", f"mx A {four}"], "six.example": ["@ MX 10 mx", "mx AAAA ::1"],
                "both.example": ["@ MX 10 mx", f"mx A {four}", "mx AAAA ::1"]}

    def _start(self, *pool):
        port = self.workspace.own_port
        self.four = self.workspace.add(Receiver(self.workspace.host(scenario.RECEIVER), port))
        self.six = self.workspace.add(Receiver("::1", port))
        return self.gateway(egress=[{"address": a, "hostname": f"out{n}.company.example"} for n, a in enumerate(pool)],
                            delivery={"port": port})

    def _sent(self, gateway, domain):
        """(our address, EHLO name) of one message."""
        before = [*self.four.messages, *self.six.messages]
        self.send(gateway, recipients=f"bob@{domain}")
        gateway.wait_until_empty()
        message, = [m for m in [*self.four.messages, *self.six.messages] if m not in before]
        return message.client, message.helo

    def test_each_kind_from_its_own(self):
        own = self.workspace.host(41)
        gateway = self._start(own, "::1")
        self.assertEqual(self._sent(gateway, "four.example"), (own, "out0.company.example"))
        self.assertEqual(self._sent(gateway, "six.example"), ("::1", "out1.company.example"))
        self.assertIn(self._sent(gateway, "both.example"), ((own, "out0.company.example"), ("::1", "out1.company.example")))

    def test_a_site_that_the_pool_cannot_reach_is_reached_all_the_same(self):
        own = self.workspace.host(41)
        gateway = self._start(own)
        self.assertEqual(self._sent(gateway, "six.example")[0], "::1")
        self.assertEqual(self._sent(gateway, "both.example")[0], own)


if __name__ == "__main__":
    scenario.main()
