"""MTA-STS (RFC 8461): a domain's policy, fetched over HTTPS, decides which hosts its mail may go to and how."""
import scenario
from certificates import Authority
from policy_server import PolicyServer, policy


class MtaSts(scenario.Scenario):
    POLICY_HOST = 9

    def setUp(self):
        super().setUp()
        self.authority = Authority(self.workspace)
        self.good = self.authority.issue("mx1.dest.example")
        self.wrong = self.authority.issue("somebody.example")
        self.tls = {"ca_file": self.authority.certificate}
        self.server = None

    def _records(self, identity="1"):
        return ["@ MX 10 mx1", f"mx1 A {self.workspace.host(scenario.RECEIVER)}", "$TTL 1",
                f"mta-sts A {self.workspace.host(self.POLICY_HOST)}", f'_mta-sts TXT "v=STSv1; id={identity};"']

    def zones(self):
        return super().zones() | {"dest.example": self._records()}

    def _publish(self, text, *names):
        self.server = self.workspace.add(PolicyServer(self.workspace.host(self.POLICY_HOST),
                                                      self.authority.issue(*(names or ["mta-sts.dest.example"])), text))

    def _send(self, certificate, **settings):
        receiver = self.receiver(tls=certificate and certificate.server_context())
        gateway = self.gateway(**{"tls": self.tls, **settings})
        self.send(gateway)
        return receiver, gateway

    def _delivered(self, certificate, **settings):
        receiver, gateway = self._send(certificate, **settings)
        event = gateway.wait_for_event("delivered")
        self.assertEqual(gateway.events("deferred"), [])
        return event, receiver, gateway

    def _deferred(self, certificate, **settings):
        receiver, gateway = self._send(certificate, **settings)
        event = gateway.wait_for_event("deferred")
        gateway.process.wait_for(lambda: len(gateway.events("deferred")) >= 2, "two deferrals")
        self.assertEqual(receiver.offered, [])
        return event, receiver, gateway

    def test_enforced_and_good(self):
        self._publish(policy("mx1.dest.example"))
        event, receiver, _ = self._delivered(self.good)
        self.assertTrue(receiver.messages[0].tls)
        self.assertIn("MTA-STS", event["tls"])
        self.assertEqual(self.server.requests, [("mta-sts.dest.example", "/.well-known/mta-sts.txt")])

    def test_enforced_by_a_pattern(self):
        self._publish(policy("*.dest.example"))
        self.assertIn("MTA-STS", self._delivered(self.good)[0]["tls"])

    def test_enforced_and_the_wrong_name(self):
        self._publish(policy("mx1.dest.example"))
        event, _, _ = self._deferred(self.wrong)
        self.assertEqual(event["stage"], "tls")

    def test_enforced_and_an_authority_nobody_knows(self):
        self._publish(policy("mx1.dest.example"))
        self._deferred(Authority(self.workspace, "unknown-authority").issue("mx1.dest.example"))

    def test_enforced_and_no_tls(self):
        self._publish(policy("mx1.dest.example"))
        self._deferred(None)

    def test_enforced_and_a_host_that_is_not_in_it(self):
        self._publish(policy("mx2.dest.example", "*.mx1.dest.example"))
        event, receiver, _ = self._deferred(self.good)
        self.assertIn("MTA-STS", event["reason"])
        self.assertEqual(receiver.sessions, [])

    def test_another_domain_with_the_same_exchangers_has_no_say(self):
        """Its policy lists a host more; that is no licence for the mail of a domain whose policy does not."""
        both = ["@ MX 5 evil.attacker.example.", "@ MX 10 mx1.dest.example."]
        attacker, host = self.workspace.host(scenario.SECOND_RECEIVER), self.workspace.host(8)
        self.zones = lambda: {"dest.example": self._records()[1:] + both, "attacker.example": both + [
            f"evil A {attacker}", f"mta-sts A {host}", '_mta-sts TXT "v=STSv1; id=1;"']}
        self._publish(policy("mx1.dest.example"))
        self.workspace.add(PolicyServer(host, self.authority.issue("mta-sts.attacker.example"),
                                        policy("mx1.dest.example", "evil.attacker.example")))
        evil = self.receiver(scenario.SECOND_RECEIVER, tls=self.authority.issue("evil.attacker.example").server_context())
        good = self.receiver(tls=self.good.server_context())
        gateway = self.gateway(tls=self.tls)
        self.send(gateway)
        gateway.wait_until_empty()
        self.send(gateway, recipients="eve@attacker.example")
        gateway.wait_until_empty()
        for n in range(3):
            self.send(gateway, recipients=f"u{n}@dest.example")
        gateway.wait_until_empty()
        self.assertEqual([m.recipients for m in evil.messages], [("eve@attacker.example",)])
        self.assertEqual(len(good.messages), 4)

    def test_testing_is_never_enforced(self):
        self._publish(policy("mx2.dest.example", mode="testing"))
        _, receiver, _ = self._delivered(self.wrong)
        self.assertEqual(len(receiver.messages), 1)

    def test_testing_and_no_tls_at_all(self):
        self._publish(policy("mx1.dest.example", mode="testing"))
        _, receiver, _ = self._delivered(None)
        self.assertFalse(receiver.messages[0].tls)

    def test_none(self):
        self._publish(policy(mode="none"))
        self._delivered(None)

    def test_switched_off(self):
        self._publish(policy("mx1.dest.example"))
        self._delivered(self.wrong, delivery={"mta_sts": False})
        self.assertEqual(self.server.requests, [])

    def test_no_record_no_question(self):
        self._publish(policy("mx1.dest.example"))
        self.zones = lambda: {"dest.example": ["@ MX 10 mx1", f"mx1 A {self.workspace.host(scenario.RECEIVER)}",
                                               f"mta-sts A {self.workspace.host(self.POLICY_HOST)}"]}
        self._delivered(self.wrong)
        self.assertEqual(self.server.requests, [])

    def test_a_policy_that_cannot_be_trusted_is_none(self):
        self._publish(policy("mx2.dest.example"), "www.dest.example")
        self._delivered(self.wrong)
        self.assertEqual(self.server.requests, [])

    def test_a_policy_behind_a_redirect_is_none(self):
        self._publish(policy("mx2.dest.example"))
        self.server.status, self.server.headers = 301, {"Location": "https://mta-sts.dest.example/.well-known/mta-sts.txt"}
        self._delivered(self.wrong)
        self.assertEqual(len(self.server.requests), 1)

    def test_a_policy_that_is_broken_is_none(self):
        self._publish("version: STSv1\r\nmode: enforce\r\nmax_age: soon\r\nmx: mx2.dest.example\r\n")
        self._delivered(self.wrong)

    def test_a_policy_without_end_is_none(self):
        self._publish(policy("mx2.dest.example") + "mx: other.example\r\n" * 200000)
        self._delivered(self.wrong)

    def test_policy_host_down_and_nothing_known(self):
        self._publish(policy("mx2.dest.example"))
        self.server.close()
        self._delivered(self.wrong)

    def test_policy_host_down_and_a_policy_in_the_cache_also_after_a_restart(self):
        self._publish(policy("mx1.dest.example"))
        _, receiver, gateway = self._delivered(self.good)
        gateway.wait_until_empty()
        self.server.close()
        receiver.tls = self.wrong.server_context()
        gateway.stop()
        gateway.start()
        self.send(gateway, recipients="carol@dest.example")
        event = gateway.wait_for_event("deferred", to="carol@dest.example")
        self.assertEqual(event["stage"], "tls")
        self.assertEqual(len(receiver.offered), 1)

    def test_the_policy_is_asked_for_once(self):
        self._publish(policy("mx1.dest.example"))
        _, receiver, gateway = self._delivered(self.good)
        for n in range(10):
            self.send(gateway, recipients=f"u{n}@dest.example")
        self.wait_for_messages(receiver, 11)
        self.assertEqual(len(self.server.requests), 1)


if __name__ == "__main__":
    scenario.main()
