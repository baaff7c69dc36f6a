"""Who may send: known by address, verified against the primary's directory, answered with the reason."""
import json

import samples
import scenario
import smtp_client
from primary import Primary


class SenderVerification(scenario.Scenario):
    def _start(self, sender="user", **accept):
        self.web = self.workspace.add(Primary(self.workspace))
        gateway = self._with_directory({"sender": sender, **accept})
        gateway.wait_for_event("synced")  # it is ready when it can judge somebody, not only when it can judge everybody
        return gateway

    def _with_directory(self, accept, ready=True):
        primary = {"name": "main", "addresses": ["127.0.0.1"], "deliver_to": f"{self.primary_address}:2525"}
        return self.gateway(ready, primary=[primary | self.web.settings()], accept=accept)

    def _answer(self, gateway, sender, source=None):
        """The reply that decides about a sender: MAIL's if it refuses, else RCPT's."""
        with smtp_client.Client(gateway.address, source=source) as client:
            client.greet()
            reply = client.say(f"MAIL FROM:<{sender}>")
            return reply if reply.code != 250 else client.say("RCPT TO:<bob@dest.example>")

    def _check(self, gateway, expected):
        for sender, (code, enhanced, word) in expected.items():
            with self.subTest(sender):
                reply = self._answer(gateway, sender)
                self.assertEqual((reply.code, reply.enhanced), (code, enhanced), reply)
                self.assertIn(word, str(reply))

    def test_users_are_checked(self):
        gateway = self._start()
        self._check(gateway, {
            "alice@company.example": (250, "2.1.5", ""),
            "ALICE@Company.Example": (250, "2.1.5", ""),
            "alice+folder@company.example": (250, "2.1.5", ""),
            "sales@company.example": (250, "2.1.5", ""),
            "news@company.example": (250, "2.1.5", ""),
            "listserv@company.example": (250, "2.1.5", ""),
            "postmaster@company.example": (250, "2.1.5", ""),
            "alice@company-alias.example": (250, "2.1.5", ""),
            "whoever@open.example": (250, "2.1.5", ""),
            "": (250, "2.1.5", ""),
            "nobody@company.example": (550, "5.1.8", "no such user"),
            "gone@company.example": (550, "5.1.8", "disabled"),
            "alice@elsewhere.example": (550, "5.7.1", "elsewhere.example"),
            "frank@closed.example": (550, "5.7.1", "disabled"),
        })
        refused = gateway.wait_for_event("refused", **{"from": "nobody@company.example"})
        self.assertIn("5.1.8", json.dumps(refused))
        self.assertEqual(refused["stage"], "mail")

    def test_only_domains_are_checked(self):
        gateway = self._start("domain")
        self._check(gateway, {"alice@company.example": (250, "2.1.5", ""), "nobody@company.example": (250, "2.1.5", ""),
                              "alice@elsewhere.example": (550, "5.7.1", ""), "frank@closed.example": (550, "5.7.1", "")})

    def test_foreign_senders_may_be_let_through(self):
        gateway = self._start(foreign_sender="accept")
        self._check(gateway, {"alice@elsewhere.example": (250, "2.1.5", ""), "nobody@company.example": (550, "5.1.8", "")})

    def test_monitor_refuses_nothing_and_says_what_it_would(self):
        gateway = self._start(mode="monitor")
        self._check(gateway, {"nobody@company.example": (250, "2.1.5", "")})
        gateway.wait_for_event("would-refuse", **{"from": "nobody@company.example"})

    def test_anyone_but_the_primary_is_refused_for_each_recipient(self):
        receiver = self.receiver()
        gateway = self._start()
        stranger = self.workspace.host(scenario.STRANGER)
        with smtp_client.Client(gateway.address, source=stranger) as client:
            client.greet()
            client.say("MAIL FROM:<alice@company.example>")
            for recipient in ("bob@dest.example", "alice@company.example", "postmaster@company.example"):
                reply = client.say(f"RCPT TO:<{recipient}>")
                self.assertEqual((reply.code, reply.enhanced), (550, "5.7.1"), reply)
                self.assertIn(stranger, str(reply))
            self.assertGreaterEqual(client.say("DATA").code, 500)
        self.assertEqual(receiver.offered, [])

    def test_the_postmaster_can_be_written_to_by_anybody(self):
        primary = self.receiver(scenario.PRIMARY)
        gateway = self._start()
        stranger = self.workspace.host(scenario.STRANGER)
        with smtp_client.Client(gateway.address, source=stranger) as client:
            client.greet()
            reply = client.message("x@y.example", ["Postmaster", "postmaster@gw1.company.example"], samples.simple("help"))
            self.assertEqual((reply.code, client.refused), (250, {}), reply)
        message = self.wait_for_messages(primary, 1)[0]
        self.assertEqual((message.sender, message.recipients), ("x@y.example", ("postmaster@company.example",)))

    def test_unknown_until_the_directory_has_been_read(self):
        self.web = self.workspace.add(Primary(self.workspace))
        self.web.stop()
        gateway = self._with_directory({"sender": "user"}, ready=False)
        self._check(gateway, {"alice@company.example": (451, "4.3.0", ""), "nobody@company.example": (451, "4.3.0", ""),
                              "alice@elsewhere.example": (451, "4.3.0", "")})
        status, reasons = gateway.http("/readyz")
        self.assertEqual(status, 503, reasons)
        self.web.start()
        gateway.command("sync")
        gateway.process.wait_for(lambda: gateway.http("/readyz")[0] == 200, "readiness")
        gateway.wait_for_event("synced")  # it is ready when it knows the domains, a moment before it knows their users
        self._check(gateway, {"alice@company.example": (250, "2.1.5", "")})
        gateway.process.wait_for(lambda: self._answer(gateway, "nobody@company.example").enhanced == "5.1.8",
                                 "the primary to be asked again")

    def test_a_restart_with_the_primary_down_still_decides(self):
        gateway = self._start()
        self._check(gateway, {"alice@company.example": (250, "2.1.5", "")})
        self.assertEqual(gateway.stop(), 0)
        self.web.stop()
        gateway.start()
        self._check(gateway, {"alice@company.example": (250, "2.1.5", ""), "nobody@company.example": (451, "4.3.0", ""),
                              "alice@elsewhere.example": (550, "5.7.1", "")})
        gateway.kill()
        gateway.start()
        self._check(gateway, {"alice@company.example": (250, "2.1.5", ""), "nobody@company.example": (451, "4.3.0", ""),
                              "alice@elsewhere.example": (550, "5.7.1", "")})

    def test_a_new_user_is_known_after_a_sync(self):
        gateway = self._start()
        self._check(gateway, {"newcomer@company.example": (550, "5.1.8", "no such user")})
        world = json.loads((self.workspace.path / "primary/world.json").read_text())
        world["domains"][0]["users"].append("newcomer")
        self.web.control("world", world)
        gateway.command("sync")
        gateway.process.wait_for(lambda: self._answer(gateway, "newcomer@company.example").code == 250, "the new user")

    def test_what_the_directory_knows_can_be_asked(self):
        gateway = self._start()
        for question, word in (("company.example", "company.example"), ("alice@company.example", "good"),
                               ("nobody@company.example", "bad")):
            self.assertIn(word, gateway.command("directory", "show", question).stdout)
        self.assertIn("company.example", gateway.command("directory").stdout)

    def test_explain_says_what_would_happen(self):
        gateway = self._start()
        good = gateway.command("explain", "--from", "alice@company.example", "--to", "bob@dest.example",
                               "--client", "127.0.0.1").stdout
        self.assertIn("mx1.dest.example", good)
        bad = gateway.command("explain", "--from", "nobody@company.example", "--to", "bob@dest.example",
                              "--client", "127.0.0.1", check=False)
        self.assertIn("5.1.8", bad.stdout)
        stranger = gateway.command("explain", "--from", "alice@company.example", "--to", "bob@dest.example",
                                   "--client", self.workspace.host(scenario.STRANGER), check=False)
        self.assertIn("5.7.1", stranger.stdout)
        self.assertEqual((bad.returncode, stranger.returncode), (67, 67))


if __name__ == "__main__":
    scenario.main()
