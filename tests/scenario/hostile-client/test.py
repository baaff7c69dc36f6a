"""Commands that break the bounds get 500 or 501, and 421 after too many; slow and silent clients are let go."""
import samples
import scenario
import smtp_client


class HostileClient(scenario.Scenario):
    def _greeted(self, gateway):
        client = smtp_client.Client(gateway.address)
        self.addCleanup(client.close)
        client.greet()
        return client

    def test_bad_lines_are_answered_and_the_session_lives(self):
        gateway = self.gateway()
        for line in (b"NOOP " + b"x" * 3000, b"MAIL FROM:<" + b"a" * 100000 + b"@company.example>", b"NO\0OP",
                     b"MAIL FROM:<al\0ice@company.example>", b"EHLO \xfcber.example", b"\xff\xfe\xfd",
                     b"MAIL FROM:<gr\xfc\xdfe@company.example>", b"RCPT TO:<bob@dest.example\x01>", b"JUNK", b"",
                     b"MAIL FROM:alice", b"MAIL FROM:<a@b>garbage", b"MAIL FROM:<@a,@b:c@d@e>",
                     b"MAIL FROM:<alice@company.example> SIZE=-1", b"MAIL FROM:<alice@company.example> SIZE=99999999999999999999999",
                     b"MAIL FROM:<alice@company.example> BODY=NONSENSE", b"MAIL FROM:<alice@company.example> X=" + b"y" * 1500):
            with self.subTest(line[:40]):
                client = self._greeted(gateway)
                reply = client.say(line)
                self.assertIn(reply.code, (500, 501, 504, 552, 553, 555), reply)
                self.assertEqual(client.say("NOOP").code, 250)

    def test_commands_out_of_order(self):
        gateway = self.gateway()
        client = smtp_client.Client(gateway.address)
        self.addCleanup(client.close)
        client.reply()
        self.assertEqual(client.say("MAIL FROM:<alice@company.example>").code, 503)
        client.say("EHLO x.example")
        for command in ("RCPT TO:<bob@dest.example>", "DATA"):
            self.assertEqual(client.say(command).code, 503)
        client.say("MAIL FROM:<alice@company.example>")
        self.assertEqual(client.say("MAIL FROM:<alice@company.example>").code, 503)
        self.assertIn(client.say("DATA").code, (503, 554))
        self.assertEqual(client.say("QUIT").code, 221)
        self.assertTrue(client.closed())

    def test_too_many_errors_end_the_session(self):
        gateway = self.gateway(accept={"sender": "any", "protocol_errors": 5})
        client = self._greeted(gateway)
        codes = [client.say("JUNK").code]
        while codes[-1] != 421:
            codes.append(client.say("JUNK").code)
            self.assertLess(len(codes), 10)
        self.assertEqual(codes[:-1], [500] * (len(codes) - 1))
        self.assertIn(len(codes), (5, 6))
        self.assertTrue(client.closed())

    def test_a_line_without_end_takes_no_memory(self):
        gateway = self.gateway()
        client = self._greeted(gateway)
        before = self._resident(gateway)
        try:
            for _ in range(64):
                client.send(b"x" * (1 << 20))
            client.send(b"\r\n")
            self.assertIn(client.reply().code, (421, 500))
        except (smtp_client.Closed, OSError):
            pass  # being cut off is an answer too
        self.assertLess(self._resident(gateway) - before, 32 << 20)

    @staticmethod
    def _resident(gateway):
        with open(f"/proc/{gateway.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * 4096

    def test_another_protocol_is_hung_up_on(self):
        gateway = self.gateway()
        client = smtp_client.Client(gateway.address)
        self.addCleanup(client.close)
        client.reply()
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<alice@company.example>\r\nRCPT TO:<bob@dest.example>\r\n")
        self.assertTrue(client.closed())

    def test_a_silent_client_is_let_go(self):
        gateway = self.gateway(accept={"sender": "any", "timeout": "1s"})
        client = self._greeted(gateway)
        self.assertEqual(client.reply().code, 421)
        self.assertTrue(client.closed())

    def test_silence_within_the_data_keeps_nothing(self):
        receiver = self.receiver()
        gateway = self.gateway(accept={"sender": "any", "timeout": "1s"})
        client = self._greeted(gateway)
        client.say("MAIL FROM:<alice@company.example>")
        client.say("RCPT TO:<bob@dest.example>")
        self.assertEqual(client.say("DATA").code, 354)
        client.send(b"Subject: cut\r\n\r\nhalf a line")
        self.assertTrue(client.closed())
        cut = self._greeted(gateway)
        cut.say("MAIL FROM:<alice@company.example>")
        cut.say("RCPT TO:<bob@dest.example>")
        cut.say("DATA")
        cut.send(b"Subject: cut\r\n\r\nand closed\r\n")
        cut.close()
        self.assertEqual(smtp_client.send(gateway.address, "alice@company.example", "whole@dest.example",
                                          samples.simple()).code, 250)
        gateway.wait_until_empty()
        self.assertEqual([m.recipients for m in receiver.offered], [("whole@dest.example",)])

    def test_more_connections_than_allowed_are_told_to_come_again(self):
        gateway = self.gateway(accept={"sender": "any", "connections": 5})
        clients = [self._greeted(gateway) for _ in range(5)]
        late = smtp_client.Client(gateway.address)
        self.addCleanup(late.close)
        self.assertEqual(late.reply().code, 421)
        clients[0].say("QUIT")
        clients[0].close()

        def greeted():
            with smtp_client.Client(gateway.address) as client:
                return client.reply().code == 220
        gateway.process.wait_for(greeted, "a free place")

    def test_pipelined_commands_in_one_segment(self):
        receiver = self.receiver()
        gateway = self.gateway()
        client = self._greeted(gateway)
        client.send(b"MAIL FROM:<alice@company.example>\r\nRCPT TO:<bob@dest.example>\r\nRCPT TO:<@bad>\r\nDATA\r\n")
        self.assertEqual([client.reply().code for _ in range(4)], [250, 250, 501, 354])
        client.send(samples.simple("first") + b".\r\nMAIL FROM:<alice@company.example>\r\nRSET\r\nNOOP\r\nQUIT\r\n")
        self.assertEqual([client.reply().code for _ in range(5)], [250, 250, 250, 250, 221])
        self.assertEqual(self.wait_for_messages(receiver, 1)[0].recipients, ("bob@dest.example",))


if __name__ == "__main__":
    scenario.main()
