"""Each recipient has its own fate: refused ones are reported to the sender, the others get the message."""
import email

import postfix
import samples
import scenario
import smtp_client


def delivery_status(report):
    """The machine-readable part of an RFC 3464 report: (message fields, [recipient fields])."""
    part = next(p for p in report.walk() if p.get_content_type() == "message/delivery-status")
    blocks = [block for block in part.get_payload() if block.keys()]
    return blocks[0], blocks[1:]


class RecipientsRefused(scenario.Scenario):
    def _check_report(self, report, failed, original):
        self.assertEqual(report.get_content_type(), "multipart/report")
        self.assertEqual(report.get_param("report-type"), "delivery-status")
        self.assertIn(report["Auto-Submitted"], ("auto-replied", "auto-generated"))
        self.assertEqual(len(report.get_payload()), 3)
        message, recipients = delivery_status(report)
        self.assertEqual(message["Reporting-MTA"], "dns; gw1.company.example")
        self.assertEqual(sorted(fields["Final-Recipient"] for fields in recipients),
                         sorted(f"rfc822; {address}" for address in failed))
        for fields in recipients:
            self.assertEqual(fields["Action"], "failed")
            self.assertEqual(fields["Status"], "5.1.1")
            self.assertTrue(fields["Diagnostic-Code"].startswith("smtp; 550"), fields["Diagnostic-Code"])
            self.assertIn("no such user", fields["Diagnostic-Code"])
            self.assertTrue(fields["Remote-MTA"].startswith("dns;"), fields["Remote-MTA"])
        returned = report.get_payload()[2]
        self.assertIn(returned.get_content_type(), ("text/rfc822-headers", "message/rfc822"))
        inner = returned.get_payload()
        inner = inner[0] if isinstance(inner, list) else email.message_from_string(inner)
        self.assertEqual(inner["Subject"], original)
        readable = report.get_payload()[0].get_payload(decode=True).decode()
        for address in failed:
            self.assertIn(address, readable)
        self.assertIn("no such user", readable)

    def test_the_others_get_it_and_the_sender_gets_one_report(self):
        receiver = self.receiver()
        receiver.on["RCPT"] = lambda session, path: "550 5.1.1 no such user" if path.startswith("bad") else None
        primary = self.receiver(scenario.PRIMARY, name="primary.company.example")
        gateway = self.gateway()
        smtp_client.send(gateway.address, "alice@company.example",
                         ["good1@dest.example", "bad1@dest.example", "good2@dest.example", "bad2@dest.example"],
                         samples.simple("four of them"))
        message = self.wait_for_messages(receiver, 1)[0]
        self.assertEqual(sorted(message.recipients), ["good1@dest.example", "good2@dest.example"])
        report = self.wait_for_messages(primary, 1)[0]
        self.assertEqual((report.sender, report.recipients), ("", ("alice@company.example",)))
        self._check_report(email.message_from_bytes(report.data), ["bad1@dest.example", "bad2@dest.example"], "four of them")
        gateway.wait_until_empty()
        self.assertEqual((len(receiver.messages), len(primary.messages)), (1, 1))
        self.assertEqual({e["to"] for e in gateway.events("bounced")}, {"bad1@dest.example", "bad2@dest.example"})

    def test_refused_after_the_final_dot(self):
        receiver = self.receiver(on={".": "550 5.1.1 no such user, says the filter"})
        primary = self.receiver(scenario.PRIMARY, name="primary.company.example")
        gateway = self.gateway()
        smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example", samples.simple("refused late"))
        report = email.message_from_bytes(self.wait_for_messages(primary, 1)[0].data)
        self._check_report(report, ["bob@dest.example"], "refused late")
        self.assertEqual(len(receiver.offered), 1)

    def test_the_report_reaches_postfix_as_the_primary(self):
        if postfix.required():
            self.skipTest(postfix.required())
        receiver = self.receiver()
        receiver.on["RCPT"] = "550-5.1.1 there is\n550 5.1.1 no such user"
        gateway = self.gateway()
        primary = self.workspace.add(postfix.Postfix(self.workspace, "primary", scenario.PRIMARY, ["company.example"],
                                                     relayhost=gateway.address))
        smtp_client.send(primary.address, "alice@company.example", "bob@dest.example", samples.simple("into nowhere"))
        mail = primary.wait_for_mail(1)[0]
        self.assertEqual(mail.recipient, "alice@company.example")
        self.assertEqual(mail.parsed["Return-Path"], "<>")
        self._check_report(mail.parsed, ["bob@dest.example"], "into nowhere")

    def test_hostile_words_of_the_receiver_do_not_forge_fields(self):
        receiver = self.receiver()
        receiver.on["RCPT"] = "550-5.1.1 no such user\n550-5.1.1 \r\x1b[31mSubject: forged\x00\n550 5.1.1 \xff\xfe%s%n" \
            .replace("\r", " ").replace("\x00", "\x01")
        primary = self.receiver(scenario.PRIMARY, name="primary.company.example")
        gateway = self.gateway()
        smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example", samples.simple("hostile words"))
        data = self.wait_for_messages(primary, 1)[0].data
        self.assertNotIn(b"\x1b", data)
        self.assertNotIn(b"\x01", data)
        self.assertNotRegex(data, rb"(?m)^Subject: forged")
        self.assertNotIn("\x1b", gateway.log_file.read_text(errors="replace"))
        message, recipients = delivery_status(email.message_from_bytes(data))
        self.assertEqual(recipients[0]["Status"], "5.1.1")


if __name__ == "__main__":
    scenario.main()
