"""No octets within a message ever become a second message, whatever they are and however they are cut."""
import itertools

import samples
import scenario
import smtp_client

# Ends of data that some server somewhere takes for one. Only CRLF.CRLF is.
FALSE_ENDS = [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\n.\r", b"\r.\n", b"\r\r\n.\r\r\n",
              b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n\0.\0\r\n"]
SECOND = b"MAIL FROM:<forged@company.example>\r\nRCPT TO:<victim@dest.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nsmuggled\r\n"


class Smuggling(scenario.Scenario):
    def _session(self, gateway):
        client = smtp_client.Client(gateway.address)
        self.addCleanup(client.close)
        client.greet()
        return client

    def _send(self, client, content, cut=None):
        client.send(b"MAIL FROM:<alice@company.example>\r\nRCPT TO:<bob@dest.example>\r\nDATA\r\n")
        self.assertEqual([client.reply().code for _ in range(3)], [250, 250, 354])
        for part in (content,) if cut is None else (content[:cut], content[cut:]):
            client.send(part)
        return client.reply()

    @staticmethod
    def _message(end):
        return b"Subject: outer\r\n\r\nbefore" + end + SECOND + b"\r\n.\r\n"

    def _check(self, receiver, expected):
        self.wait_for_messages(receiver, expected)
        self.assertEqual(len(receiver.offered), expected)
        for message in receiver.offered:
            self.assertEqual((message.sender, message.recipients), ("alice@company.example", ("bob@dest.example",)))
            self.assertNotIn(b"\r", message.raw.replace(b"\r\n", b""))
            self.assertNotIn(b"\n", message.raw.replace(b"\r\n", b""))
            self.assertNotIn(b"\0", message.raw)
            self.assertEqual(message.raw.count(b"\r\n.\r\n"), 1)
            self.assertTrue(message.raw.endswith(b"\r\n.\r\n"))
            self.assertIn(b"smuggled", message.data)

    def test_bare_newlines_are_normalized(self):
        receiver = self.receiver()
        gateway = self.gateway()
        for end in FALSE_ENDS:
            with self.subTest(end):
                self.assertEqual(self._send(self._session(gateway), self._message(end)).code, 250)
        gateway.wait_until_empty()
        self._check(receiver, len(FALSE_ENDS))

    def test_a_first_line_that_begins_with_a_blank_is_not_part_of_our_field(self):
        receiver = self.receiver()
        gateway = self.gateway()
        client = self._session(gateway)
        self.assertEqual(self._send(client, b" for <x@y.example>; a date\r\nSubject: odd\r\n\r\nbody\r\n.\r\n").code, 250)
        self.wait_for_messages(receiver, 1)
        ours, empty, rest = receiver.offered[0].data.partition(b"\r\n\r\n")
        self.assertTrue(ours.startswith(b"Received: "), ours)
        self.assertNotIn(b"x@y.example", ours)
        self.assertTrue(rest.startswith(b" for <x@y.example>"), rest)

    def test_cut_at_every_octet(self):
        receiver = self.receiver()
        gateway = self.gateway()
        client = self._session(gateway)
        sent = 0
        for end in FALSE_ENDS[:8]:
            content = self._message(end)
            start = content.index(b"before") + 4
            for cut in itertools.chain(range(start, start + len(end) + 5), range(len(content) - 6, len(content))):
                self.assertEqual(self._send(client, content, cut).code, 250, (end, cut))
                sent += 1
        gateway.wait_until_empty()
        self._check(receiver, sent)

    def test_bare_newlines_are_refused_where_so_configured(self):
        receiver = self.receiver()
        gateway = self.gateway(accept={"sender": "any", "bare_newline": "refuse"})
        client = self._session(gateway)
        for end in (b"\n.\n", b"\r.\r", b"\r\n.\n", b"a\nb", b"a\rb", b"\r\r\n", b"\r\n\0.\r\n", b"a\0b"):
            with self.subTest(end):
                reply = self._send(client, self._message(end))
                self.assertEqual(reply.code // 100, 5, reply)
                self.assertEqual(client.say("RCPT TO:<bob@dest.example>").code, 503)
        self.assertEqual(self._send(client, self._message(b"\r\n..\r\n")).code, 250)
        gateway.wait_until_empty()
        self._check(receiver, 1)

    def test_what_bare_newlines_become(self):
        receiver = self.receiver()
        gateway = self.gateway()
        self._send(self._session(gateway), b"Subject: x\n\nLF\nCR\rCRLF\r\n.\rlast\n\r\n.\r\n")
        data = samples.without_trace(self.wait_for_messages(receiver, 1)[0].data)
        self.assertEqual(data, b"Subject: x\r\n\r\nLF\r\nCR\r\nCRLF\r\n\r\nlast\r\n\r\n")

    def test_the_end_in_pieces(self):
        receiver = self.receiver()
        gateway = self.gateway()
        client = self._session(gateway)
        client.send(b"MAIL FROM:<alice@company.example>\r\nRCPT TO:<bob@dest.example>\r\nDATA\r\n")
        [client.reply() for _ in range(3)]
        for octet in b"Subject: slow\r\n\r\nsmuggled\r\n..\r\n...\r\n.x\r\n.\r\nNOOP\r\n":
            client.send(bytes([octet]))
        self.assertEqual([client.reply().code for _ in range(2)], [250, 250])
        data = samples.without_trace(self.wait_for_messages(receiver, 1)[0].data)
        self.assertEqual(data, b"Subject: slow\r\n\r\nsmuggled\r\n.\r\n..\r\nx\r\n")


if __name__ == "__main__":
    scenario.main()
