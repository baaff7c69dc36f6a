"""Mail between real Postfix servers: plain, 8-bit, odd headers; nothing but trace fields is added."""
import unittest

import postfix
import samples
import scenario
import smtp_client


@unittest.skipIf(postfix.required(), postfix.required())
class PostfixToPostfix(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.postern = self.gateway()
        self.primary = self.workspace.add(postfix.Postfix(
            self.workspace, "primary", scenario.PRIMARY, domains=["company.example"], relayhost=self.postern.address))
        self.destination = self.workspace.add(postfix.Postfix(
            self.workspace, "mx1", scenario.RECEIVER, domains=["dest.example"]))

    def test_every_sample_arrives_as_the_primary_sent_it(self):
        sent = samples.samples()
        for number, content in enumerate(sent.values()):
            reply = smtp_client.send(self.primary.address, "alice@company.example", f"n{number}@dest.example", content)
            self.assertEqual(reply.code, 250, reply)
        arrived = {mail.recipient: mail for mail in self.destination.wait_for_mail(len(sent))}
        self.assertEqual(len(arrived), len(sent))
        for number, (name, content) in enumerate(sent.items()):
            with self.subTest(name):
                transmitted = arrived[f"n{number}@dest.example"].transmitted
                by_primary = samples.without_trace(transmitted)
                self.assertIn(b"gw1.company.example", transmitted[:len(transmitted) - len(by_primary)])
                after = samples.without_trace(by_primary)
                self.assertEqual(after.partition(b"\r\n\r\n")[2].rstrip(b"\r\n"),
                                 self._body_after_postfix(content).rstrip(b"\r\n"))
        self.postern.wait_until_empty()
        self.assertEqual(self.primary.queue(), "")

    @staticmethod
    def _body_after_postfix(content):
        """Postfix ends the header where a line is no header field; then everything from there is body."""
        lines, position = content.split(b"\r\n"), 0
        for line in lines:
            if line == b"":
                return content[position + 2:]
            name, colon, _ = line.partition(b":")
            folded = line[:1] in (b" ", b"\t") and position > 0
            from_line = position == 0 and line.startswith((b"From ", b">From "))
            if not folded and not from_line and (not colon or b" " in name.rstrip(b" \t") or not name):
                return content[position:]
            position += len(line) + 2
        return b""

    def test_what_postern_puts_on_top_is_one_received_field(self):
        smtp_client.send(self.primary.address, "alice@company.example", "bob@dest.example",
                         samples.simple("8-bit", "Gr\xfc\xdfe\r\n..two dots\r\n.\r\n.x\r\n"))
        mail = self.destination.wait_for_mail(1)[0]
        self.assertTrue(mail.octets.endswith(b"Gr\xfc\xdfe\r\n..two dots\r\n.\r\n.x\r\n"), mail.octets)
        self.assertIn(b"by gw1.company.example", mail.transmitted.split(b"\r\n\r\n")[0])


if __name__ == "__main__":
    scenario.main()
