"""Per-domain: each sender domain keeps its address, and only a dropped address's domains move."""
import scenario

DOMAINS = [f"tenant{n}.example" for n in range(24)]


class EgressPerDomain(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.pool = [self.workspace.host(n) for n in (41, 42, 43)]
        self.dest = self.receiver()

    def _round(self, gateway):
        """{sender domain: the addresses its mail came from} of one message each."""
        before = len(self.dest.messages)
        for domain in DOMAINS:
            self.send(gateway, f"user@{domain}")
        gateway.wait_until_empty()
        self.assertEqual(len(self.dest.messages), before + len(DOMAINS))
        return {m.sender.split("@")[1]: m.client for m in self.dest.messages[before:]}

    def test_each_domain_keeps_its_address(self):
        gateway = self.gateway(egress=[{"address": a} for a in self.pool], delivery={"rotation": "per-domain"})
        first = self._round(gateway)
        self.assertEqual(set(first.values()), set(self.pool))
        self.assertEqual(self._round(gateway), first)
        gateway.stop()
        gateway.start()
        self.assertEqual(self._round(gateway), first)
        gateway.command("egress", "suspend", self.pool[1])
        moved = self._round(gateway)
        for domain in DOMAINS:
            if first[domain] == self.pool[1]:
                self.assertNotEqual(moved[domain], self.pool[1])
            else:
                self.assertEqual(moved[domain], first[domain])
        gateway.command("egress", "resume", self.pool[1])
        self.assertEqual(self._round(gateway), first)


if __name__ == "__main__":
    scenario.main()
