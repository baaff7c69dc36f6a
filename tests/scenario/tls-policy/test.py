"""Transport security as configured: per destination and per gateway, and where a broken handshake may end in clear text."""
import scenario
from certificates import Authority
from scripted_receiver import Close, Raw


class TlsPolicy(scenario.Scenario):
    GATEWAY = 31

    def setUp(self):
        super().setUp()
        self.authority = Authority(self.workspace)
        self.good, self.wrong = self.authority.issue("mx1.dest.example"), self.authority.issue("somebody.example")
        self.tls = {"ca_file": self.authority.certificate}

    def _via_destination(self, policy):
        return {"destination": [{"domain": "dest.example", "tls": policy}]}

    def _via_gateway(self, policy):
        return {"gateway": [{"name": "g", "address": "mx1.dest.example:2525", "tls": policy}],
                "route": [{"sender": "*", "gateway": "g"}]}

    def _both(self, policy, certificate, delivered, tls=None, on=None, implicit=False):
        """The same by a destination's policy and by a gateway's. `delivered`: it arrives; `tls`: encrypted."""
        for ways in (self._via_destination, self._via_gateway):
            with self.each(way=ways.__name__):
                receiver = self.receiver(tls=certificate and self.authority.issue(certificate).server_context(),
                                         on=dict(on or {}), implicit_tls=implicit)
                gateway = self.gateway(tls={"ca_file": self.authority.certificate}, delivery={"command_timeout": "5s"},
                                       **ways(policy))
                self.send(gateway)
                if delivered:
                    self.assertEqual(self.wait_for_messages(receiver, 1)[0].tls, tls)
                    gateway.wait_until_empty()
                    self.assertEqual(len(receiver.offered), 1)
                    self.assertIn(policy, gateway.events("delivered")[0]["tls"])
                else:
                    event = gateway.wait_for_event("deferred")
                    self.assertEqual(event["stage"], "tls", event)
                    self.assertEqual(receiver.offered, [])
                    self.assertFalse([c for s in receiver.sessions for c in s.commands if c.startswith("MAIL")])

    def test_off_does_not_even_ask(self):
        receiver = self.receiver(tls=self.good.server_context())
        gateway = self.gateway(tls=self.tls, **self._via_destination("off"))
        self.send(gateway)
        self.assertFalse(self.wait_for_messages(receiver, 1)[0].tls)
        self.assertNotIn("STARTTLS", receiver.sessions[0].commands)

    def test_opportunistic_takes_any_certificate(self):
        self._both("opportunistic", "somebody.example", True, True)

    def test_opportunistic_without_tls(self):
        self._both("opportunistic", None, True, False)

    def test_opportunistic_and_a_broken_handshake(self):
        self._both("opportunistic", "mx1.dest.example", True, False, on={"STARTTLS": Raw(b"220 go\r\nnonsense\r\n")})

    def test_opportunistic_and_a_receiver_that_hangs_up_at_starttls(self):
        self._both("opportunistic", "mx1.dest.example", True, False, on={"STARTTLS": Close})

    def test_opportunistic_and_a_receiver_that_refuses_starttls(self):
        self._both("opportunistic", "mx1.dest.example", True, False, on={"STARTTLS": "454 4.7.0 no entropy left"})

    def test_required_takes_any_certificate(self):
        self._both("required", "somebody.example", True, True)

    def test_required_without_tls(self):
        self._both("required", None, False)

    def test_required_and_a_broken_handshake(self):
        self._both("required", "mx1.dest.example", False, on={"STARTTLS": Raw(b"220 go\r\nnonsense\r\n")})

    def test_verify(self):
        self._both("verify", "mx1.dest.example", True, True)

    def test_verify_and_the_wrong_name(self):
        self._both("verify", "somebody.example", False)

    def test_verify_and_the_right_name_as_the_common_name_alone(self):
        receiver = self.receiver(tls=self.authority.issue("mx1.dest.example", alternatives=["other.example"]).server_context())
        gateway = self.gateway(tls=self.tls, **self._via_destination("verify"))
        self.send(gateway)
        self.assertEqual(gateway.wait_for_event("deferred")["stage"], "tls")
        self.assertEqual(receiver.offered, [])

    def test_verify_and_no_tls(self):
        self._both("verify", None, False)

    def test_implicit(self):
        self._both("implicit", "mx1.dest.example", True, True, implicit=True)

    def test_implicit_and_the_wrong_name(self):
        self._both("implicit", "somebody.example", False, implicit=True)

    def test_octets_behind_the_220_to_starttls_are_not_taken_for_replies(self):
        """Response injection: what was said in clear must not count inside TLS."""
        receiver = self.receiver(tls=self.good.server_context(),
                                 on={"STARTTLS": Raw(b"220 go\r\n250-mx.dest.example\r\n250 REQUIRETLS\r\n")})
        gateway = self.gateway(tls=self.tls, delivery={"tls": "required"})
        self.send(gateway)
        self.assertEqual(gateway.wait_for_event("deferred")["stage"], "tls")
        self.assertEqual(receiver.offered, [])

    def test_one_domain_s_policy_is_not_another_s(self):
        zones = self.zones()
        self.zones = lambda: zones | {"other.example": ["@ MX 10 mx1.dest.example."]}
        receiver = self.receiver()
        gateway = self.gateway(tls=self.tls, **self._via_destination("required"))
        self.send(gateway, recipients=["bob@dest.example", "eve@other.example"])
        self.assertEqual(self.wait_for_messages(receiver, 1)[0].recipients, ("eve@other.example",))
        gateway.wait_for_event("deferred", to="bob@dest.example")
        self.assertEqual(len(receiver.offered), 1)

    def test_what_was_wanted_and_what_was_reached_is_told(self):
        self.receiver(tls=self.wrong.server_context())
        gateway = self.gateway(tls=self.tls, **self._via_destination("verify"))
        self.send(gateway)
        gateway.wait_for_event("deferred")
        shown = gateway.command("queue", "show", gateway.messages()[0]["id"]).stdout
        self.assertIn("verify", shown)
        gateway.reload(destination=[{"domain": "dest.example", "tls": "required"}])
        gateway.command("queue", "retry", "--recipient", "dest.example", check=False)  # it may have gone by itself
        event = gateway.wait_for_event("delivered")
        self.assertIn("required", event["tls"])
        self.assertIn("TLSv1.3", event["tls"])


if __name__ == "__main__":
    scenario.main()
