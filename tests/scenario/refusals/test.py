"""Whatever is answered 4xx or 5xx has a line in the log with its rule, and is counted; a stranger cannot flood that log."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))

import re
import shutil

import samples
import scenario
import smtp_client
from certificates import Authority
from primary import Primary

MAIL, RCPT = "MAIL FROM:<alice@company.example>", "RCPT TO:<bob@dest.example>"


class Refusals(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.stranger = self.workspace.host(scenario.STRANGER)

    def _greeted(self, gateway, source=None, name="primary.company.example"):
        client = smtp_client.Client(gateway.address, source=source)
        self.addCleanup(client.close)
        self.assertEqual(client.greet(name).code, 250)
        return client

    def _told(self, gateway, reply, rule, **fields):
        """There is a line for this reply."""
        self.assertGreaterEqual(reply.code, 400, reply)
        return gateway.wait_for_event("refused", reply=f"{reply.code} {reply.enhanced} ", rule=rule, **fields)

    def _count(self, gateway):
        return sum(int(float(n)) for n in re.findall(r'postern_refused_total\{[^}]*\} (\S+)', gateway.http("/metrics")[1]))

    def test_commands(self):
        gateway = self.gateway(accept={"sender": "any", "recipients": 1, "protocol_errors": 100})
        rows = [((), "JUNK", "4.1.1"), ((), "NO\0OP", "4.1.1"), ((), "NOOP " + "x" * 3000, "4.5.3.1"), ((), "EHLO ", "4.1.1"),
                ((), "MAIL FROM:alice", "4.1.2"), ((), "MAIL FROM:<a@b> FUTURE=1", "4.1.1.11"),
                ((), "MAIL FROM:<a@b> RET=SOME", "4.1.1"), ((), "VRFY \udcff", "RFC 6531"), ((), RCPT, "4.1.4"),
                ((), "DATA", "4.1.4"), ((), "STARTTLS", "tls.certificate"), ((), MAIL + " REQUIRETLS", "RFC 8689"),
                ((), "MAIL FROM:<m\u00fc@b.example>", "RFC 6531"), ((), MAIL + " SIZE=999999999999", "queue.message_size"),
                ((MAIL,), MAIL, "4.1.4"), ((MAIL,), "RCPT TO:<>", "4.1.2"), ((MAIL,), "DATA", "RFC 5321 3.3"),
                ((MAIL,), "RCPT TO:<m\u00fc@b.example>", "RFC 6531"),
                ((MAIL, RCPT), "RCPT TO:<eve@dest.example>", "accept.recipients")]
        for number, (before, line, rule) in enumerate(rows):
            with self.subTest(line[:40]):
                name = f"row{number}.example"
                client = self._greeted(gateway, name=name)
                for command in before:
                    self.assertEqual(client.say(command).code, 250)
                client.send(line.encode("utf-8", "surrogateescape") + b"\r\n")
                event = self._told(gateway, client.reply(), rule, helo=name)
                if rule == "queue.message_size":
                    self.assertEqual(event["from"], "alice@company.example")
                if rule == "accept.recipients":
                    self.assertEqual((event["from"], event["to"]), ("alice@company.example", "eve@dest.example"))
        self.assertEqual(self._count(gateway), len(rows))

    def test_sessions_that_are_ended(self):
        gateway = self.gateway(accept={"sender": "any", "protocol_errors": 1, "connections": 3, "timeout": "2s"})
        client = smtp_client.Client(gateway.address)
        client.reply()
        client.send(b"GET / HTTP/1.1\r\n")
        self._told(gateway, client.reply(), "RFC 5321 2.3")
        client.close()
        client = self._greeted(gateway)
        self.assertEqual(client.say("JUNK").code, 500)
        self._told(gateway, client.say("JUNK"), "accept.protocol_errors")
        client = self._greeted(gateway, name="silent.example")
        self._told(gateway, client.reply(), "accept.timeout", helo="silent.example")
        client = self._greeted(gateway, name="stalled.example")
        for command in (MAIL, RCPT, "DATA"):
            client.say(command)
        client.send(b"Subject: half\r\n")
        self._told(gateway, client.reply(), "accept.timeout", helo="stalled.example")
        held = [smtp_client.Client(gateway.address) for _ in range(3)]
        for one in held:
            self.addCleanup(one.close)
            self.assertEqual(one.reply().code, 220)
        late = smtp_client.Client(gateway.address)
        self.addCleanup(late.close)
        self._told(gateway, late.reply(), "accept.connections")

    def test_a_stop_is_told(self):
        gateway = self.gateway()
        client = self._greeted(gateway, name="late.example")
        gateway.stop()
        self._told(gateway, client.reply(), "shutdown", helo="late.example")

    def test_tls_first(self):
        own = Authority(self.workspace).issue("gw1.company.example")
        gateway = self.gateway(tls={"certificate": own.certificate, "private_key": own.key},
                               listener=[{"address": f"{self.workspace.host(1)}:2525", "tls": "required"}])
        self._told(gateway, self._greeted(gateway).say(MAIL), "listener.tls")

    def test_contents(self):
        gateway = self.gateway(accept={"sender": "any", "bare_newline": "refuse"}, queue={"message_size": "1MiB"})
        head = b"Subject: x\r\n\r\n"
        for content, rule in ((head + b"a\nb\r\n", "accept.bare_newline"), (head + b"a\0b\r\n", "accept.bare_newline"),
                              (head + b"x" * (1 << 20) + b"\r\n", "queue.message_size"),
                              (b"Received: from a by b; date\r\n" * 101 + head, "RFC 5321 6.3")):
            with self.subTest(rule):
                client = self._greeted(gateway)
                reply = client.message("alice@company.example", ["bob@dest.example"], content)
                self._told(gateway, reply, rule, **{"from": "alice@company.example"})
        shutil.rmtree(gateway.state_dir / "spool" / "content")
        reply = self._greeted(gateway).message("alice@company.example", ["bob@dest.example"], head + b"y" * 500_000 + b"\r\n")
        self.assertEqual((reply.code, reply.enhanced), (451, "4.3.0"))
        self._told(gateway, reply, "spool")

    def test_admission(self):
        gateway = self.gateway()
        client = self._greeted(gateway)
        for command in (MAIL, RCPT):
            self.assertEqual(client.say(command).code, 250)
        gateway.reload(accept={"minimum_free": "900000GiB"})
        gateway.process.wait_for(lambda: gateway.http("/readyz")[0] == 503, "the new limit")
        reply = client.say("DATA")
        self.assertEqual((reply.code, reply.enhanced), (452, "4.3.1"))
        self._told(gateway, reply, "accept.minimum_free", **{"from": "alice@company.example"})
        self._told(gateway, self._greeted(gateway, name="second.example").say(MAIL), "accept.minimum_free", helo="second.example")

    def test_senders(self):
        web = self.workspace.add(Primary(self.workspace))
        gateway = self.gateway(primary=[{"name": "main", "addresses": ["127.0.0.1"]} | web.settings()], accept={"sender": "user"})
        gateway.wait_for_event("synced")
        for sender, rule in (("nobody@company.example", "accept.sender"), ("frank@closed.example", "accept.sender"),
                             ("x@elsewhere.example", "accept.foreign_sender")):
            with self.subTest(sender):
                self._told(gateway, self._greeted(gateway).say(f"MAIL FROM:<{sender}>"), rule, **{"from": sender})

    def test_a_stranger_is_sent_away_and_floods_nothing(self):
        gateway = self.gateway(accept={"sender": "any", "protocol_errors": 15})
        client = self._greeted(gateway, self.stranger, "flood.example")
        self.assertEqual(client.say("MAIL FROM:<x@y.example>").code, 250)
        codes = []
        while not codes or codes[-1] != 421:
            codes.append(client.say(f"RCPT TO:<guess{len(codes)}@dest.example>").code)
            self.assertLess(len(codes), 100)
        self.assertEqual(codes, [550] * 15 + [421])
        self.assertTrue(client.closed())
        gateway.wait_for_event("refused", rule="accept.protocol_errors", helo="flood.example")
        gateway.wait_for_event("refused", rule="primary.addresses", times="5")
        lines = gateway.events("refused")
        self.assertEqual(len(lines), 12, "ten, and one for each rule of the rest")
        self.assertEqual(self._count(gateway), 16)

    def test_a_primary_may_have_any_number_refused(self):
        gateway = self.gateway(accept={"sender": "any", "recipients": 1, "protocol_errors": 5})
        client = self._greeted(gateway)
        for command in (MAIL, RCPT):
            self.assertEqual(client.say(command).code, 250)
        for number in range(50):
            self.assertEqual(client.say(f"RCPT TO:<u{number}@dest.example>").code, 452)
        self.assertEqual(len(gateway.events("refused")), 50)

    def test_one_stranger_leaves_room_for_others(self):
        gateway = self.gateway(accept={"sender": "any", "connections": 80})  # 20 strangers, 4 of a network, 2 of an address
        def connect(source):
            client = smtp_client.Client(gateway.address, source=source)
            self.addCleanup(client.close)
            return client.reply()
        self.assertEqual([connect(self.stranger).code for _ in range(3)], [220, 220, 421])
        gateway.wait_for_event("refused", rule="accept.connections", client=self.stranger)
        self.assertEqual(connect(None).code, 220, "a primary")


if __name__ == "__main__":
    scenario.main()
