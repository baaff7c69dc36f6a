"""Through which gateway mail goes: by user, then by domain, then for everybody, then by turns."""
import samples
import scenario
import smtp_client


class GatewayRoutes(scenario.Scenario):
    A, B, C = 31, 32, 33

    def _gateways(self, **types):
        return [{"name": name, "address": f"{self.workspace.host(getattr(self, name.upper()))}:2525", "type": kind}
                for name, kind in types.items()]

    def _send(self, gateway, senders):
        for n, sender in enumerate(senders):
            self.assertEqual(smtp_client.send(gateway.address, sender, f"u{n}@dest.example", samples.simple()).code, 250)
        gateway.wait_until_empty()

    def test_the_most_specific_rule_wins(self):
        a, b, c, mx = self.receiver(self.A), self.receiver(self.B), self.receiver(self.C), self.receiver()
        gateway = self.gateway(gateway=self._gateways(a="specified", b="specified", c="specified"),
                               route=[{"sender": "*", "gateway": "c"}, {"sender": "ceo@company.example", "gateway": "a"},
                                      {"sender": "company.example", "gateway": "b"}])
        self._send(gateway, ["alice@company.example", "CEO@Company.Example", "x@other.example", ""])
        self.assertEqual([m.sender.lower() for m in a.messages], ["ceo@company.example"])
        self.assertEqual([m.sender for m in b.messages], ["alice@company.example"])
        self.assertEqual([m.sender for m in c.messages if m.sender], ["x@other.example"])
        self.assertEqual([m.sender for m in mx.messages if m.sender], [])

    def test_no_rule_and_no_turns_means_the_exchangers(self):
        a, mx = self.receiver(self.A), self.receiver()
        gateway = self.gateway(gateway=self._gateways(a="specified"), route=[{"sender": "ceo@company.example", "gateway": "a"}])
        self._send(gateway, ["alice@company.example", "ceo@company.example"])
        self.assertEqual([m.sender for m in mx.messages], ["alice@company.example"])
        self.assertEqual([m.sender for m in a.messages], ["ceo@company.example"])

    def test_gateways_take_turns(self):
        a, b = self.receiver(self.A), self.receiver(self.B)
        gateway = self.gateway(gateway=self._gateways(a="round-robin", b="round-robin"))
        for n in range(10):
            self._send(gateway, ["alice@company.example"])
        self.assertEqual((len(a.messages), len(b.messages)), (5, 5))

    def test_a_gateway_that_is_down_misses_its_turns(self):
        a, b = self.receiver(self.A), self.receiver(self.B)
        a.stop_listening()
        gateway = self.gateway(gateway=self._gateways(a="round-robin", b="round-robin"))
        self._send(gateway, ["alice@company.example"] * 10)
        self.assertEqual(len(b.messages), 10)

    def test_a_gateway_that_is_back_takes_its_turns_again(self):
        a, b = self.receiver(self.A), self.receiver(self.B)
        a.stop_listening()
        gateway = self.gateway(gateway=self._gateways(a="round-robin", b="round-robin"))
        self._send(gateway, ["alice@company.example"] * 4)
        self.assertEqual((len(a.messages), len(b.messages)), (0, 4))
        a.start()

        def returned():
            self._send(gateway, ["alice@company.example"])
            return a.messages
        gateway.process.wait_for(returned, "mail through the gateway that is back")

    def test_a_disabled_gateway_is_not_used(self):
        a, b = self.receiver(self.A), self.receiver(self.B)
        gateways = self._gateways(a="round-robin", b="round-robin")
        gateways[0]["status"] = "disabled"
        gateway = self.gateway(gateway=gateways)
        self._send(gateway, ["alice@company.example"] * 4)
        self.assertEqual((len(a.sessions), len(b.messages)), (0, 4))

    def test_recipients_of_many_domains_share_a_transaction_to_a_gateway(self):
        a = self.receiver(self.A)
        gateway = self.gateway(gateway=self._gateways(a="specified"), route=[{"sender": "*", "gateway": "a"}])
        recipients = [f"u{n}@domain{n}.example" for n in range(20)]
        smtp_client.send(gateway.address, "alice@company.example", recipients, samples.simple())
        gateway.wait_until_empty()
        self.assertEqual(len(a.messages), 1)
        self.assertEqual(sorted(a.messages[0].recipients), sorted(recipients))


if __name__ == "__main__":
    scenario.main()
