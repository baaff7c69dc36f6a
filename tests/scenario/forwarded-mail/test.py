"""Mail that the primary forwards for outsiders gets a reverse-path of ours, and what comes back to it finds the author."""
import contextlib

import re

import samples
import scenario
import smtp_client
from primary import Primary


class ForwardedMail(scenario.Scenario):
    AUTHOR = 23  # the mail exchanger of the outsider

    def zones(self):
        return super().zones() | {"author.example": ["@ MX 10 mx", f"mx A {self.workspace.host(self.AUTHOR)}"]}

    def _start(self, **accept):
        self.dest, self.author = self.receiver(), self.receiver(self.AUTHOR)
        web = self.workspace.add(Primary(self.workspace))
        primary = {"name": "main", "addresses": [self.workspace.host(scenario.PRIMARY)],
                   "deliver_to": f"{self.primary_address}:2525"}
        gateway = self.gateway(primary=[primary | web.settings()],
                               accept={"sender": "user", "foreign_sender": "rewrite", **accept})
        gateway.wait_for_event("synced")
        return gateway

    def _forward(self, gateway, sender="writer+list@author.example"):
        self.send(gateway, sender, source=self.workspace.host(scenario.PRIMARY))
        return self.wait_for_messages(self.dest, 1)[-1]

    def _from_outside(self, gateway, recipient, sender=""):
        """What a stranger is told who sends something to a rewritten address."""
        return smtp_client.send(gateway.address, sender, recipient, samples.simple("undeliverable"),
                                source=self.workspace.host(scenario.STRANGER))

    def test_the_reverse_path_is_ours(self):
        gateway = self._start()
        message = self._forward(gateway)
        self.assertRegex(message.sender, r"^SRS0=[^@]+@gw1\.company\.example$")
        self.assertIn("writer+list", message.sender)
        self.assertIn("author.example", message.sender)

    def test_a_domain_of_one_s_choice(self):
        gateway = self._start(rewrite_domain="forwarded.company.example")
        self.assertTrue(self._forward(gateway).sender.endswith("@forwarded.company.example"))

    def test_own_users_and_nobody_are_left_alone(self):
        gateway = self._start()
        self.assertEqual(self._forward(gateway, "alice@company.example").sender, "alice@company.example")
        self.send(gateway, "", source=self.workspace.host(scenario.PRIMARY))
        self.assertEqual(self.wait_for_messages(self.dest, 2)[1].sender, "")

    def test_an_unknown_user_of_ours_is_still_refused(self):
        gateway = self._start()
        reply = smtp_client.send(gateway.address, "nobody@company.example", "bob@dest.example", samples.simple(),
                                 source=self.workspace.host(scenario.PRIMARY))
        self.assertEqual((reply.code, reply.enhanced), (550, "5.1.8"))

    def test_a_bounce_comes_back_to_the_author(self):
        gateway = self._start()
        path = self._forward(gateway).sender
        self.assertEqual(self._from_outside(gateway, path).code, 250)
        back = self.wait_for_messages(self.author, 1)[0]
        self.assertEqual((back.sender, back.recipients), ("", ("writer+list@author.example",)))

    def test_also_after_a_restart_and_in_small_letters(self):
        gateway = self._start()
        path = self._forward(gateway).sender
        gateway.stop()
        gateway.start()
        local, _, domain = path.partition("@")
        self.assertEqual(self._from_outside(gateway, f"{local.lower()}@{domain.upper()}").code, 250)
        self.assertEqual(self.wait_for_messages(self.author, 1)[0].recipients, ("writer+list@author.example",))

    def test_our_own_report_goes_to_the_author(self):
        gateway = self._start()
        self.dest.on["RCPT"] = "550 5.1.1 no such user"
        self.send(gateway, "writer@author.example", source=self.workspace.host(scenario.PRIMARY))
        gateway.wait_for_event("bounced", to="bob@dest.example")
        gateway.wait_until_empty()
        reports = [m for m in self.author.messages if m.recipients == ("writer@author.example",)]
        self.assertEqual(len(reports), 1)

    def test_forged_paths_are_refused(self):
        gateway = self._start()
        path = self._forward(gateway).sender
        match = re.match(r"SRS0([=+-])([^=]+)=([^=]+)=([^=]+)=(.+)@(.+)", path)
        mark, digest, day, domain, local, ours = match.groups()
        wrong = ("A" if digest[0].upper() != "A" else "B") + digest[1:]
        for forged in (f"SRS0{mark}{wrong}={day}={domain}={local}@{ours}", f"SRS0{mark}{digest}={day}=victim.example={local}@{ours}",
                       f"SRS0{mark}{digest}={day}={domain}=someone@{ours}", f"SRS0{mark}={day}={domain}={local}@{ours}",
                       f"SRS0=x=y@{ours}", f"SRS1=x=y@{ours}", f"SRS0@{ours}", f"someone@{ours}", "bob@dest.example"):
            with self.subTest(forged):
                self.assertEqual(self._from_outside(gateway, forged).code, 550)
        self.assertEqual(self.author.sessions, [])

    def test_strangers_send_reports_there_and_nothing_else(self):
        gateway = self._start()
        path = self._forward(gateway).sender
        self.assertGreaterEqual(self._from_outside(gateway, path, "spammer@elsewhere.example").code, 500)
        self.assertEqual(self.author.sessions, [])

    def test_reports_of_strangers_are_small_and_few(self):
        gateway = self._start()
        path = self._forward(gateway).sender
        stranger = self.workspace.host(scenario.STRANGER)
        with smtp_client.Client(gateway.address, source=stranger) as client:
            self.assertIn("SIZE 1048576", client.greet().text)
            reply = client.say("MAIL FROM:<> SIZE=1048577")
            self.assertEqual((reply.code, reply.enhanced), (552, "5.3.4"))
            reply = client.message("", [path], samples.simple() + b"x" * (1 << 20) + b"\r\n")
            self.assertEqual((reply.code, reply.enhanced), (552, "5.3.4"))
        gateway.wait_for_event("refused", rule="accept.foreign_sender", reply="552 5.3.4")
        codes = [self._from_outside(gateway, path).code for _ in range(20)]
        self.assertEqual(codes, [250] * 19 + [450], "one was tried above")
        gateway.wait_for_event("refused", rule="accept.foreign_sender", reply="450 4.2.1")
        reply = smtp_client.send(gateway.address, "", path, samples.simple(), source=self.workspace.host(scenario.PRIMARY))
        self.assertEqual(reply.code, 250, "a primary's")

    def test_a_report_without_end_is_hung_up_on(self):
        gateway = self._start()
        path = self._forward(gateway).sender
        with smtp_client.Client(gateway.address, source=self.workspace.host(scenario.STRANGER)) as client:
            client.greet()
            for command in ("MAIL FROM:<>", f"RCPT TO:<{path}>", "DATA"):
                client.say(command)
            sent = 0
            with contextlib.suppress(OSError):
                while sent < 256 << 20:
                    client.send((b"x" * 998 + b"\r\n") * 1000)
                    sent += 1_000_000
            self.assertLess(sent, 64 << 20, "what is not kept is not read for ever either")
            self.assertEqual([client.reply().code for _ in range(2)], [552, 421])
            self.assertTrue(client.closed())
        gateway.wait_for_event("refused", rule="accept.foreign_sender", reply="421 4.7.0")

    def test_an_address_that_was_rewritten_before(self):
        gateway = self._start()
        sender = self._forward(gateway, "SRS0=abcd=XY=first.example=jo@author.example").sender
        self.assertRegex(sender, r"^SRS1=.*@gw1\.company\.example$")
        self.assertEqual(self._from_outside(gateway, sender).code, 250)
        self.assertEqual(self.wait_for_messages(self.author, 1)[0].recipients,
                         ("SRS0=abcd=XY=first.example=jo@author.example",))

    def test_it_is_off_unless_wanted(self):
        gateway = self._start(foreign_sender="accept")
        self.assertEqual(self._forward(gateway).sender, "writer+list@author.example")


if __name__ == "__main__":
    scenario.main()
