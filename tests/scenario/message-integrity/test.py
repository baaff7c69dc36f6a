"""Every octet a delivered message gained is the Received field on top; it lost none."""
import random

import samples
import scenario
import smtp_client


class MessageIntegrity(scenario.Scenario):
    def _contents(self):
        yield from samples.samples().items()
        head = b"Subject: made to measure\r\n\r\n"
        yield "dots", head + b".\r\n..\r\n...\r\n.a\r\n..b\r\n\r\n.\r\n"
        yield "only a dot", b".\r\n"
        yield "first line is a dot line", b".x: y\r\n\r\n"
        yield "empty", b""
        yield "empty line", b"\r\n"
        yield "no header", b"\r\njust a body\r\n"
        yield "header only", b"Subject: alone\r\n"
        yield "many empty lines", head + b"\r\n" * 1000
        yield "long line", head + b"x" * 100000 + b"\r\n"
        yield "long header line", b"X-Long: " + b"y" * 20000 + b"\r\n\r\nbody\r\n"
        yield "998 octets", head + b"z" * 998 + b"\r\n" + b"z" * 999 + b"\r\n"
        yield "every octet", head + bytes(o for o in range(1, 256) if o not in (10, 13)) + b"\r\n"
        yield "tabs and spaces", head + b" \t \r\n\t\r\nend \r\n"
        yield "own Received fields", b"Received: from a by b; date\r\n" * 20 + head + b"x\r\n"
        yield "mbox line", b"From alice Sat Nov 21 12:00:00 2026\r\n" + head + b"From here on\r\n>From there\r\n"
        noise = random.Random(7)
        for size in (4095, 4096, 4097, 65535, 65536, 65537, 262143, 262144, 262145, 1 << 20):
            lines, left = [], size
            while left > 0:
                line = bytes(noise.choice(b".abcdefgh \xe9\xff") for _ in range(noise.randrange(0, 60))) + b"\r\n"
                lines.append(line)
                left -= len(line)
            yield f"noise of about {size}", head + b"".join(lines)

    def _check(self, receiver, sent):
        for number, (name, content) in enumerate(sent):
            with self.subTest(name):
                data = next(m.data for m in receiver.messages if m.recipients == (f"n{number}@dest.example",))
                self.assertEqual(samples.without_trace(data), content)

    def test_in_sessions_of_many_messages(self):
        receiver = self.receiver()
        gateway = self.gateway()
        sent = list(self._contents())
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            for number, (name, content) in enumerate(sent):
                reply = client.message("alice@company.example", [f"n{number}@dest.example"], content, " BODY=8BITMIME")
                self.assertEqual(reply.code, 250, name)
        gateway.wait_until_empty()
        self._check(receiver, sent)

    def test_kept_over_a_restart(self):
        receiver = self.receiver()
        receiver.stop_listening()
        gateway = self.gateway()
        sent = list(self._contents())
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            for number, (name, content) in enumerate(sent):
                reply = client.message("alice@company.example", [f"n{number}@dest.example"], content, " BODY=8BITMIME")
                self.assertEqual(reply.code, 250, name)
        gateway.kill()
        receiver.start()
        gateway.start()
        gateway.wait_until_empty()
        self._check(receiver, sent)

    def test_body_parameter_is_passed_on(self):
        receiver = self.receiver()
        gateway = self.gateway()
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            client.message("alice@company.example", ["bob@dest.example"], samples.simple("x", "\xe9\r\n"), " BODY=8BITMIME")
        self.assertIn("BODY=8BITMIME", self.wait_for_messages(receiver, 1)[0].sender_parameters)

    def test_a_receiver_without_extensions(self):
        receiver = self.receiver(extensions=[])
        gateway = self.gateway()
        content = samples.simple()
        smtp_client.send(gateway.address, "alice@company.example", ["a@dest.example", "b@dest.example"], content)
        message = self.wait_for_messages(receiver, 1)[0]
        self.assertEqual((message.sender_parameters, samples.without_trace(message.data)), ("", content))
        self.assertEqual(message.recipients, ("a@dest.example", "b@dest.example"))

    def test_a_receiver_that_knows_only_helo(self):
        receiver = self.receiver(on={"EHLO": "502 5.5.1 what?"})
        gateway = self.gateway()
        content = samples.simple()
        smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example", content)
        self.assertEqual(samples.without_trace(self.wait_for_messages(receiver, 1)[0].data), content)
        self.assertIn("HELO gw1.company.example", receiver.sessions[0].commands)


if __name__ == "__main__":
    scenario.main()
