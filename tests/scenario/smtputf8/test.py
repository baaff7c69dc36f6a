"""Internationalized mail (RFC 6531) goes only to receivers that take it; what is ASCII after all goes to everybody."""
import base64
import quopri
import re

import samples
import scenario
import smtp_client

UTF8 = ("PIPELINING", "SIZE 104857600", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8")


def wire(text):
    """As the client and the receiver spell octets."""
    return text.encode().decode("latin-1")


class SmtpUtf8(scenario.Scenario):
    def zones(self):
        return super().zones() | {"xn--bcher-kva.example": ["@ MX 10 mx1.dest.example."]}

    def _send(self, extensions, sender="alice@company.example", recipients=("bob@dest.example",), content=None,
              parameters=" SMTPUTF8"):
        self.dest, self.primary = self.receiver(extensions=extensions), self.receiver(scenario.PRIMARY, extensions=UTF8)
        gateway = self.gateway()
        with smtp_client.Client(gateway.address) as client:
            self.assertIn("SMTPUTF8", client.greet().text)
            reply = client.message(wire(sender), [wire(r) for r in recipients], content or samples.simple(), parameters)
            self.assertEqual((reply.code, client.refused), (250, {}), reply)
        gateway.wait_until_empty()
        return gateway

    def _failed(self, status):
        self.assertEqual(self.dest.offered, [])
        self.assertIn(status, self.wait_for_messages(self.primary, 1)[0].data.decode())

    def test_a_receiver_that_takes_it(self):
        content = "From: Äon <alice@company.example>\r\nSubject: grüß\r\n\r\nHallo\r\n".encode()
        self._send(UTF8, "bücher@company.example", ["jürgen@dest.example"], content)
        message = self.dest.messages[0]
        self.assertEqual((message.sender, message.recipients), (wire("bücher@company.example"), (wire("jürgen@dest.example"),)))
        self.assertIn("SMTPUTF8", message.sender_parameters.split())
        self.assertEqual(samples.without_trace(message.data), content)
        self.assertIn(b"UTF8SMTP", message.data.split(b";")[0])

    def test_a_recipient_that_cannot_be_said(self):
        self._send(UTF8[:-1], recipients=["jürgen@dest.example"])
        self._failed("5.6.7")

    def test_a_header_that_cannot_be_shown(self):
        self._send(UTF8[:-1], content="From: Äon <alice@company.example>\r\nSubject: grüß\r\n\r\nHallo\r\n".encode())
        self._failed("5.6.9")

    def test_a_sender_that_cannot_be_said(self):
        self._send(UTF8[:-1], sender="bücher@company.example")
        self._failed("5.6.7")

    def test_what_is_ascii_after_all_goes_to_everybody(self):
        self._send(UTF8[:-1])
        self.assertEqual(len(self.dest.messages), 1)
        self.assertNotIn("SMTPUTF8", self.dest.messages[0].sender_parameters)

    def test_only_the_recipients_that_cannot_be_said_are_returned(self):
        self._send(UTF8[:-1], recipients=["jürgen@dest.example", "bob@dest.example"])
        self.assertEqual([m.recipients for m in self.dest.messages], [("bob@dest.example",)])
        self.assertEqual(len(self.wait_for_messages(self.primary, 1)), 1)

    def test_an_international_domain(self):
        self._send(UTF8[:-1], recipients=["bob@bücher.example"])
        self.assertEqual(self.dest.messages[0].recipients, ("bob@xn--bcher-kva.example",))

    def test_not_without_being_announced(self):
        gateway = self.gateway()
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            self.assertGreaterEqual(client.say(wire("MAIL FROM:<bücher@company.example>")).code, 500)
            self.assertEqual(client.say("MAIL FROM:<alice@company.example>").code, 250)
            self.assertGreaterEqual(client.say(wire("RCPT TO:<jürgen@dest.example>")).code, 500)

    def test_octets_that_are_no_utf8(self):
        gateway = self.gateway()
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            for path in (b"b\xfccher", b"b\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"a\xc2\x80b"):
                self.assertGreaterEqual(client.say(b"MAIL FROM:<" + path + b"@company.example> SMTPUTF8").code, 500, path)


class ReportsToAPlainPrimary(scenario.Scenario):
    """The primary offers neither SMTPUTF8 nor 8BITMIME, and what cannot be delivered has UTF-8 where it matters."""

    HEADER = "From: Äon <alice@company.example>\r\nSubject: grüß\r\n\r\nHallo\r\n".encode()

    def _told(self, to, sender="alice@company.example", recipient="bob@dest.example", content=None, refusal=None):
        """The one report, as the primary gets it."""
        primary = self.receiver(scenario.PRIMARY, extensions=("PIPELINING", "ENHANCEDSTATUSCODES"))
        self.receiver(extensions=UTF8 if refusal else UTF8[:-1], on={"RCPT": refusal} if refusal else {})
        gateway = self.gateway()
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            self.assertEqual(client.message(wire(sender), [wire(recipient)], content or samples.simple(), " SMTPUTF8").code, 250)
        report = self.wait_for_messages(primary, 1)[0]
        gateway.wait_until_empty()
        self.assertEqual([(m.sender, m.recipients) for m in primary.messages], [("", (to,))])
        self.assertTrue(report.data.isascii())
        self.assertEqual(gateway.events("bounced")[-1]["bounce"], gateway.events("delivered")[-1]["id"], "nothing is left untold")
        self.assertIn(b"multipart/report", report.data)
        return self._decoded(report.data)

    def _decoded(self, octets):
        """All of it, parts of parts too, as a person gets to see it."""
        head, _, body = octets.partition(b"\r\n\r\n")
        boundary = re.search(rb'boundary="([^"]*)"', head)
        if boundary:
            return "\n".join([head.decode(), *map(self._decoded, body.split(b"--" + boundary[1])[1:])])
        if b"ncoding: base64" in head:
            body = base64.b64decode(body)
        elif b"ncoding: quoted-printable" in head:
            body = quopri.decodestring(body)
        inner = self._decoded(body) if b"message/" in head and b"boundary" in body else ""
        return head.decode() + body.decode() + inner

    def test_about_a_header(self):
        said = self._told("alice@company.example", content=self.HEADER)
        self.assertIn("5.6.9", said)
        self.assertIn("grüß", said, "the header that comes back")

    def test_about_a_recipient(self):
        said = self._told("alice@company.example", recipient="jürgen@dest.example")
        self.assertIn("5.6.7", said)
        self.assertIn("jürgen@dest.example", said)

    def test_about_a_recipient_that_the_receiver_refuses(self):
        said = self._told("alice@company.example", recipient="jürgen@dest.example", content=self.HEADER,
                          refusal="550 5.1.1 no such user")
        self.assertIn("no such user", said)
        self.assertIn("jürgen@dest.example", said)

    def test_to_a_sender_who_cannot_be_named_there(self):
        """Then the postmaster is told, who knows whose it is."""
        said = self._told("postmaster@company.example", sender="bücher@company.example", refusal="550 5.1.1 no such user")
        self.assertIn("no such user", said)
        self.assertIn("bücher@company.example", said)


if __name__ == "__main__":
    scenario.main()
