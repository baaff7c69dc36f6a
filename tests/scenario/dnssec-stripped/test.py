"""A resolver that passes no DNSSEC on: mail goes all the same where validation never worked, and waits where it did."""
import json

import scenario
from certificates import Authority
from gateway import Gateway
from nsd import NameServer
from process import wait_for
from stripping_resolver import StrippingResolver
from workspace import DNS_PORT, SMTP_PORT

RESOLVER = 3  # host


class DnssecStripped(scenario.Scenario):
    """dest.example is signed and has a TLSA record that its certificate does not match: with DANE no mail goes there,
    without it all does."""

    def setUp(self):
        super().setUp()
        zones = {"dest.example": ["@ MX 10 mx1", f"mx1 A {self.workspace.host(scenario.RECEIVER)}",
                                  f"_{SMTP_PORT}._tcp.mx1 TLSA 3 1 1 {'00' * 32}"],
                 "open.example": ["@ MX 10 mx1", f"mx1 A {self.workspace.host(scenario.RECEIVER)}"],
                 "company.example": ["gw1 A " + self.workspace.host(1)]}
        names = self.workspace.add(NameServer(self.workspace, zones, signed=["dest.example"], root=True))
        self.resolver = self.workspace.add(
            StrippingResolver(self.workspace.host(RESOLVER), (names.address, DNS_PORT)))
        certificate = Authority(self.workspace).issue(self.workspace.host(scenario.RECEIVER))
        self.mail = self.receiver(tls=certificate.server_context())
        self.dns = {"servers": [self.resolver.server], "stub": {}, "trust_anchors": names.trust_anchors}

    def _gateway(self, **settings):
        self.made = self.workspace.add(Gateway(self.workspace, dns=self.dns, **settings))
        return self.made.start()

    def _restarted(self, gateway):
        self.assertEqual(gateway.stop(), 0)
        return gateway.start()

    def _degraded(self, gateway):
        return "\n".join(gateway.json("/v1/status")["degraded"])

    def _wait_for_trouble(self, gateway, words):
        wait_for(lambda: any(words in e["text"] for e in gateway.events("trouble")), f"trouble that says {words!r}")

    def _deferred(self, gateway, words, count=1):
        wait_for(lambda: sum(words in json.dumps(e) for e in gateway.events("deferred")) >= count,
                 f"{count} deferrals that say {words!r}")

    def _works_once(self, gateway):
        """Validation is proven, and it is on the disk."""
        self.send(gateway)
        self._deferred(gateway, "TLSA")
        wait_for(lambda: (gateway.state_dir / "dnssec.state").exists(), "the proof")
        self.assertEqual(self._degraded(gateway), "")

    def test_mail_goes_where_validation_never_worked(self):
        gateway = self._gateway()
        self.send(gateway)
        self.wait_for_messages(self.mail, 1)
        self.assertEqual(gateway.events("deferred"), [])
        self._wait_for_trouble(gateway, "DANE is off")
        for words in ("no DNSSEC signatures come from", self.resolver.server, "dns.trust_anchors"):
            self.assertIn(words, self._degraded(gateway))
            self.assertIn(words, gateway.command("status").stdout.replace("\n", " "))
        status, body = gateway.http("/readyz")
        self.assertEqual(status, 200)
        self.assertIn("degraded: no DNSSEC signatures", body)

    def test_what_is_signed_again_is_demanded_from_then_on(self):
        gateway = self._gateway()
        self._wait_for_trouble(gateway, "DANE is off")
        self.resolver.strips = False
        gateway = self._restarted(gateway)  # or five minutes later
        self._works_once(gateway)
        self.assertEqual(self.mail.messages, [])

    def test_who_strips_what_was_proven_does_not_switch_dane_off(self):
        self.resolver.strips = False
        gateway = self._gateway()
        self._works_once(gateway)
        self.resolver.strips = True
        self.send(gateway, recipients="bob@open.example")
        self._deferred(gateway, "no DNSSEC signatures come any more from")
        self._wait_for_trouble(gateway, "so mail waits")
        self.assertIn("so mail waits", self._degraded(gateway))
        gateway = self._restarted(gateway)
        self._wait_for_trouble(gateway, "so mail waits")
        self.send(gateway)
        asked = len(gateway.events("deferred"))
        wait_for(lambda: len(gateway.events("deferred")) >= asked + 3, "more attempts")
        self.assertEqual(self.mail.messages, [])
        # Other settings are asked for themselves.
        gateway.reload(dns={"trust_anchors": ""})
        self.wait_for_messages(self.mail, 3)
        wait_for(lambda: self._degraded(gateway) == "", "no trouble")

    def test_a_proof_that_cannot_be_read_counts(self):
        gateway = self.workspace.add(Gateway(self.workspace, dns=self.dns))
        (gateway.state_dir / "dnssec.state").write_text("")
        gateway.start()
        self._wait_for_trouble(gateway, "dnssec.state cannot be read")
        self.send(gateway, recipients="bob@open.example")
        self._deferred(gateway, "no DNSSEC signatures come any more from")
        self.assertEqual(self.mail.messages, [])

    def _check_online(self, gateway):
        done = gateway.command("check", "--online", "--json", check=False)
        return next(f for f in json.loads(done.stdout)["findings"] if f["what"] == "dnssec")

    def test_the_check_advises_another_resolver(self):
        gateway = self.workspace.add(Gateway(self.workspace, dns=self.dns))
        finding = self._check_online(gateway)
        self.assertEqual(finding["result"], "warning")
        self.assertIn("no DNSSEC signatures come from", finding["text"])
        self.assertIn("DANE is off", finding["text"])
        for words in ("dns.servers to a resolver", 'dns.trust_anchors = ""'):
            self.assertIn(words, finding["advice"])
        self.resolver.strips = False
        self.assertEqual(self._check_online(gateway)["result"], "ok")
        gateway.start()
        self._works_once(gateway)
        self.resolver.strips = True
        finding = self._check_online(gateway)
        self.assertEqual(finding["result"], "failed")
        self.assertIn("mail waits", finding["text"])


if __name__ == "__main__":
    scenario.main()
