"""A sender that sends more than is usual for it: slowed down, held, told of, released; everybody else goes on as before."""
import json
import time

import samples
import scenario
import smtp_client
from primary import Primary

FREE = 125  # recipients in an hour of a sender of whom nothing is known and against whom nothing speaks


class UnusualVolume(scenario.Scenario):
    def _gateway(self, **settings):
        self.dest, self.primary = self.receiver(), self.receiver(scenario.PRIMARY)
        return self.gateway(**{"unusual": {"learn": "0s"}, **settings})

    def _send(self, gateway, count, sender="alice@company.example", host="dest.example", subject="an offer"):
        """One message to so many. The reply to the first recipient that is refused, or to the message."""
        self.sent = getattr(self, "sent", 0) + 1
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            self.assertEqual(client.say(f"MAIL FROM:<{sender}>").code, 250)
            for n in range(count):
                reply = client.say(f"RCPT TO:<r{self.sent}x{n}@{host}>")
                if reply.code != 250:
                    return reply
            self.assertEqual(client.say("DATA").code, 354)
            client.send(f"Subject: {subject}\r\n".encode() + samples.simple() + b".\r\n")
            return client.reply()

    def _burst(self, gateway, **options):
        """As much as nobody minds."""
        for _ in range(5):
            self.assertEqual(self._send(gateway, FREE // 5, **options).code, 250)

    def _arrived(self):
        return sum(len(m.recipients) for m in self.dest.messages)

    def _unusual(self, gateway):
        return {one["sender"]: one for one in json.loads(gateway.command("senders", "--json").stdout)["unusual"]}

    def _queue(self, gateway):
        return gateway.json("/v1/queue")["messages"]

    def _states(self, gateway):
        return sorted({r["state"] for m in self._queue(gateway) for r in m["recipients"]})

    def test_what_is_beyond_the_usual_waits_and_nobody_else_does(self):
        gateway = self._gateway()
        self._burst(gateway)
        gateway.wait_until_empty()
        self.assertEqual(self._arrived(), FREE)
        self.assertEqual(self._unusual(gateway), {} | {k: v for k, v in self._unusual(gateway).items() if v["level"] == "noted"})
        self.assertEqual(self._send(gateway, 30, subject="a great offer").code, 250)
        told = gateway.wait_for_event("unusual-volume", level="slowed")
        self.assertEqual(told["sender"], "alice@company.example")
        self.assertRegex(told["why"], r"^155 recipients in an hour, where up to 25 are usual$")
        waits = gateway.wait_for_event("throttled")
        self.assertEqual((waits["from"], waits["recipients"]), ("alice@company.example", 30))
        self.assertEqual(self._send(gateway, 2, sender="bob@company.example").code, 250)
        gateway.process.wait_for(lambda: self._arrived() == FREE + 2, "bob's mail")
        mail = [m for m in self._queue(gateway) if len(m["recipients"]) == 30][0]
        self.assertEqual({(r["state"], r["attempts"]) for r in mail["recipients"]}, {("waiting", 0)})
        self.assertIn("is unusual: 155 recipients in an hour", mail["recipients"][0]["why"])
        one = self._unusual(gateway)["alice@company.example"]
        self.assertEqual((one["level"], one["slowed"], one["held"]), ("slowed", 1, 0))
        shown = gateway.command("senders").stdout
        for words in ("alice@company.example: slowed", "subjects: ", "a great offer", "postern senders release alice@company.example"):
            self.assertIn(words, shown)
        said = gateway.command("explain", "--from", "alice@company.example", "--to", "x@dest.example").stdout
        self.assertRegex(said, r"155 recipients in the last hour .*slowed")

        self.assertRegex(gateway.command("senders", "release", "alice@company.example").stdout, r"^1 messages leave now")
        gateway.process.wait_for(lambda: self._arrived() == FREE + 32, "what was released")
        self.assertEqual(self._unusual(gateway), {})
        self.assertEqual(self._send(gateway, 100).code, 250)  # twice as much is all right now
        gateway.process.wait_for(lambda: self._arrived() == FREE + 132, "more of it")
        again = gateway.command("senders", "release", "alice@company.example", check=False)
        self.assertEqual(again.returncode, 65)
        self.assertIn("is not unusual at present", again.stderr)

    def test_what_would_wait_for_days_is_held_over_restarts(self):
        gateway = self._gateway()
        self._burst(gateway)
        gateway.wait_until_empty()
        self.assertEqual(self._send(gateway, 400).code, 250)
        held = gateway.wait_for_event("held")
        self.assertIn("would wait for more than a day", held["why"])
        self.assertEqual(self._send(gateway, 1).code, 250)
        gateway.process.wait_for(lambda: self._states(gateway) == ["held"], "both are held")
        gateway.stop()
        gateway.start()
        self.assertEqual(self._states(gateway), ["held"])
        self.assertEqual(self._unusual(gateway)["alice@company.example"]["held"], 2)
        self.assertEqual(self._send(gateway, 1).code, 250)
        gateway.kill()
        gateway.start()
        gateway.process.wait_for(lambda: self._states(gateway) == ["held"] and len(self._queue(gateway)) == 3, "all three are held")
        time.sleep(1)
        self.assertEqual(self._arrived(), FREE)
        gateway.command("queue", "delete", "--sender", "alice@company.example")
        gateway.wait_until_empty()
        self.assertEqual(self._arrived(), FREE)

    def test_what_is_slowed_waits_over_a_kill(self):
        gateway = self._gateway()
        self._burst(gateway)
        gateway.wait_until_empty()
        self.assertEqual(self._send(gateway, 20).code, 250)
        gateway.kill()
        gateway.start()
        gateway.process.wait_for(lambda: self._states(gateway) == ["waiting"], "it waits")
        time.sleep(1)
        self.assertEqual(self._arrived(), FREE)
        self.assertEqual(self._states(gateway), ["waiting"])

    def test_mail_within_the_primarys_domains_is_untouched(self):
        self.web = self.workspace.add(Primary(self.workspace))
        primary = {"name": "main", "addresses": ["127.0.0.1"], "deliver_to": f"{self.workspace.host(scenario.PRIMARY)}:2525"}
        gateway = self._gateway(primary=[primary | self.web.settings()], accept={"sender": "user"})
        gateway.wait_for_event("synced")
        self._burst(gateway)
        gateway.wait_until_empty()
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            for line in ("MAIL FROM:<alice@company.example>", *(f"RCPT TO:<x{n}@dest.example>" for n in range(9)), "RCPT TO:<bob@company.example>"):
                self.assertEqual(client.say(line).code, 250)
            client.say("DATA")
            client.send(samples.simple() + b".\r\n")
            self.assertEqual(client.reply().code, 250)
        gateway.process.wait_for(lambda: self.primary.messages, "the primary's part")
        self.assertEqual(self.primary.messages[0].recipients, ("bob@company.example",))
        gateway.process.wait_for(lambda: self._states(gateway) == ["delivered", "waiting"], "the others wait")
        self.assertEqual(self._arrived(), FREE)
        gateway.command("senders", "release", "alice@company.example")
        gateway.wait_until_empty()
        self.assertEqual((self._arrived(), len(self.primary.messages)), (FREE + 9, 1))

    def test_a_suspects_mail_leaves_by_an_address_of_its_own(self):
        good, bad = (self.workspace.host(n) for n in (41, 42))
        gateway = self._gateway(egress=[{"address": a} for a in (good, bad)], delivery={"suspects": bad})
        self._burst(gateway)
        gateway.wait_until_empty()
        self.assertEqual({m.client for m in self.dest.messages}, {good})
        self.assertEqual(self._send(gateway, 10).code, 250)
        self.assertEqual(self._send(gateway, 1, sender="bob@company.example").code, 250)
        gateway.command("queue", "retry", "--sender", "alice@company.example")
        gateway.wait_until_empty()
        self.assertEqual({m.sender: m.client for m in self.dest.messages if m.sender != "alice@company.example" or len(m.recipients) == 10},
                         {"alice@company.example": bad, "bob@company.example": good})
        self.assertEqual(gateway.events("rotated"), [])
        gateway.command("senders", "release", "alice@company.example")
        self.assertEqual(self._send(gateway, 9).code, 250)
        gateway.wait_until_empty()
        self.assertEqual(self.dest.messages[-1].client, good)
        gateway.settings["delivery"]["suspects"] = "192.0.2.9"
        gateway.configure()
        self.assertIn("is the address of no [[egress]]", gateway.command("check", check=False).stderr)

    def _restrained(self, gateway):
        """Alice is slowed down, and some of her mail held, by whatever name she goes."""
        self._burst(gateway)
        gateway.wait_until_empty()
        for sender in ("alice@company.example", "alice+x@company.example", "ALICE@company.example", '"alice"@company.example'):
            self.assertEqual(self._send(gateway, 3, sender=sender).code, 250)
        self.assertEqual(self._send(gateway, 300, sender="alice+y@company.example").code, 250)
        gateway.process.wait_for(lambda: self._states(gateway) == ["held", "waiting"], "all of it waits")

    def test_an_account_is_released_by_whatever_name_it_sends(self):
        gateway = self._gateway()
        self._restrained(gateway)
        self.assertIn("5 messages leave now", gateway.command("senders", "release", "Alice+z@company.example").stdout)
        gateway.wait_until_empty()
        self.assertEqual(self._arrived(), FREE + 312)

    def test_a_thiefs_mail_is_dropped_and_the_account_begins_anew(self):
        gateway = self._gateway()
        self._restrained(gateway)
        self.assertEqual(self._send(gateway, 2, sender="bob@company.example").code, 250)
        gateway.process.wait_for(lambda: self._arrived() == FREE + 2, "bob's mail")
        self.assertIn("5 messages deleted", gateway.command("senders", "drop", "alice@company.example").stdout)
        gateway.wait_until_empty()
        self.assertEqual(self._unusual(gateway), {})
        self.assertEqual(self._send(gateway, 1).code, 250)
        gateway.wait_until_empty()
        self.assertEqual(self._arrived(), FREE + 3)

    def test_what_is_slowed_is_sent_early_only_when_it_is_meant(self):
        other = self.workspace.host(scenario.PRIMARY)
        gateway = self._gateway(gateway=[{"name": "other", "address": f"{other}:2525", "tls": "off"}], route=[{"sender": "*", "gateway": "other"}])
        self._burst(gateway)
        gateway.wait_until_empty()
        for _ in range(2):
            self.assertEqual(self._send(gateway, 10).code, 250)
        gateway.process.wait_for(lambda: self._states(gateway) == ["waiting"], "both wait")
        due = sorted(r["next"] for m in self._queue(gateway) for r in m["recipients"])
        gateway.command("queue", "retry")
        gateway.command("gateway", "disable", "other")
        gateway.process.wait_for(lambda: {r["route"] for m in self._queue(gateway) for r in m["recipients"]} == {"mx:dest.example"}, "another route")
        time.sleep(1)
        self.assertEqual([r["state"] for m in self._queue(gateway) for r in m["recipients"]], ["waiting"] * 20)
        self.assertEqual([d[:18] for d in sorted(r["next"] for m in self._queue(gateway) for r in m["recipients"])], [d[:18] for d in due])
        gateway.command("queue", "retry", "--sender", "alice@company.example")
        gateway.wait_until_empty()
        self.assertEqual(self._arrived(), 20)

    def test_what_an_operator_held_is_not_released_with_it(self):
        gateway = self._gateway()
        self.dest.on["RCPT"] = lambda session, path: "450 4.2.0 later"
        self.assertEqual(self._send(gateway, 1).code, 250)
        gateway.command("queue", "hold", "--sender", "alice@company.example")
        gateway.process.wait_for(lambda: self._states(gateway) == ["held"], "it is held")
        self.dest.on.clear()
        self._burst(gateway)
        self.assertEqual(self._send(gateway, 20).code, 250)
        gateway.command("senders", "release", "alice@company.example")
        gateway.process.wait_for(lambda: self._arrived() == FREE + 20, "what was slowed")
        self.assertEqual(self._states(gateway), ["held"])

    def test_receivers_answers_count(self):
        gateway = self._gateway()
        self.dest.on["RCPT"] = lambda session, path: "550 5.1.1 no such user" if "x1" in path else None
        for _ in range(2):
            self.assertEqual(self._send(gateway, 12).code, 250)
        gateway.process.wait_for(lambda: self._arrived() == 18, "what is not refused")
        self.assertEqual(self._send(gateway, 5).code, 250)
        held = gateway.wait_for_event("held")
        self.assertRegex(held["why"], r"\d+ refused as unknown and 0 as spam, of \d+ answered")

    def test_monitor_says_what_would_be_done(self):
        gateway = self._gateway(unusual={"learn": "0s", "mode": "monitor"})
        self._burst(gateway)
        self.assertEqual(self._send(gateway, 400).code, 250)
        gateway.wait_until_empty()
        self.assertEqual(self._arrived(), FREE + 400)
        told = gateway.wait_for_event("unusual-volume", level="held")
        self.assertEqual(told["monitored"], True)
        self.assertIn("(monitored only)", gateway.command("senders").stdout)

    def test_a_new_site_is_only_watched(self):
        gateway = self._gateway(unusual={})
        self.assertEqual(self._send(gateway, 600).code, 250)
        gateway.wait_until_empty()
        self.assertEqual(gateway.wait_for_event("unusual-volume")["level"], "noted")
        self.assertIn("this site is new: what is usual is learnt until", gateway.command("senders").stdout)

    def test_an_announced_mailing_passes(self):
        gateway = self._gateway(limits={"user": ["200 recipients/1h"], "domain": ["200 recipients/1h"]})
        self.assertIn("may send to 500 recipients in the next 24 hours", gateway.command("expect", "news@company.example", "500").stdout.replace("1 day", "24 hours"))
        self.assertEqual(self._send(gateway, 450, sender="news@company.example").code, 250)
        gateway.wait_until_empty()
        self.assertEqual(self._arrived(), 450)
        shown = json.loads(gateway.command("senders", "--json").stdout)
        self.assertEqual([(a["sender"], a["recipients_left"]) for a in shown["announced"]], [("news@company.example", 50)])
        gateway.stop()
        gateway.start()
        self._send(gateway, 50 + FREE, sender="news@company.example")
        gateway.wait_until_empty()
        self.assertEqual(self._send(gateway, 90, sender="news@company.example").code, 450)  # its limit counts from here on
        for wrong in (("@x.example", "5"), ("a b", "5"), ("a@b.example", "many"), ("a@b.example", "5", "soon")):
            self.assertIn(gateway.command("expect", *wrong, check=False).returncode, (64, 65), wrong)


if __name__ == "__main__":
    scenario.main()
