"""Whatever is answered 4xx or 5xx has a line in the log with its rule, and is counted; a stranger cannot flood that log."""
import errno
import re
import shutil

import samples
import scenario
import smtp_client
from certificates import Authority
from failing_disk import FailingDisk
from primary import Primary

MAIL, RCPT = "MAIL FROM:<alice@company.example>", "RCPT TO:<bob@dest.example>"


class Told(scenario.Scenario):
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

    def _told_once(self, gateway, reply, code, enhanced, rule, **fields):
        """It is this reply; it has a line, and is the one refusal of its rule."""
        self.assertEqual((reply.code, reply.enhanced), (code, enhanced), reply)
        event = self._told(gateway, reply, rule, **fields)
        counted = re.search(r'postern_refused_total\{rule="%s"\} (\S+)' % re.escape(rule), gateway.http("/metrics")[1])
        self.assertEqual(int(float(counted[1])), 1)
        return event


class Refusals(Told):
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


class RefusalsOfOurs(Told):
    """What is not the client's fault, or is known only of the directory and of addresses made here."""

    FROM = {"from": "alice@company.example"}

    def _on(self, disk, **settings):
        return self.gateway(environment=disk.environment, **settings)

    def _message(self, gateway, sender="alice@company.example", recipient="bob@dest.example", source=None):
        return self._greeted(gateway, source).message(sender, [recipient], samples.simple())

    def test_a_disk_that_is_full_when_the_message_is_written(self):
        receiver, disk = self.receiver(), FailingDisk(self.workspace)
        gateway = self._on(disk)
        disk.fail(errno.ENOSPC)
        # Its content has a file of its own: what shares one with others would be final.
        reply = self._greeted(gateway).message("alice@company.example", ["bob@dest.example"], samples.of_size(400_000))
        self._told_once(gateway, reply, 452, "4.3.1", "spool", reason="No space left", **self.FROM)
        disk.heal()
        self.assertEqual(self._message(gateway).code, 250, "there is room again")
        self.wait_for_messages(receiver, 1)
        self.assertEqual(len(receiver.messages), 1)

    def test_a_disk_that_fails(self):
        receiver, disk = self.receiver(), FailingDisk(self.workspace)
        gateway = self._on(disk)
        disk.fail(errno.EIO)
        self._told_once(gateway, self._message(gateway), 451, "4.3.0", "spool", reason="Input/output error", **self.FROM)
        disk.heal()
        reply = self._greeted(gateway, name="second.example").say(MAIL)  # a failed sync is final
        self.assertEqual((reply.code, reply.enhanced), (451, "4.3.0"), reply)
        told = self._told(gateway, reply, "spool", helo="second.example", stage="mail", **self.FROM)
        self.assertIn("Input/output error", told["reason"])
        self.assertEqual(gateway.http("/readyz")[0], 503)
        self.assertEqual(self._count(gateway), 2)
        self.assertEqual(gateway.stop(), 0)
        gateway.start()
        self.assertEqual(self._message(gateway).code, 250)
        self.wait_for_messages(receiver, 1)

    def _directory(self, poll_every="1d", ready=True, **settings):
        self.web = self.workspace.add(Primary(self.workspace))
        keys = {"name": "main", "addresses": [self.workspace.host(scenario.PRIMARY)]} | self.web.settings(poll_every=poll_every)
        keys |= settings.pop("keys", {})
        settings["accept"] = {"sender": "user"} | settings.get("accept", {})
        if not ready:
            self.web.stop()
        gateway = self.gateway(ready, primary=[keys], **settings)
        if ready:
            gateway.wait_for_event("synced")
        return gateway

    def _mail(self, gateway, sender):
        return self._greeted(gateway, self.workspace.host(scenario.PRIMARY)).say(f"MAIL FROM:<{sender}>")

    def test_a_directory_that_was_never_read(self):
        gateway = self._directory(ready=False)
        self._told_once(gateway, self._mail(gateway, "alice@company.example"), 451, "4.3.0", "accept.sender",
                        reason="not yet known", **self.FROM)

    def test_a_directory_that_is_too_old(self):
        gateway = self._directory(keys={"trust_for": "1s"})
        self.web.stop()
        gateway.process.wait_for(lambda: gateway.http("/readyz")[0] == 503, "the directory to be too old")
        self._told_once(gateway, self._mail(gateway, "nobody@company.example"), 451, "4.3.0", "accept.sender",
                        reason="too old", **{"from": "nobody@company.example"})
        self.assertEqual(self._mail(gateway, "alice@company.example").code, 250, "who is known stays good")

    def test_a_primary_that_cannot_be_asked(self):
        gateway = self._directory()
        self.web.stop()
        self._told_once(gateway, self._mail(gateway, "nobody@company.example"), 451, "4.3.0", "accept.sender",
                        reason="could not be asked", **{"from": "nobody@company.example"})

    def test_a_secret_that_cannot_be_had(self):
        gateway = self._directory(accept={"foreign_sender": "rewrite"})
        (gateway.state_dir / "srs.secret").write_text("short")
        gateway.reload()
        self.assertIn("srs.secret", gateway.wait_for_event("reload-refused")["fault"])
        self.assertEqual(self._mail(gateway, "writer@author.example").code, 250, "the secret in force stays")

    def test_a_secret_that_cannot_be_made(self):
        """It is first wanted at a reload, which is refused then: no mail has to wait for it."""
        gateway = self._directory()
        (gateway.state_dir / "srs.secret.new").mkdir()
        gateway.reload(accept={"foreign_sender": "rewrite"})
        self.assertIn("srs.secret", gateway.wait_for_event("reload-refused")["fault"])
        self.assertEqual(self._mail(gateway, "writer@author.example").code, 550, "the settings in force stay")
        (gateway.state_dir / "srs.secret.new").rmdir()
        gateway.reload(accept={"foreign_sender": "rewrite"})
        gateway.wait_for_event("reloaded")
        self.assertEqual(self._mail(gateway, "writer@author.example").code, 250)

    def test_rewritten_addresses(self):
        receiver = self.receiver()
        gateway = self._directory(accept={"foreign_sender": "rewrite"})
        self.assertEqual(self._message(gateway, "writer@author.example", source=self.workspace.host(scenario.PRIMARY)).code, 250)
        path = self.wait_for_messages(receiver, 1)[0].sender
        forged = path.replace("author.example", "victim.example")
        for sender, recipient, code, enhanced, reason in (("", forged, 550, "5.1.1", "not made here"),
                                                          ("x@spam.example", path, 550, "5.7.1", "reports only")):
            with self.subTest(reason):
                reply = self._message(gateway, sender, recipient, self.stranger)
                self.assertEqual((reply.code, reply.enhanced), (code, enhanced), reply)
                self._told(gateway, reply, "accept.foreign_sender", to=recipient, reason=reason, client=self.stranger)
        self.assertEqual(self._count(gateway), 2)

    def test_a_postmaster_nobody_is(self):
        gateway = self.gateway(hostname="gw1.elsewhere.example", primary=[{"name": "main", "addresses": ["127.0.0.1"]}])
        self._told_once(gateway, self._message(gateway, recipient="postmaster@gw1.elsewhere.example"), 550, "5.1.1",
                        "accept.postmaster", to="postmaster@gw1.elsewhere.example", **self.FROM)

    def test_a_postmaster_who_is_written_to_too_often(self):
        primary = self.receiver(scenario.PRIMARY)
        gateway = self.gateway(accept={"sender": "any", "postmaster": "admin@company.example"})
        client = self._greeted(gateway, self.stranger)
        self.assertEqual(client.say("MAIL FROM:<x@y.example>").code, 250)
        for _ in range(20):
            self.assertEqual(client.say("RCPT TO:<postmaster>").code, 250)
        self._told_once(gateway, client.say("RCPT TO:<postmaster>"), 450, "4.2.1", "accept.postmaster", client=self.stranger)
        self.assertEqual(client.data(samples.simple()).code, 250, "what was taken before stays so")
        self.assertEqual(self.wait_for_messages(primary, 1)[0].recipients, ("admin@company.example",))
        neighbour = self.workspace.host(scenario.STRANGER + 1)  # of the same network
        self.assertEqual(self._message(gateway, "x@y.example", "postmaster", neighbour).code, 450)
        self.assertEqual(self._message(gateway, recipient="postmaster").code, 250, "a primary's")


if __name__ == "__main__":
    scenario.main()
