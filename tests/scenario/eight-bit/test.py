"""8-bit mail for a receiver without 8BITMIME: converted where that is harmless, else sent as it is."""
import email
import email.policy

import samples
import scenario
import smtp_client

SEVEN_BIT = ("PIPELINING", "SIZE 104857600", "ENHANCEDSTATUSCODES")
TEXT = "Grüße aus Köln, æøå\r\n.eins\r\nzwei \r\n"


def message(text=TEXT, header="", kind="text/plain; charset=utf-8"):
    return (f"From: <alice@company.example>\r\nTo: <bob@dest.example>\r\nSubject: eight bits\r\n{header}MIME-Version: 1.0\r\n"
            f"Content-Type: {kind}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}").encode()


MULTIPART = message("\r\n".join([
    "preamble", "--b", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit", "", "Grüße", "--b",
    "Content-Type: application/octet-stream", "Content-Transfer-Encoding: base64", "", "AAECAw==", "--b",
    "Content-Type: multipart/alternative; boundary=c", "Content-Transfer-Encoding: 8bit", "", "--c",
    "Content-Type: text/html; charset=iso-8859-1", "", "<p>plain</p>", "--c--", "--b--", ""]), kind="multipart/mixed; boundary=b")


class EightBit(scenario.Scenario):
    def _send(self, content, extensions=SEVEN_BIT, parameters=" BODY=8BITMIME"):
        receiver, primary = self.receiver(extensions=extensions), self.receiver(scenario.PRIMARY)
        gateway = self.gateway()
        with smtp_client.Client(gateway.address) as client:
            self.assertIn("8BITMIME", client.greet().text)
            self.assertEqual(client.message("alice@company.example", ["bob@dest.example"], content, parameters).code, 250)
        gateway.wait_until_empty()
        return receiver, primary, gateway

    def _converted(self, content):
        receiver, primary, gateway = self._send(content)
        self.assertEqual(primary.sessions, [])
        got = receiver.messages[0]
        self.assertNotIn("BODY", got.sender_parameters)
        self.assertTrue(got.data.isascii())
        self.assertLessEqual(max(map(len, got.data.split(b"\r\n"))), 998)
        parse = lambda octets: email.message_from_bytes(octets, policy=email.policy.default)
        before, after = parse(content), parse(samples.without_trace(got.data))
        for one, other in zip(before.walk(), after.walk(), strict=True):
            self.assertEqual(one.get_content_type(), other.get_content_type())
            if not one.is_multipart():
                self.assertEqual(one.get_content(), other.get_content())
        return after

    def test_a_text(self):
        after = self._converted(message())
        self.assertIn(after["Content-Transfer-Encoding"].lower(), ("quoted-printable", "base64"))

    def test_a_long_line(self):
        self._converted(message("ä" * 450 + "\r\n" + "x " * 400 + "\r\n"))

    def test_parts_of_a_multipart(self):
        self._converted(MULTIPART)

    def test_seven_bit_mail_is_left_alone(self):
        content = samples.simple("seven bits")
        receiver, _, _ = self._send(content)
        self.assertEqual(samples.without_trace(receiver.messages[0].data), content)

    def test_a_receiver_that_takes_eight_bits_gets_them(self):
        receiver, _, _ = self._send(message(), (*SEVEN_BIT, "8BITMIME"))
        self.assertIn("BODY=8BITMIME", receiver.messages[0].sender_parameters.split())
        self.assertEqual(samples.without_trace(receiver.messages[0].data), message())

    def test_undeclared_eight_bit_content_counts_as_well(self):
        receiver, primary, gateway = self._send(message(), parameters="")
        self.assertTrue(all(m.data.isascii() for m in receiver.messages))
        self.assertEqual(len(receiver.messages) + len(primary.messages), 1)

    def _as_it_is(self, content):
        receiver, primary, gateway = self._send(content)
        got = receiver.messages[0]
        self.assertNotIn("BODY", got.sender_parameters)
        self.assertEqual(samples.without_trace(got.data), content)
        self.assertEqual(primary.sessions, [])

    def test_signed_by_dkim(self):
        self._as_it_is(message(header="DKIM-Signature: v=1; a=rsa-sha256; d=company.example; s=s; h=from; bh=x; b=y\r\n"))

    def test_signed_by_the_author(self):
        self._as_it_is(message("--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n"
                               "--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n",
                               kind='multipart/signed; boundary=b; protocol="application/pgp-signature"'))

    def test_not_mime(self):
        self._as_it_is("From: <alice@company.example>\r\nSubject: x\r\n\r\nGrüße\r\n".encode())

    def test_nested_without_end(self):
        deep = "".join(f"--b{n}\r\nContent-Type: multipart/mixed; boundary=b{n + 1}\r\n\r\n" for n in range(10000))
        self._as_it_is(message(deep + "ü\r\n", kind="multipart/mixed; boundary=b0"))


if __name__ == "__main__":
    scenario.main()
