"""Copies for an archive: one journal report of each message, accepted with it, never lost, never bounced, never of itself."""
import email
import email.policy
import re

import samples
import scenario
import smtp_client
from workspace import SMTP_PORT

ARCHIVE = 30
JOURNAL = "journal@archive.example"


class Journal(scenario.Scenario):
    def zones(self):
        return {**super().zones(), "archive.example": ["@ MX 10 mx1", f"mx1 A {self.workspace.host(ARCHIVE)}"]}

    def _gateway(self, archive=None, **settings):
        self.dest, self.primary = self.receiver(), self.receiver(scenario.PRIMARY)
        self.archive = self.receiver(ARCHIVE, **(archive or {}))
        return self.gateway(**{"journal": {"to": JOURNAL}, **settings})

    def _reports(self, count):
        return self.wait_for_messages(self.archive, count)

    def _parts(self, report):
        """The envelope in the report's text as pairs, and the octets attached."""
        found = email.message_from_bytes(report.data, policy=email.policy.SMTP)
        self.assertEqual(found.get_content_type(), "multipart/mixed")
        self.assertEqual(found["X-MS-Journal-Report"], "")
        self.assertFalse(found.defects)
        text, attached = found.iter_parts()
        pairs = [line.partition(": ")[::2] for line in text.get_content().splitlines()]
        boundary = found.get_boundary().encode()
        body = report.data.split(b"--" + boundary)[2]
        return pairs, attached, body.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")

    def test_each_message_has_one_report_with_its_envelope_and_the_message_as_it_came(self):
        gateway = self._gateway()
        for name, content in sorted(samples.samples().items()):
            with self.subTest(sample=name):
                before = len(self.archive.messages)
                self.send(gateway, content=content, recipients=["bob@dest.example", "hidden@dest.example", "eve@dest.example"])
                self._reports(before + 1)
                pairs, _, octets = self._parts(self.archive.messages[-1])
                self.assertEqual([pair for pair in pairs if pair[0] != "Subject" and pair[0] != "Message-Id"],
                                 [("Sender", "alice@company.example"), ("Recipient", "bob@dest.example"),
                                  ("Recipient", "hidden@dest.example"), ("Recipient", "eve@dest.example")])
                self.assertEqual(octets, content)
        gateway.wait_until_empty()
        count = len(samples.samples())
        self.assertEqual((len(self.dest.messages), len(self.archive.messages)), (count, count))
        self.assertEqual({m.sender for m in self.archive.messages}, {""})
        self.assertEqual({m.recipients for m in self.archive.messages}, {(JOURNAL,)})

    def test_subject_and_message_id_are_in_the_report(self):
        gateway = self._gateway()
        self.send(gateway, content=samples.simple("the quarter's figures"))
        pairs, attached, _ = self._parts(self._reports(1)[0])
        self.assertEqual(dict(pairs)["Subject"], "the quarter's figures")
        self.assertEqual(dict(pairs)["Message-Id"], "<the.quarter's.figures@company.example>")
        self.assertEqual(attached.get_content_type(), "message/rfc822")
        accepted = gateway.wait_for_event("accepted")
        self.assertEqual(self.archive.messages[0].data.count(accepted["journal"].encode()) > 0, True)

    def test_a_large_message_is_copied_whole(self):
        gateway = self._gateway()
        content = samples.of_size(3_000_000)
        self.send(gateway, content=content)
        self.assertEqual(self._parts(self._reports(1)[0])[2], content)
        gateway.wait_until_empty()
        gateway.process.wait_for(lambda: not list((gateway.state_dir / "spool" / "content").iterdir()), "both names of the content are gone")
        self.assertEqual(samples.without_trace(self.dest.messages[0].data), content)

    def test_the_chosen_mail_only(self):
        for chosen, expected in (({"of": ["alice@company.example"]}, ["alice"]), ({"of": ["company.example"]}, ["alice", "bob"]),
                                 ({"of": ["r@dest.example"]}, ["alice", "bob", "other"]), ({"direction": "incoming"}, []),
                                 ({"direction": "outgoing", "of": ["elsewhere.example"]}, ["other"]), ({"of": []}, [])):
            with self.each(chosen=chosen):
                gateway = self._gateway(journal={"to": JOURNAL, **chosen})
                for name, domain in (("alice", "company"), ("bob", "company"), ("other", "elsewhere")):
                    self.send(gateway, sender=f"{name}@{domain}.example", recipients="r@dest.example", content=samples.simple(name))
                gateway.wait_until_empty()
                self.assertEqual(sorted(dict(self._parts(m)[0])["Subject"] for m in self.archive.messages), expected)

    def test_an_archive_that_is_down_or_refuses_gets_it_later_and_nobody_is_told(self):
        state = {"reply": "550 5.7.1 I do not want this"}
        gateway = self._gateway(archive={"on": {"RCPT": lambda *_: state["reply"]}}, queue={"expire": "3s", "retry_first": "1s", "retry_max": "1s"})
        self.send(gateway)
        gateway.process.wait_for(lambda: len(gateway.events("deferred")) >= 6, "some attempts, beyond the time mail is kept")
        self.assertIn("copies for the archive wait since", gateway.http("/readyz")[1])
        self.assertEqual(len(self.dest.messages), 1)
        waiting = [m for m in gateway.messages()]
        self.assertEqual(len(waiting), 1)
        self.assertIn("for the archive", waiting[0]["origin"])
        self.assertIsNone(waiting[0]["expires"])
        self.assertEqual(len([e for e in gateway.events("trouble") if "the archive does not take copies" in e["text"]]), 1)
        gateway.kill()
        gateway.start()
        state["reply"] = None
        self._reports(1)
        gateway.wait_until_empty()
        self.assertNotIn("archive", gateway.http("/readyz")[1])
        self.assertEqual((len(self.archive.messages), len(self.dest.messages), len(self.primary.messages)), (1, 1, 0))
        self.assertEqual(gateway.events("bounced"), [])

    def test_a_mailbox_that_is_full_gets_it_whole_when_there_is_room_again(self):
        for stage, reply in (("RCPT", "552 exceeded storage allocation"), (".", "552 5.2.2 mailbox full"), ("MAIL", "552 5.6.0 no"),
                             (".", "550 5.6.3 no such conversion")):
            with self.each(stage=stage, reply=reply):
                state = {"reply": reply}
                gateway = self._gateway(archive={"on": {stage: lambda *_: state["reply"]}})
                self.send(gateway)
                gateway.process.wait_for(lambda: len(gateway.events("deferred")) >= 2, "two attempts")
                self.assertIn("copies for the archive wait since", gateway.http("/readyz")[1])
                state["reply"] = None
                self.assertEqual(self._parts(self._reports(1)[0])[2], samples.simple())
                gateway.wait_until_empty()
                self.assertNotIn("archive", gateway.http("/readyz")[1])

    def test_a_report_that_an_operator_deletes_makes_no_trouble_any_more(self):
        gateway = self._gateway(archive={"on": {"RCPT": lambda *_: "550 5.7.1 no"}})
        self.send(gateway)
        gateway.process.wait_for(lambda: "copies for the archive wait" in gateway.http("/readyz")[1], "the trouble")
        gateway.command("queue", "delete", "--recipient", JOURNAL)
        gateway.process.wait_for(lambda: "archive" not in gateway.http("/readyz")[1], "no trouble")

    def test_what_the_archive_finds_too_large_it_gets_without_the_message(self):
        large = {"extensions": ("PIPELINING", "SIZE 100000", "8BITMIME")}
        later = {"on": {".": lambda _, data: "552 5.3.4 too large" if len(data) > 100_000 else None}}
        for archive in (large, later):
            for size in (150_000, 400_000):
                with self.each(archive=list(archive), size=size):
                    gateway = self._gateway(archive=archive)
                    self.send(gateway, content=samples.of_size(size, "figures"))
                    pairs, attached, octets = self._parts(self._reports(1)[0])
                    self.assertEqual(dict(pairs)["Recipient"], "bob@dest.example")
                    self.assertEqual(attached.get_content_type(), "text/rfc822-headers")
                    self.assertEqual(octets, samples.simple("figures", "").removesuffix(b"\r\n"))
                    gateway.wait_for_event("trouble", text="gets its envelope and header only")
                    gateway.wait_until_empty()
                    self.assertEqual((len(self.archive.messages), len(self.primary.messages)), (1, 0))

    def test_no_report_of_a_report_and_none_of_mail_for_the_archive(self):
        gateway = self._gateway()
        self.send(gateway)
        report = self._reports(1)[0]
        # The archive's mailbox is forwarded, back through us.
        self.send(gateway, sender="archive@company.example", recipients="second@dest.example", content=report.data)
        self.send(gateway, recipients=JOURNAL.upper(), content=samples.simple("for the archivist"))
        gateway.wait_until_empty()
        self.assertEqual(len(self.archive.messages), 2)
        self.assertIn(b"for the archivist", self.archive.messages[1].data)
        # Nobody else makes such a mark.
        forged = re.sub(rb"(?m)^X-Postern-Journal: .*$", b"X-Postern-Journal: 0123456789abc." + b"0" * 32, report.data)
        self.send(gateway, recipients="bob@dest.example", content=b"X-Postern-Journal: 0123456789abc." + b"0" * 32 + b"\r\n" + samples.simple("sly"))
        self.send(gateway, recipients="bob@dest.example", content=forged)
        self._reports(4)

    def test_bounces_of_ours_are_not_copied_and_come_to_the_author(self):
        gateway = self._gateway()
        self.dest.on["RCPT"] = lambda *_: "550 5.1.1 nobody"
        self.send(gateway)
        self.wait_for_messages(self.primary, 1)
        gateway.wait_until_empty()
        self.assertEqual(len(self.archive.messages), 1)
        self.assertIn("Subject: a test", self.archive.messages[0].data.decode())

    def test_a_gateway_leads_to_the_archive_and_waits_while_it_is_disabled(self):
        gateway = self._gateway(journal={"to": "box@nowhere.example", "gateway": "archive"},
                                gateway=[{"name": "archive", "address": f"{self.workspace.host(ARCHIVE)}:{SMTP_PORT}", "tls": "off"}])
        self.send(gateway)
        self.assertEqual(self._reports(1)[0].recipients, ("box@nowhere.example",))
        gateway.command("gateway", "disable", "archive")
        self.send(gateway)
        gateway.process.wait_for(lambda: len(gateway.messages()) == 1 and "disabled" in str(gateway.messages()), "the report waits")
        self.wait_for_messages(self.dest, 2)
        gateway.command("gateway", "enable", "archive")
        self._reports(2)
        gateway.wait_until_empty()

    def test_addresses_beyond_ascii(self):
        for known in (("SMTPUTF8",), ()):
            with self.each(known=known):
                self._beyond_ascii(known)

    def _beyond_ascii(self, known):
        gateway = self._gateway(archive={"extensions": ("PIPELINING", "8BITMIME", *known)})
        self.dest.extensions.append("SMTPUTF8")
        content = "From: <jürgen@company.example>\r\nSubject: grüße\r\n\r\nhallo\r\n".encode()
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            self.assertEqual(client.say("MAIL FROM:<jürgen@company.example> SMTPUTF8 BODY=8BITMIME".encode()).code, 250)
            self.assertEqual(client.say("RCPT TO:<b@dest.example>").code, 250)
            self.assertEqual(client.data(content).code, 250)
        report = self._reports(1)[0]
        pairs, attached, octets = self._parts(report)
        self.assertEqual(dict(pairs)["Sender"], "jürgen@company.example")
        self.assertEqual(attached.get_content_type(), "message/global")
        self.assertEqual(octets, content)


if __name__ == "__main__":
    scenario.main()
