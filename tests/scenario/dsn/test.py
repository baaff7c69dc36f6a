"""Delivery status notifications (RFC 3461 to 3464): as asked for, bounded, and never to nobody."""
import email

import samples
import scenario
import smtp_client

NO_SUCH_USER = "550 5.1.1 <bob@dest.example>: User unknown"
WITH_DSN = ("PIPELINING", "SIZE 104857600", "8BITMIME", "ENHANCEDSTATUSCODES", "DSN")


class Dsn(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.primary = self.receiver(scenario.PRIMARY)

    def _gateway(self, extensions=WITH_DSN, **settings):
        self.dest = self.receiver(extensions=extensions)
        return self.gateway(**settings)

    def _send(self, gateway, sender="alice@company.example", mail="", recipients=(("bob@dest.example", ""),), content=None):
        with smtp_client.Client(gateway.address) as client:
            self.assertIn("DSN", client.greet().text.split())
            self.assertEqual(client.say(f"MAIL FROM:<{sender}>{mail}").code, 250)
            for recipient, parameters in recipients:
                self.assertEqual(client.say(f"RCPT TO:<{recipient}>{parameters}").code, 250)
            self.assertEqual(client.data(content or samples.simple("a report please")).code, 250)

    def _report(self, gateway):
        """The one report, as its three parts; (text, fields of the message, fields of each recipient, what is returned)."""
        received = self.wait_for_messages(self.primary, 1)[0]
        gateway.wait_until_empty()
        self.assertEqual(len(self.primary.messages), 1)
        self.assertEqual((received.sender, received.recipients), ("", ("alice@company.example",)))
        whole = email.message_from_bytes(received.data)
        self.assertEqual((whole.get_content_type(), whole.get_param("report-type")), ("multipart/report", "delivery-status"))
        self.assertTrue(whole["Auto-Submitted"].startswith("auto-"), whole["Auto-Submitted"])
        text, status, returned = whole.get_payload()
        blocks = status.get_payload()
        return text.get_payload(), blocks[0], blocks[1:], returned

    def test_parameters_are_passed_on_to_a_receiver_that_knows_them(self):
        gateway = self._gateway()
        self._send(gateway, mail=" RET=HDRS ENVID=QQ+2B314159", recipients=(
            ("bob@dest.example", " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2Bold@dest.example"), ("eve@dest.example", "")))
        message = self.wait_for_messages(self.dest, 1)[0]
        gateway.wait_until_empty()
        self.assertIn("RET=HDRS", message.sender_parameters.split())
        self.assertIn("ENVID=QQ+2B314159", message.sender_parameters.split())
        given = dict(zip(message.recipients, message.recipient_parameters))
        self.assertIn("NOTIFY=SUCCESS,DELAY", given["bob@dest.example"].split())
        self.assertIn("ORCPT=rfc822;Bob+2Bold@dest.example", given["bob@dest.example"].split())
        self.assertNotIn("NOTIFY", given["eve@dest.example"])
        self.assertEqual(self.primary.sessions, [])

    def test_nothing_is_passed_on_to_one_that_does_not(self):
        gateway = self._gateway(WITH_DSN[:-1])
        self._send(gateway, mail=" RET=FULL ENVID=QQ1", recipients=(("bob@dest.example", " NOTIFY=FAILURE"),))
        message = self.wait_for_messages(self.dest, 1)[0]
        self.assertNotIn("RET", message.sender_parameters)
        self.assertNotIn("ENVID", message.sender_parameters)
        self.assertNotIn("NOTIFY", message.recipient_parameters[0])

    def test_success_that_cannot_be_passed_on_is_reported_as_relayed(self):
        gateway = self._gateway(WITH_DSN[:-1])
        self._send(gateway, mail=" ENVID=QQ314159", recipients=(
            ("bob@dest.example", " NOTIFY=SUCCESS ORCPT=rfc822;robert@dest.example"), ("eve@dest.example", "")))
        _, whole, recipients, returned = self._report(gateway)
        self.assertEqual(whole["Original-Envelope-Id"], "QQ314159")
        self.assertEqual(len(recipients), 1)
        self.assertEqual(recipients[0]["Action"], "relayed")
        self.assertTrue(recipients[0]["Status"].startswith("2."))
        self.assertIn("bob@dest.example", recipients[0]["Final-Recipient"])
        self.assertIn("robert@dest.example", recipients[0]["Original-Recipient"])
        self.assertNotIn("Hello.", returned.as_string())
        self.assertEqual(gateway.wait_for_event("reported")["action"], "relayed")

    def test_failure(self):
        gateway = self._gateway()
        self.dest.on["RCPT"] = lambda session, path: NO_SUCH_USER if path.startswith("bob") else None
        self._send(gateway, mail=" ENVID=QQ7", recipients=(("bob@dest.example", " ORCPT=rfc822;b+2Bx@old.example"),
                                                           ("eve@dest.example", "")))
        text, whole, recipients, _ = self._report(gateway)
        self.assertIn("User unknown", text)
        self.assertEqual(whole["Original-Envelope-Id"], "QQ7")
        self.assertIn("gw1.company.example", whole["Reporting-MTA"])
        self.assertEqual([r["Action"] for r in recipients], ["failed"])
        self.assertEqual(recipients[0]["Status"], "5.1.1")
        self.assertIn("User unknown", recipients[0]["Diagnostic-Code"])
        self.assertIn("mx1.dest.example", recipients[0]["Remote-MTA"])
        self.assertIn("b+x@old.example", recipients[0]["Original-Recipient"])

    def test_never(self):
        gateway = self._gateway()
        self.dest.on["RCPT"] = NO_SUCH_USER
        self._send(gateway, recipients=(("bob@dest.example", " NOTIFY=NEVER"),))
        self.assertEqual(gateway.wait_for_event("bounced")["bounce"], "none")
        gateway.wait_until_empty()
        self.assertEqual(self.primary.sessions, [])

    def test_success_only_means_no_report_of_a_failure(self):
        gateway = self._gateway()
        self.dest.on["RCPT"] = NO_SUCH_USER
        self._send(gateway, recipients=(("bob@dest.example", " NOTIFY=SUCCESS"),))
        gateway.wait_for_event("bounced")
        gateway.wait_until_empty()
        self.assertEqual(self.primary.sessions, [])

    def test_nobody_is_never_told(self):
        gateway = self._gateway(WITH_DSN[:-1])
        self.dest.on["RCPT"] = lambda session, path: NO_SUCH_USER if path.startswith("bob") else None
        self._send(gateway, sender="", recipients=(("bob@dest.example", " NOTIFY=FAILURE"),
                                                   ("eve@dest.example", " NOTIFY=SUCCESS")))
        gateway.wait_for_event("bounced")
        gateway.wait_until_empty()
        self.assertEqual(self.primary.sessions, [])

    def _returned(self, parameter, content, **settings):
        gateway = self._gateway(**settings)
        self.dest.on["RCPT"] = NO_SUCH_USER
        self._send(gateway, mail=parameter, content=content)
        return self._report(gateway)[3].as_string()

    def test_the_whole_message(self):
        self.assertIn("Hello.", self._returned(" RET=FULL", samples.simple("unique subject")))

    def test_the_header_alone(self):
        returned = self._returned(" RET=HDRS", samples.simple("unique subject"))
        self.assertIn("unique subject", returned)
        self.assertNotIn("Hello.", returned)

    def test_the_whole_message_only_when_it_is_small(self):
        returned = self._returned(" RET=FULL", samples.of_size(300_000, "unique subject"), queue={"report_size": "50KiB"})
        self.assertIn("unique subject", returned)
        self.assertLess(len(returned), 60_000)

    def test_a_header_without_end_is_cut(self):
        content = b"".join(b"X-Filler-%d: %s\r\n" % (n, b"x" * 900) for n in range(2000)) + samples.simple()
        self.assertLess(len(self._returned("", content)), 200_000)

    def test_one_report_for_all_that_failed_together(self):
        gateway = self._gateway()
        self.dest.on["RCPT"] = NO_SUCH_USER
        self._send(gateway, recipients=[(f"u{n}@dest.example", "") for n in range(50)])
        self.assertEqual(len(self._report(gateway)[2]), 50)

    def test_broken_parameters_are_refused(self):
        gateway = self._gateway(accept={"sender": "any", "protocol_errors": 100})
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            for parameters in ("RET=ALL", "RET=FULL RET=HDRS", "ENVID=a ENVID=a", "RET"):
                with self.subTest(parameters):
                    self.assertEqual(client.say(f"MAIL FROM:<alice@company.example> {parameters}").code, 501)
            self.assertEqual(client.say("MAIL FROM:<alice@company.example>").code, 250)
            for parameters in ("NOTIFY=", "NOTIFY=NEVER,SUCCESS", "NOTIFY=SOMETIMES", "NOTIFY=SUCCESS NOTIFY=DELAY"):
                with self.subTest(parameters):
                    self.assertEqual(client.say(f"RCPT TO:<bob@dest.example> {parameters}").code, 501)
            self.assertEqual(client.say("RCPT TO:<bob@dest.example> NOTIFY=NEVER").code, 250)

    def test_what_only_serves_reports_is_never_why_mail_is_refused(self):
        gateway = self._gateway()
        self._send(gateway, mail=" ENVID=a+zz", recipients=[("bob@dest.example", " ORCPT=rfc822;srs0=ab=cd=x=bob@dest.example")])
        self._send(gateway, mail=" ENVID=" + "x" * 101, recipients=[("bob@dest.example", " ORCPT=rfc822;" + "x" * 600)])
        gateway.wait_until_empty()
        self.assertEqual([m.recipients for m in self.dest.messages], [("bob@dest.example",)] * 2)


if __name__ == "__main__":
    scenario.main()
