"""A primary without web services is asked by RCPT whether a sender exists: a real Postfix, asked before mail is taken."""
import unittest

import postfix
import samples
import scenario
import smtp_client
from workspace import SMTP_PORT

INSIDE = 10  # host of the primary: where its mail comes from, and where it is asked
DOMAIN = "company.example"
KNOWN = "inline:{ {alice@company.example=box/} {two.words@company.example=box/} }"


@unittest.skipIf(postfix.required(), postfix.required())
class AskedBySmtp(scenario.Scenario):
    def _start(self, **primary):
        self.mailboxes = self.workspace.add(postfix.Postfix(self.workspace, "mail", INSIDE, domains=[DOMAIN],
                                                            **{"virtual_mailbox_maps": KNOWN} | primary))
        self.where = f"{self.workspace.host(INSIDE)}:{SMTP_PORT}"
        self.postern = self.gateway(accept={"sender": "user"}, primary=[{
            "name": "main", "api": "smtp", "url": f"smtp://{self.where}", "domains": [DOMAIN], "poll_every": "1s",
            "addresses": ["127.0.0.0/8"], "deliver_to": self.where}])
        self.postern.wait_for_event("synced")

    def _answer(self, sender):
        with smtp_client.Client(self.postern.address) as client:
            client.greet()
            return client.say(f"MAIL FROM:<{sender}>")

    def _is(self, sender, code, enhanced):
        reply = self._answer(sender)
        self.assertEqual((reply.code, reply.enhanced), (code, enhanced), reply)

    def _directory(self):
        return self.postern.json("/v1/directory")

    def test_who_exists_there_may_send_and_nobody_else(self):
        receiver = self.receiver()
        self._start()
        reply = smtp_client.send(self.postern.address, f"alice@{DOMAIN}", "bob@dest.example", samples.simple())
        self.assertEqual(reply.code, 250, reply)
        self.wait_for_messages(receiver, 1)
        self._is(f"Two.Words+folder@{DOMAIN}", 250, "2.1.0")
        self._is(f"nobody@{DOMAIN}", 550, "5.1.8")
        self._is("alice@elsewhere.example", 550, "5.7.1")
        self.assertEqual(self.mailboxes.count(), 0, "it was asked, and got no message")
        text = self.postern.command("directory").stdout
        self.assertRegex(text, r"cannot be read; answered")
        self.assertRegex(text, rf"{DOMAIN} +main +- +- +- +- +one by one")
        self.assertIn("user alice in company.example, asked for by itself",
                      self.postern.command("directory", "show", f"alice@{DOMAIN}").stdout)

    def test_while_it_is_away_known_users_send_and_others_wait(self):
        self._start()
        self._is(f"alice@{DOMAIN}", 250, "2.1.0")
        self.mailboxes.stop()
        self.postern.wait_for_event("sync-failed")
        self._is(f"alice@{DOMAIN}", 250, "2.1.0")
        self._is(f"two.words@{DOMAIN}", 451, "4.3.0")
        self._is("alice@elsewhere.example", 550, "5.7.1")
        self.assertEqual(self.postern.http("/readyz")[0], 200, "mail of known users is taken")
        self.assertIn("cannot connect", self.postern.command("directory").stdout)
        self.mailboxes.start()
        self.postern.process.wait_for(lambda: self._answer(f"two.words@{DOMAIN}").code == 250, "the primary's answer")

    def test_one_that_takes_every_address_is_told_of(self):
        self._start(virtual_mailbox_maps="static:box/")
        self._is(f"anybody@{DOMAIN}", 250, "2.1.0")
        self.assertIn("accepts every address, so who is unknown cannot be refused", self.postern.command("directory").stdout)
        self.assertIn("accepts every address", self.postern.command("check", "--online", check=False).stdout)

    def test_what_it_says_of_its_own_policy_is_no_word_about_a_user(self):
        self._start(smtpd_recipient_restrictions="check_recipient_access inline:{ {alice@company.example=550 5.7.1 not today} }, permit")
        self._is(f"alice@{DOMAIN}", 451, "4.3.0")
        self._is(f"two.words@{DOMAIN}", 250, "2.1.0")

    def test_its_domains_have_to_be_named(self):
        self._start()
        keys = dict(self.postern.settings["primary"][0])
        del keys["domains"]
        self.postern.configure(primary=[keys])
        fault = self.postern.command("check", check=False)
        self.assertEqual(fault.returncode, 78)
        self.assertRegex(fault.stderr + fault.stdout, r'postern\.toml:\d+:\d+: primary\[0\]\.domains: is missing: api = "smtp" cannot list')


if __name__ == "__main__":
    scenario.main()
