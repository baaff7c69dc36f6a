"""How much a sender may hand in: limits by user, domain and primary; what is beyond is answered 450, and nothing else suffers."""
import json

import samples
import scenario
import smtp_client
from primary import Primary


class SenderLimits(scenario.Scenario):
    def _gateway(self, **limits):
        self.dest, self.primary = self.receiver(), self.receiver(scenario.PRIMARY)
        return self.gateway(**{"limits": {"user": ["5 recipients/1h"], "domain": []}, **limits})

    def _recipients(self, gateway, count, sender="alice@company.example", host="dest.example"):
        """(replies to each RCPT, the reply to the message, None when nobody was taken)"""
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            self.assertEqual(client.say(f"MAIL FROM:<{sender}>").code, 250)
            replies = [client.say(f"RCPT TO:<r{n}@{host}>") for n in range(count)]
            if all(reply.code >= 400 for reply in replies):
                return replies, None
            self.assertEqual(client.say("DATA").code, 354)
            client.send(samples.simple() + b".\r\n")
            return replies, client.reply()

    def _taken(self, *arguments, **options):
        return sum(reply.code == 250 for reply in self._recipients(*arguments, **options)[0])

    def test_what_is_beyond_is_deferred_in_words(self):
        gateway = self._gateway()
        replies, done = self._recipients(gateway, 8)
        self.assertEqual([r.code for r in replies], [250] * 5 + [450] * 3)
        self.assertEqual(done.code, 250)
        self.assertRegex(replies[-1].text, r"^4\.7\.1 alice@company\.example may send to 5 recipients an hour: try again after 20")
        self.assertEqual(self._taken(gateway, 1), 0)
        self.assertEqual(self._taken(gateway, 3, sender="bob@company.example"), 3)
        refused = gateway.wait_for_event("refused", rule="limits.user")
        self.assertEqual((refused["from"], refused["stage"]), ("alice@company.example", "rcpt"))
        self.assertIn("by acceptance", refused["reason"])
        gateway.wait_until_empty()
        self.assertEqual(sum(len(m.recipients) for m in self.dest.messages), 8)
        shown = json.loads(gateway.command("senders", "--sender", "alice@company.example", "--json").stdout)
        hour = [c for c in shown["senders"][0]["counts"] if (c["what"], c["period"]) == ("recipients", "1h")]
        self.assertEqual([(c["used"], c["limit"]) for c in hour], [(5, 5)])
        self.assertIn("5 of 5", gateway.command("senders").stdout)
        said = gateway.command("explain", "--from", "alice@company.example", "--to", "bob@dest.example", check=False)
        self.assertEqual(said.returncode, 75)
        self.assertRegex(said.stdout, r"450 4\.7\.1 alice@company\.example may send to 5 recipients an hour")
        self.assertEqual(self._taken(gateway, 2, host="company.example"), 0)  # no directory knows it as the primary's

    def test_what_was_not_accepted_does_not_count(self):
        gateway = self._gateway()
        for _ in range(4):
            with smtp_client.Client(gateway.address) as client:
                client.greet()
                for end in ("RSET", "EHLO x.example", None):
                    self.assertEqual(client.say("MAIL FROM:<alice@company.example>").code, 250)
                    for n in range(5):
                        self.assertEqual(client.say(f"RCPT TO:<r{n}@dest.example>").code, 250)
                    if end:
                        self.assertEqual(client.say(end).code, 250)
        gateway.process.wait_for(lambda: not json.loads(gateway.command("senders", "--json").stdout)["senders"], "nothing counted")
        self.assertEqual(self._taken(gateway, 5), 5)

    def test_a_restart_and_a_kill_forget_nothing_that_was_written_down(self):
        gateway = self._gateway()
        self.assertEqual(self._taken(gateway, 5), 5)
        gateway.stop()
        gateway.start()
        self.assertEqual(self._taken(gateway, 1), 0)
        gateway.kill()
        gateway.start()
        self.assertEqual(self._taken(gateway, 1), 0)

    def test_limits_change_while_it_runs(self):
        gateway = self._gateway(limit=[{"sender": "news@company.example", "limits": []}])
        self.assertEqual(self._taken(gateway, 9), 5)
        self.assertEqual(self._taken(gateway, 9, sender="news@company.example"), 9)
        gateway.settings["limits"] = {"user": ["7 recipients/1h"], "domain": ["17 recipients/1d"]}
        gateway.configure()
        gateway.command("reload")
        self.assertEqual(self._taken(gateway, 9), 2)
        self.assertEqual(self._taken(gateway, 9, sender="carl@company.example"), 1)
        self.assertIn("company.example may send to 17 recipients a day", self._recipients(gateway, 1, sender="dora@company.example")[0][0].text)

    def test_mail_within_the_primarys_domains_is_untouched(self):
        self.web = self.workspace.add(Primary(self.workspace))
        primary = {"name": "main", "addresses": ["127.0.0.1"], "deliver_to": f"{self.workspace.host(scenario.PRIMARY)}:2525"}
        gateway = self._gateway(primary=[primary | self.web.settings()], accept={"sender": "user"})
        gateway.wait_for_event("synced")
        self.assertEqual(self._taken(gateway, 6), 5)
        for host in ("company.example", "company-alias.example"):
            self.assertEqual(self._taken(gateway, 9, host=host), 9)
        self.assertEqual(self._taken(gateway, 2, sender="alice+x@company.example"), 0)

    def test_monitor_mode_only_tells(self):
        gateway = self._gateway(accept={"sender": "any", "mode": "monitor"})
        self.assertEqual(self._taken(gateway, 9), 9)
        event = gateway.wait_for_event("would-refuse", rule="limits.user")
        self.assertEqual(event["from"], "alice@company.example")

    def test_what_cannot_be_a_limit_is_told_with_its_place(self):
        gateway = self._gateway()
        for wrong in ("recipients/1h", "5 mails/1h", "5 recipients/2h", "5 recipients", "-1 recipients/1h", "99999999999 messages/1d"):
            gateway.settings["limits"] = {"user": [wrong]}
            gateway.configure()
            said = gateway.command("check", check=False)
            self.assertEqual(said.returncode, 78)
            self.assertRegex(said.stderr, r"postern\.toml:\d+:\d+: limits\.user: ")


if __name__ == "__main__":
    scenario.main()
