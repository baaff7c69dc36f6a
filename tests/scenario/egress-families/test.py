"""A pool of IPv4 and IPv6 addresses: each site is reached from one of its own kind."""
import socket

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

    def test_by_the_family_that_works(self):
        """Both are published, one leads nowhere: in whichever order the pool has them, mail goes by the other."""
        own = self.workspace.host(41)
        for dead in ("six", "four"):
            for pool in (("::1", own), (own, "::1")):
                with self.each(dead=dead, first=pool[0]):
                    gateway = self._start(*pool)
                    getattr(self, dead).stop_listening()
                    expected = own if dead == "six" else "::1"
                    self.assertEqual(self._sent(gateway, "both.example")[0], expected)
                    self.assertEqual(gateway.events("deferred"), [])

    def test_without_a_pool_by_the_family_that_works(self):
        """IPv6 that is published and swallows everything holds nobody up, here or at the next site."""
        gateway = self._start()
        self.six.stop_listening()
        full = socket.create_server(("::1", self.workspace.own_port), family=socket.AF_INET6, backlog=0)
        self.addCleanup(full.close)
        waiting = []
        for _ in range(4):  # the last ones are in no queue any more
            one = socket.socket(socket.AF_INET6)
            one.setblocking(False)
            one.connect_ex(("::1", self.workspace.own_port))
            self.addCleanup(one.close)
            waiting.append(one)
        gateway.reload(delivery={"connect_timeout": "10m"})
        gateway.wait_for_event("reloaded")
        self._sent(gateway, "both.example")
        self.assertEqual(len(self.four.messages), 1)
        self.assertEqual(gateway.events("deferred"), [])


if __name__ == "__main__":
    scenario.main()
