"""TLS on both sides: offered and used where possible, required or verified where configured."""
import unittest

import postfix
import samples
import scenario
import smtp_client
from certificates import Authority


class StartTls(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.workspace)
        own = self.authority.issue("gw1.company.example")
        self.tls = {"certificate": own.certificate, "private_key": own.key, "ca_file": self.authority.certificate}

    def _send_by_tls(self, gateway):
        with smtp_client.Client(gateway.address) as client:
            self.assertIn("STARTTLS", client.greet().text)
            self.assertEqual(client.start_tls(self.authority.client_context(), "gw1.company.example").code, 220)
            again = client.say("EHLO primary.company.example")
            self.assertNotIn("STARTTLS", again.text)
            reply = client.message("alice@company.example", ["bob@dest.example"], samples.simple())
            self.assertEqual(reply.code, 250, reply)

    def test_in_and_out(self):
        receiver = self.receiver(tls=self.authority.issue("mx1.dest.example").server_context())
        self._send_by_tls(self.gateway(tls=self.tls))
        message = self.wait_for_messages(receiver, 1)[0]
        self.assertTrue(message.tls)
        trace = message.data[:len(message.data) - len(samples.without_trace(message.data))]
        self.assertIn(b"with ESMTPS", trace)

    def test_what_was_offered_is_kept_when_the_certificate_is_taken_away(self):
        gateway = self.gateway(tls=self.tls)
        with smtp_client.Client(gateway.address) as client:
            self.assertIn("STARTTLS", client.greet().text)
            del gateway.settings["tls"]
            gateway.configure()
            gateway.command("reload")
            self.assertEqual(client.start_tls(self.authority.client_context(), "gw1.company.example").code, 220)
            self.assertEqual(client.say("EHLO primary.company.example").code, 250)
        receiver = self.receiver()
        self._send_by_tls(gateway)
        self.assertTrue(self.wait_for_messages(receiver, 1))

    def test_clear_text_where_the_receiver_has_no_tls(self):
        receiver = self.receiver()
        self._send_by_tls(self.gateway(tls=self.tls))
        self.assertFalse(self.wait_for_messages(receiver, 1)[0].tls)

    def test_clear_text_when_the_handshake_fails(self):
        receiver = self.receiver(tls=self.authority.issue("mx1.dest.example").server_context())
        receiver.on["STARTTLS"] = "454 4.7.0 not now"
        self._send_by_tls(self.gateway(tls=self.tls))
        self.assertFalse(self.wait_for_messages(receiver, 1)[0].tls)

    def test_nothing_without_tls_where_it_is_required(self):
        receiver = self.receiver()
        gateway = self.gateway(tls=self.tls, delivery={"tls": "required"})
        self._send_by_tls(gateway)
        gateway.wait_for_event("deferred", to="bob@dest.example")
        self.assertEqual(receiver.offered, [])
        self.assertNotIn("MAIL", " ".join(receiver.sessions[0].commands))

    def test_a_verified_gateway_needs_the_right_name(self):
        wrong = self.receiver(tls=self.authority.issue("somebody.example").server_context())
        right = self.receiver(scenario.SECOND_RECEIVER,
                              tls=self.authority.issue(self.workspace.host(scenario.SECOND_RECEIVER)).server_context())
        gateway = self.gateway(
            tls=self.tls,
            gateway=[{"name": "wrong", "address": f"{wrong.address}:2525", "tls": "verify", "type": "specified"},
                     {"name": "right", "address": f"{right.address}:2525", "tls": "verify", "type": "specified"}],
            route=[{"sender": "wrong@company.example", "gateway": "wrong"},
                   {"sender": "right@company.example", "gateway": "right"}])
        for user in ("wrong", "right"):
            smtp_client.send(gateway.address, f"{user}@company.example", "bob@dest.example", samples.simple())
        self.assertTrue(self.wait_for_messages(right, 1)[0].tls)
        gateway.wait_for_event("deferred", **{"from": "wrong@company.example"})
        self.assertEqual(wrong.offered, [])

    def test_a_required_listener_refuses_mail_in_clear_text(self):
        gateway = self.gateway(tls=self.tls, listener=[{"address": f"{self.workspace.host(1)}:2525", "tls": "required"}])
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            self.assertEqual(client.say("MAIL FROM:<alice@company.example>").code, 530)

    def test_commands_behind_starttls_in_the_same_segment_are_never_obeyed(self):
        gateway = self.gateway(tls=self.tls)
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            client.send(b"STARTTLS\r\nMAIL FROM:<injected@company.example>\r\n")
            reply = client.reply()
            if reply.code == 220:  # allowed only when what followed was thrown away with the connection
                self.assertTrue(client.closed())
            else:
                self.assertIn(reply.code, (501, 503, 554))
        self.assertEqual(gateway.events("accepted"), [])

    @unittest.skipIf(postfix.required(), postfix.required())
    def test_between_postfix_servers(self):
        gateway = self.gateway(tls=self.tls)
        primary = self.workspace.add(postfix.Postfix(self.workspace, "primary", scenario.PRIMARY, ["company.example"],
                                                     relayhost=gateway.address))
        destination = self.workspace.add(postfix.Postfix(self.workspace, "mx1", scenario.RECEIVER, ["dest.example"],
                                                         certificate=self.authority.issue("mx1.dest.example")))
        self.assertEqual(smtp_client.send(primary.address, "alice@company.example", "bob@dest.example",
                                          samples.simple()).code, 250)
        received = destination.wait_for_mail(1)[0].parsed.get_all("Received")
        self.assertIn("using TLSv1.3", received[0])
        self.assertIn("with ESMTPS", received[1])


if __name__ == "__main__":
    scenario.main()
