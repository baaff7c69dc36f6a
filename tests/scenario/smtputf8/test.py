"""Internationalized mail (RFC 6531) goes only to receivers that take it; what is ASCII after all goes to everybody."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))

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


if __name__ == "__main__":
    scenario.main()
