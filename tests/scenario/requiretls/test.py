"""REQUIRETLS and TLS-Required: No (RFC 8689): the sender's word on how much TLS a message needs."""
import samples
import scenario
import smtp_client
from certificates import Authority, tlsa

OFFERS = ("PIPELINING", "SIZE 104857600", "8BITMIME", "ENHANCEDSTATUSCODES", "REQUIRETLS")


class RequireTls(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.workspace)
        self.good, self.wrong = self.authority.issue("mx1.dest.example"), self.authority.issue("somebody.example")
        own = self.authority.issue("gw1.company.example")
        self.tls = {"certificate": own.certificate, "private_key": own.key, "ca_file": self.authority.certificate}
        self.records = []

    def zones(self):
        zones = super().zones()
        return zones | {"dest.example": zones["dest.example"] + self.records}

    def signed(self):
        return ["dest.example"]

    def _send(self, certificate, extensions=OFFERS, primary_knows=True):
        receiver = self.receiver(tls=certificate and certificate.server_context(), extensions=extensions)
        primary = self.receiver(scenario.PRIMARY, extensions=OFFERS if primary_knows else OFFERS[:-1],
                                tls=primary_knows and self.authority.issue(self.primary_address).server_context())
        gateway = self.gateway(tls=self.tls)
        with smtp_client.Client(gateway.address) as client:
            self.assertNotIn("REQUIRETLS", client.greet().text)
            client.start_tls(self.authority.client_context(), "gw1.company.example")
            self.assertIn("REQUIRETLS", client.say("EHLO primary.company.example").text)
            reply = client.message("alice@company.example", ["bob@dest.example"], samples.simple(), " REQUIRETLS")
            self.assertEqual(reply.code, 250, reply)
        return receiver, gateway, primary

    def _nothing_offered(self, receiver, gateway):
        gateway.process.wait_for(lambda: gateway.events("bounced") or gateway.events("deferred"), "an outcome")
        self.assertEqual(gateway.events("delivered"), [])
        self.assertEqual(receiver.offered, [])

    def test_it_goes_on_with_the_message(self):
        receiver, gateway, _ = self._send(self.good)
        message = self.wait_for_messages(receiver, 1)[0]
        self.assertTrue(message.tls)
        self.assertIn("REQUIRETLS", message.sender_parameters.split())

    def test_a_receiver_that_does_not_know_it(self):
        receiver, gateway, primary = self._send(self.good, OFFERS[:-1])
        gateway.wait_for_event("bounced")
        self.assertEqual(receiver.offered, [])
        report = self.wait_for_messages(primary, 1)[0]
        self.assertIn("REQUIRETLS", report.sender_parameters.split())
        self.assertIn(b"Status: 5.7.30", report.data)
        self.assertNotIn(b"Hello.", report.data)  # content that TLS was demanded for is not repeated

    def test_the_sender_hears_of_it_by_a_primary_that_does_not_know_it(self):
        receiver, gateway, primary = self._send(self.good, OFFERS[:-1], primary_knows=False)
        report = self.wait_for_messages(primary, 1)[0]
        self.assertEqual((report.sender, report.recipients), ("", ("alice@company.example",)))
        self.assertNotIn("REQUIRETLS", report.sender_parameters)
        self.assertIn(b"Status: 5.7.30", report.data)
        self.assertNotIn(b"Hello.", report.data)
        gateway.wait_until_empty()

    def test_the_wrong_certificate(self):
        receiver, gateway, _ = self._send(self.wrong)
        self._nothing_offered(receiver, gateway)

    def test_no_tls(self):
        receiver, gateway, _ = self._send(None)
        self._nothing_offered(receiver, gateway)

    def test_not_outside_tls(self):
        gateway = self.gateway(tls=self.tls)
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            self.assertGreaterEqual(client.say("MAIL FROM:<alice@company.example> REQUIRETLS").code, 500)

    def test_a_message_that_needs_no_tls_is_delivered_in_spite_of_dane(self):
        self.records = [f"_2525._tcp.mx1 {tlsa(self.wrong.certificate)}"]
        receiver = self.receiver(tls=self.good.server_context())
        gateway = self.gateway(tls=self.tls)
        self.send(gateway, content=b"TLS-Required: No\r\n" + samples.simple("urgent"))
        self.wait_for_messages(receiver, 1)
        self.send(gateway, content=samples.simple("not so urgent"))
        gateway.wait_for_event("deferred")
        self.assertEqual(len(receiver.offered), 1)


if __name__ == "__main__":
    scenario.main()
