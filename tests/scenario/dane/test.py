"""DANE (RFC 7672): TLSA records that DNSSEC proves decide whom mail is handed to, and nothing goes out in clear beside them."""
import scenario
from certificates import Authority, Certificate, tlsa
from scripted_receiver import Close


def _context(certificate):
    return certificate.server_context() if isinstance(certificate, Certificate) else certificate


class Dane(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.authority, self.other = Authority(self.workspace), None
        self.certificate = self.authority.issue("mx1.dest.example")
        # The name and the issuer of a certificate mean nothing to usage 3.
        self.stranger = self.authority.issue("somebody.example")
        self.records, self.is_signed, self.changes = [], True, {}

    def zones(self):
        return super().zones() | {"dest.example": ["@ MX 10 mx1", f"mx1 A {self.workspace.host(scenario.RECEIVER)}",
                                                   *(f"_2525._tcp.mx1 {record}" for record in self.records)]}

    def signed(self):
        return ["dest.example"] if self.is_signed else []

    def tampered(self):
        return self.changes

    def _send(self, receiver_certificate, **settings):
        receiver = self.receiver(tls=_context(receiver_certificate))
        gateway = self.gateway(**settings)
        self.send(gateway)
        return receiver, gateway

    def _delivered(self, receiver_certificate, **settings):
        """The event, the receiver."""
        receiver, gateway = self._send(receiver_certificate, **settings)
        event = gateway.wait_for_event("delivered")
        gateway.wait_until_empty()
        self.assertEqual(gateway.events("deferred"), [])
        return event, receiver

    def _deferred(self, receiver_certificate, **settings):
        """Nothing is offered to the receiver, neither now nor at the second attempt."""
        receiver, gateway = self._send(receiver_certificate, **settings)
        gateway.process.wait_for(lambda: len(gateway.events("deferred")) >= 2, "two deferrals")
        self.assertEqual(receiver.offered, [])
        for session in receiver.sessions:
            self.assertFalse([command for command in session.commands if command.startswith(("MAIL", "RCPT", "DATA"))])
        self.assertEqual(gateway.events("bounced"), [])
        return gateway.events("deferred")[0], gateway

    def test_the_right_key(self):
        self.records = [tlsa(self.certificate.certificate)]
        event, receiver = self._delivered(self.certificate)
        self.assertTrue(receiver.messages[0].tls)
        self.assertIn("dane", event["tls"].lower())

    def test_usage_3_asks_neither_for_a_name_nor_for_an_authority(self):
        self.records = [tlsa(self.stranger.certificate)]
        event, _ = self._delivered(self.stranger)
        self.assertIn("dane", event["tls"].lower())

    def test_usage_3_takes_the_key_as_it_is(self):
        """An old key of 1024 bits is the one that DNSSEC names; behind an authority it would be too weak."""
        for usage, arrives in ((3, True), (2, False)):
            with self.each(usage=usage):
                weak = self.authority.issue("mx1.dest.example", key=("rsa:1024",))
                self.records = [tlsa(weak.certificate if usage == 3 else self.authority.certificate, usage=usage)]
                context = weak.server_context("DEFAULT@SECLEVEL=0")
                if arrives:
                    self.assertIn("verified", self._delivered(context)[0]["tls"])
                else:
                    self.assertIn("too weak", self._deferred(context)[0]["reason"])

    def test_a_session_that_ends_behind_the_handshake_is_not_repeated_in_clear(self):
        for stage in ("EHLO", "MAIL"):
            with self.each(stage=stage):
                self.records = [tlsa(self.certificate.certificate)]
                receiver = self.receiver(tls=self.certificate.server_context(),
                                         on={stage: lambda session, _: Close if session.tls else None})
                gateway = self.gateway()
                self.send(gateway)
                gateway.process.wait_for(lambda: len(gateway.events("deferred")) >= 2, "two deferrals")
                self.assertEqual(receiver.offered, [])
                self.assertFalse([c for s in receiver.sessions if not s.tls for c in s.commands if c.startswith("MAIL")])

    def test_the_host_is_named_in_the_handshake(self):
        """RFC 7672 §8.1: a receiver with many certificates must know which."""
        self.records = [tlsa(self.certificate.certificate)]
        context, names = self.certificate.server_context(), []
        context.sni_callback = lambda connection, name, _: names.append(name)
        receiver = self.receiver(tls=context)
        self.send(self.gateway())
        self.wait_for_messages(receiver, 1)
        self.assertEqual(names, ["mx1.dest.example"])

    def _by_an_alias(self, owner):
        """The exchanger's name is an alias; the records belong to the name it stands for, or to itself."""
        receiver = self.receiver(tls=self.stranger.server_context())
        self.zones = lambda: {"dest.example": ["@ MX 10 mx1", "mx1 CNAME real", f"real A {receiver.address}",
                                               f"_2525._tcp.{owner} {tlsa(self.stranger.certificate)}"]}
        gateway = self.gateway()
        self.send(gateway)
        self.assertIn("dane", gateway.wait_for_event("delivered")["tls"].lower())

    def test_records_of_the_name_behind_an_alias(self):
        self._by_an_alias("real")

    def test_records_of_the_alias_itself(self):
        self._by_an_alias("mx1")

    def test_one_right_record_among_wrong_ones_is_enough(self):
        self.records = [f"TLSA 3 1 1 {'00' * 32}", tlsa(self.certificate.certificate, 3, 0, 2)]
        self._delivered(self.certificate)

    def test_an_authority_of_the_zone_s_choice(self):
        self.records = [tlsa(self.authority.certificate, 2, 0, 1)]
        event, _ = self._delivered(self._chained(self.certificate))
        self.assertIn("dane", event["tls"].lower())

    def test_an_authority_and_the_wrong_name(self):
        self.records = [tlsa(self.authority.certificate, 2, 0, 1)]
        self._deferred(self._chained(self.stranger))

    def _chained(self, certificate):
        """With its authority behind it, as usage 2 wants."""
        chain = certificate.certificate.with_suffix(".chain")
        chain.write_bytes(certificate.certificate.read_bytes() + self.authority.certificate.read_bytes())
        certificate.certificate = chain
        return certificate

    def test_the_wrong_key_is_deferred_and_nothing_goes_in_clear(self):
        self.records = [tlsa(self.stranger.certificate)]
        event, gateway = self._deferred(self.certificate)
        self.assertEqual(event["stage"], "tls")
        self.assertIn("TLSA", event["reason"])
        shown = gateway.command("queue", "show", gateway.messages()[0]["id"]).stdout
        self.assertIn("dane", shown.lower())

    def test_a_receiver_that_no_longer_offers_tls(self):
        self.records = [tlsa(self.certificate.certificate)]
        event, _ = self._deferred(None)
        self.assertEqual(event["stage"], "tls")

    def test_the_second_exchanger_when_the_first_has_the_wrong_key(self):
        first = self.receiver(tls=self.stranger.server_context())
        second = self.receiver(scenario.SECOND_RECEIVER, tls=self.certificate.server_context())
        self.zones = lambda: {"dest.example": [
            "@ MX 10 mx1", "@ MX 20 mx2", f"mx1 A {first.address}", f"mx2 A {second.address}",
            *(f"_2525._tcp.{host} {tlsa(self.certificate.certificate)}" for host in ("mx1", "mx2"))]}
        self.send(self.gateway())
        self.wait_for_messages(second, 1)
        self.assertEqual(first.offered, [])

    def test_forged_tlsa_records(self):
        """The zone is changed after signing: whoever did it must not get the mail."""
        self.records = [tlsa(self.certificate.certificate)]
        digest = self.records[0].split()[-1]
        self.changes = {"dest.example": (digest, digest[::-1])}
        event, _ = self._deferred(self.certificate)
        self.assertEqual(event["stage"], "dns")

    def test_forged_addresses(self):
        self.records = [tlsa(self.certificate.certificate)]
        self.changes = {"dest.example": (self.workspace.host(scenario.RECEIVER), self.workspace.host(scenario.SECOND_RECEIVER))}
        impostor = self.receiver(scenario.SECOND_RECEIVER)
        event, _ = self._deferred(self.certificate)
        self.assertEqual(event["stage"], "dns")
        self.assertEqual(impostor.sessions, [])

    def test_forged_exchangers(self):
        impostor = self.receiver(scenario.SECOND_RECEIVER)
        self.changes = {"dest.example": ("\tMX\t10 mx1.dest.example.", "\tMX\t10 mx.elsewhere.example.")}
        self.zones = lambda: {"dest.example": ["@ MX 10 mx1", f"mx1 A {self.workspace.host(scenario.RECEIVER)}"],
                              "elsewhere.example": [f"mx A {impostor.address}"]}
        event, _ = self._deferred(None)
        self.assertEqual(event["stage"], "dns")
        self.assertEqual(impostor.sessions, [])

    def test_proven_absence_leaves_it_to_chance(self):
        event, receiver = self._delivered(None)
        self.assertFalse(receiver.messages[0].tls)

    def test_proven_absence_and_tls(self):
        event, receiver = self._delivered(self.stranger)
        self.assertTrue(receiver.messages[0].tls)
        self.assertNotIn("dane", event["tls"].lower())

    def test_records_that_nobody_can_use_still_mean_encryption(self):
        self.records = ["TLSA 0 0 1 " + "11" * 32, "TLSA 1 1 1 " + "22" * 32]
        event, receiver = self._delivered(self.stranger)
        self.assertTrue(receiver.messages[0].tls)

    def test_records_that_nobody_can_use_and_no_tls(self):
        self.records = ["TLSA 1 1 1 " + "22" * 32]
        self._deferred(None)

    def test_an_unsigned_zone_proves_nothing(self):
        self.is_signed = False
        self.records = [tlsa(self.stranger.certificate)]
        event, receiver = self._delivered(self.certificate)
        self.assertNotIn("dane", event["tls"].lower())

    def test_switched_off(self):
        self.records = [tlsa(self.stranger.certificate)]
        self._delivered(self.certificate, delivery={"dane": False})

    def test_a_destination_that_must_have_it(self):
        event, _ = self._deferred(self.certificate, destination=[{"domain": "dest.example", "tls": "dane"}])
        self.assertIn("dane", str(event).lower())

    def test_a_gateway_with_it(self):
        self.records = [tlsa(self.certificate.certificate)]
        event, _ = self._delivered(self.certificate, gateway=[{"name": "g", "address": "mx1.dest.example:2525", "tls": "dane"}],
                                   route=[{"sender": "*", "gateway": "g"}])
        self.assertIn("dane", event["tls"].lower())


if __name__ == "__main__":
    scenario.main()
