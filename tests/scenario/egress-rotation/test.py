"""Rotation on listing: a receiver that refuses one of our addresses gets the mail from the next, at once and without a bounce."""
import json

import scenario
from scripted_receiver import refuse

BANNED = "550 5.7.606 Access denied, banned sending IP [{client}]. To request removal from this list please visit https://sender.office.com/"
PUBLIC = "554 5.7.1 Service unavailable; Client host [{client}] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/{client}"
NEMESIS = "554 Transaction failed: Reject due to policy restrictions. IP address is black listed. Nemesis ESMTP Service not available"


class EgressRotation(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.pool = [self.workspace.host(n) for n in (41, 42, 43)]
        self.dest, self.other = self.receiver(), self.receiver(scenario.SECOND_RECEIVER)
        self.primary = self.receiver(scenario.PRIMARY)

    def zones(self):
        dest = super().zones()["dest.example"]
        return super().zones() | {"dest.example": dest + [f"tenant A {self.workspace.host(scenario.RECEIVER)}"],
                                  "third.example": ["@ MX 10 tenant.dest.example."],
                                  "shared.example": ["@ MX 10 mx1.dest.example."], "also.example": ["@ MX 10 mx1.dest.example."],
                                  "other.example": ["@ MX 10 mx", f"mx A {self.workspace.host(scenario.SECOND_RECEIVER)}"]}

    def _gateway(self, addresses=2, **settings):
        settings = {"queue": {"retry_first": "1h", "retry_max": "4h"}, **settings}
        return self.gateway(egress=[{"address": a, "hostname": f"out{n}.company.example"}
                                    for n, a in enumerate(self.pool[:addresses], 1)], **settings)

    def _clients(self, receiver):
        return [message.client for message in receiver.messages]

    def _delivered(self, gateway, recipients="bob@dest.example"):
        self.send(gateway, recipients=recipients)
        gateway.wait_until_empty()

    def _listings(self, gateway, address):
        pool = json.loads(gateway.command("egress", "list", "--json").stdout)["egress"]
        return [listing for view in pool if view["address"] == address for listing in view["listings"]]

    def test_the_first_leads_under_its_own_name(self):
        gateway = self._gateway()
        for _ in range(4):
            self._delivered(gateway)
        self.assertEqual(self._clients(self.dest), [self.pool[0]] * 4)
        self.assertEqual({m.helo for m in self.dest.messages}, {"out1.company.example"})
        self.assertEqual({e["egress"] for e in gateway.events("delivered")}, {self.pool[0]})

    def _refused_at(self, *stages, reply=BANNED):
        """One message is taken from the first address, the next refused there; it arrives from the second."""
        gateway = self._gateway(delivery={"idle": "0s"})
        self._delivered(gateway)
        self.dest.on |= {stage: refuse(self.pool[:1], reply) for stage in stages}
        self._delivered(gateway)
        self.assertEqual(self._clients(self.dest), self.pool[:2])
        self.assertEqual(self.dest.messages[1].helo, "out2.company.example")
        self.assertEqual(gateway.events("bounced"), [])
        self.assertEqual(self.primary.sessions, [])
        listed = gateway.events("listed")
        self.assertEqual([event["egress"] for event in listed], self.pool[:1])
        self.assertEqual([(e["from"], e["to"]) for e in gateway.events("rotated")], [(self.pool[0], self.pool[1])])
        return gateway, listed[0]

    def test_refused_at_the_banner(self):
        self._refused_at("banner", reply=NEMESIS)

    def test_refused_at_ehlo(self):
        self._refused_at("EHLO", "HELO")

    def test_refused_at_mail(self):
        self._refused_at("MAIL")

    def test_refused_at_the_recipient(self):
        self._refused_at("RCPT")

    def test_refused_after_the_dot(self):
        self._refused_at(".")

    def test_refused_for_now(self):
        self._refused_at("RCPT", reply=BANNED.replace("550 5", "450 4"))

    def test_all_recipients_of_a_message_go_from_the_next_address_once(self):
        self.dest.on["RCPT"] = refuse(self.pool[:1], BANNED)
        gateway = self._gateway()
        self._delivered(gateway, [f"u{n}@dest.example" for n in range(20)])
        got = [r for m in self.dest.messages for r in m.recipients]
        self.assertEqual(sorted(got), sorted(f"u{n}@dest.example" for n in range(20)))

    def test_a_verdict_of_one_site_is_not_another_s(self):
        gateway, listed = self._refused_at("MAIL")
        self.assertIn("mx1.dest.example", listed["site"])
        self.assertIn("banned sending IP", listed["text"])
        self._delivered(gateway, "eve@other.example")
        self.assertEqual(self._clients(self.other), self.pool[:1])
        self._delivered(gateway)
        self.assertEqual(self._clients(self.dest)[2:], [self.pool[1]])
        self.assertEqual(len([s for s in self.dest.sessions if s.client == self.pool[0]]), 2)

    def test_a_verdict_of_one_receiver_holds_for_all_its_exchangers(self):
        """Some give every domain an exchanger of its own; who is banned at one is banned at all."""
        gateway = self._gateway(delivery={"receivers": ["*.dest.example", "*.other.example"]})
        self.dest.on["MAIL"] = refuse(self.pool[:1], BANNED)
        self._delivered(gateway, "bob@dest.example")
        self._delivered(gateway, "eve@third.example")
        self._delivered(gateway, "zoe@other.example")
        self.assertEqual(self._clients(self.dest), [self.pool[1]] * 2)
        self.assertEqual(self._clients(self.other), self.pool[:1])
        self.assertEqual([event["site"] for event in gateway.events("listed")], ["*.dest.example"])
        self.assertEqual(len([s for s in self.dest.sessions if s.client == self.pool[0]]), 1)

    def test_one_witness_does_not_make_a_public_listing(self):
        gateway, listed = self._refused_at("MAIL", reply=PUBLIC)
        self.assertIn("mx1.dest.example", listed["site"])
        self._delivered(gateway, "eve@other.example")
        self.assertEqual(self._clients(self.other), [self.pool[0]])

    def test_a_recipient_named_like_a_list(self):
        """Receivers repeat what they were told; that is no word of theirs."""
        for pool in (0, 3):
            with self.each(pool=pool):
                self.dest.on["RCPT"] = lambda session, path: (
                    None if path.startswith("bob@") else f"550 5.1.1 <{path}>: Recipient address rejected: User unknown")
                gateway = self._gateway(pool)
                names = ["spamhaus", "spamcop", "ratelimit", '"blocked using"', '"client host 192.0.2.1 blocked"']
                for name in names:
                    self.send(gateway, recipients=f"{name}@dest.example")
                gateway.process.wait_for(lambda: len(gateway.events("bounced")) == len(names), "the bounces")
                self.send(gateway)
                self.wait_for_messages(self.dest, 1)
                self.assertEqual(gateway.events("listed"), [])

    def test_a_domain_speaks_for_its_own_mail(self):
        """Others that share its exchangers are not concerned, until one of another owner says the same."""
        banned = {"shared.example"}
        self.dest.on["RCPT"] = lambda session, path: (
            BANNED.format(client=session.client) if path.split("@")[1] in banned and session.client == self.pool[0] else None)
        gateway = self._gateway()
        self._delivered(gateway, "ann@shared.example")
        self._delivered(gateway)
        self._delivered(gateway, "ann@shared.example")
        self.assertEqual(self._clients(self.dest), [self.pool[1], self.pool[0], self.pool[1]])
        self.assertEqual([e["site"] for e in gateway.events("listed")], ["@shared.example"])
        banned.add("dest.example")
        self._delivered(gateway)
        self._delivered(gateway, "eve@also.example")
        self.assertEqual(self._clients(self.dest)[3:], [self.pool[1], self.pool[1]])
        self.assertEqual([e["site"] for e in gateway.events("listed")][1:], ["mx1.dest.example"])

    def test_refused_from_every_address_by_who_knows_the_recipient(self):
        """Then it is about the mail: it is bounced, and other mail goes its way."""
        self.dest.on["RCPT"] = lambda session, path: (
            BANNED.format(client=session.client) if path == "ann@shared.example" else None)
        gateway = self._gateway()
        self.send(gateway, recipients="ann@shared.example")
        gateway.wait_for_event("bounced", to="ann@shared.example")
        self.assertEqual([s.client for s in self.dest.sessions], self.pool[:2])
        self._delivered(gateway)
        self.assertEqual(self._clients(self.dest), self.pool[:1])

    def test_twice_on_its_own_account(self):
        """Without another address it waits; what is refused when the time is over as well is refused."""
        self.dest.on["RCPT"] = lambda session, path: (
            BANNED.format(client=session.client) if path.startswith("ann") else None)
        gateway = self._gateway(1, delivery={"listed_for": "1s"}, queue={"retry_first": "1s", "retry_max": "1s"})
        self.send(gateway, recipients="ann@dest.example")
        gateway.wait_for_event("listed")
        for n in range(3):
            self.send(gateway, recipients=f"u{n}@dest.example")
        gateway.wait_for_event("bounced", to="ann@dest.example")
        self.wait_for_messages(self.dest, 3)

    def test_the_verdict_outlives_a_restart(self):
        gateway, _ = self._refused_at("MAIL")
        gateway.stop()
        gateway.start()
        self._delivered(gateway)
        self.assertEqual(self._clients(self.dest)[2:], [self.pool[1]])
        self.assertEqual(len([s for s in self.dest.sessions if s.client == self.pool[0]]), 2)
        self.assertEqual(len(self._listings(gateway, self.pool[0])), 1)

    def test_two_listed_and_the_third_left(self):
        self.dest.on["MAIL"] = refuse(self.pool[:2], BANNED)
        gateway = self._gateway(3)
        self._delivered(gateway)
        self.assertEqual(self._clients(self.dest), [self.pool[2]])
        self.assertEqual(sorted(e["egress"] for e in gateway.events("listed")), self.pool[:2])

    def test_when_all_are_listed_mail_waits_and_it_is_told(self):
        self.dest.on["MAIL"] = refuse(self.pool, BANNED)
        gateway = self._gateway()
        self.send(gateway)
        gateway.process.wait_for(lambda: len(gateway.events("listed")) == 2, "two listings")
        gateway.process.wait_for(lambda: [r for m in gateway.messages() for r in m["recipients"]
                                          if r["state"] == "waiting" and r["why"]], "mail that says why it waits")
        self.assertEqual((gateway.events("bounced"), self.dest.offered), ([], []))
        self.assertTrue([e for e in gateway.events("rotated") if e["to"] == "none"])
        for address in self.pool[:2]:
            self.assertEqual(len(self._listings(gateway, address)), 1)
        # Mail for others leaves as ever, and forgetting the verdict lets this one go.
        self.send(gateway, recipients="eve@other.example")
        self.wait_for_messages(self.other, 1)
        self.dest.on.clear()
        gateway.command("egress", "forget", self.pool[1])
        gateway.command("queue", "retry")
        gateway.wait_until_empty()
        self.assertEqual(self._clients(self.dest), [self.pool[1]])

    def test_one_receiver_s_word_does_not_take_every_address_from_all_the_others(self):
        """Whatever list it names."""
        self.dest.on["MAIL"] = refuse(self.pool, PUBLIC)
        gateway = self._gateway()
        self.send(gateway)
        gateway.process.wait_for(lambda: len(gateway.events("listed")) == 2, "two listings")
        self.send(gateway, recipients="eve@other.example")
        self.wait_for_messages(self.other, 1)
        self.assertEqual(gateway.events("bounced"), [])

    def test_a_pool_without_a_usable_address_is_said_so(self):
        gateway = self._gateway()
        self.assertEqual(gateway.json("/v1/status")["degraded"], [])
        for address in self.pool[:2]:
            gateway.command("egress", "suspend", address)
        self.assertTrue(gateway.json("/v1/status")["degraded"])
        self.assertEqual(gateway.http("/readyz")[0], 200)  # it takes mail and keeps it
        self.send(gateway)
        gateway.wait_for_event("deferred")
        self.assertEqual(self.dest.sessions, [])
        gateway.command("egress", "resume", self.pool[1])
        gateway.wait_until_empty()
        self.assertEqual(self._clients(self.dest), [self.pool[1]])

    def test_a_verdict_expires_and_ends_after_a_probation(self):
        self.dest.on["MAIL"] = refuse(self.pool, BANNED)
        gateway = self._gateway(1, delivery={"listed_for": "1s"}, queue={"retry_first": "1s", "retry_max": "1s"})
        for n in range(5):
            self.send(gateway, recipients=f"u{n}@dest.example")
        gateway.wait_for_event("listed")
        self.dest.on.clear()
        gateway.wait_until_empty(120)
        self.assertEqual(gateway.wait_for_event("unlisted")["egress"], self.pool[0])
        self.assertEqual(len(self.dest.messages), 5)
        self.assertEqual(self._listings(gateway, self.pool[0]), [])

    def _no_listing(self, stage, reply):
        self.dest.on[stage] = refuse(self.pool, reply)
        gateway = self._gateway()
        self.send(gateway)
        gateway.process.wait_for(lambda: gateway.events("bounced") or gateway.events("deferred"), "an outcome")
        self.assertEqual(gateway.events("listed"), [])
        self.assertEqual({s.client for s in self.dest.sessions}, {self.pool[0]})
        self.dest.on.clear()
        self._delivered_last(gateway)
        return gateway

    def _delivered_last(self, gateway):
        self.send(gateway, recipients="last@dest.example")
        gateway.process.wait_for(lambda: [m for m in self.dest.messages if "last@dest.example" in m.recipients], "the last one")
        self.assertEqual(self.dest.messages[-1].client, self.pool[0])

    def test_a_bad_recipient_is_no_listing(self):
        gateway = self._no_listing("RCPT", "550 5.1.1 <bob@dest.example>: Recipient address rejected: User unknown")
        self.assertTrue(gateway.events("bounced"))

    def test_refused_content_is_no_listing(self):
        gateway = self._no_listing(".", "554 5.7.1 Message rejected because of unacceptable content")
        self.assertTrue(gateway.events("bounced"))

    def test_a_listed_link_in_the_message_is_no_listing(self):
        gateway = self._no_listing(".", "554 5.7.1 Blocked: the message contains a domain listed by dbl.spamhaus.org")
        self.assertTrue(gateway.events("bounced"))

    def test_a_rate_limit_is_no_listing(self):
        gateway = self._no_listing("MAIL", "421 4.7.28 Our system has detected an unusual rate of unsolicited mail originating "
                                           "from your IP address. To protect our users from spam, mail has been temporarily rate limited.")
        self.assertEqual(gateway.events("bounced"), [])

    def test_another_address_being_accepted_tells_as_well(self):
        """The reply says nothing anybody knows; the same site takes the same message from another address."""
        self.dest.on["banner"] = refuse(self.pool[:1], "554 5.3.2 the sorcerer is not amused")
        gateway = self._gateway()
        self._delivered(gateway)
        self.assertEqual(self._clients(self.dest), [self.pool[1]])
        self.assertEqual(gateway.wait_for_event("listed")["egress"], self.pool[0])
        self.assertIn("comparison", gateway.events("listed")[0]["by"])

    def test_an_address_that_this_machine_does_not_have(self):
        gateway = self.gateway(egress=[{"address": "192.0.2.77"}, {"address": self.pool[0]}],
                               queue={"retry_first": "1h", "retry_max": "4h"})
        self._delivered(gateway)
        self.assertEqual(self._clients(self.dest), [self.pool[0]])
        self.assertIn("192.0.2.77", gateway.log_file.read_text())

    def test_an_unknown_refusal_that_names_our_address(self):
        """No rule knows the words; that they name the address, and that the next one is taken, is enough."""
        self.dest.on["MAIL"] = refuse(self.pool[:1], "550 5.7.1 The sorcerer is not amused by [{client}]")
        gateway = self._gateway()
        self._delivered(gateway)
        self.assertEqual(self._clients(self.dest), [self.pool[1]])
        self.assertEqual([e["egress"] for e in gateway.events("listed")], self.pool[:1])
        self.assertEqual((gateway.events("bounced"), self.primary.sessions), ([], []))

    def test_an_unknown_refusal_of_all_addresses_is_a_refusal(self):
        self.dest.on["MAIL"] = refuse(self.pool, "550 5.7.1 The sorcerer is not amused by [{client}]")
        gateway = self._gateway()
        self.send(gateway)
        self.assertIn(b"sorcerer", self.wait_for_messages(self.primary, 1)[0].data)
        self.assertEqual(gateway.events("listed"), [])

    def test_suspended_by_hand(self):
        gateway = self._gateway()
        gateway.command("egress", "suspend", self.pool[0])
        self._delivered(gateway)
        gateway.stop()
        gateway.start()
        self._delivered(gateway)
        gateway.command("egress", "resume", self.pool[0])
        self._delivered(gateway)
        self.assertEqual(self._clients(self.dest), [self.pool[1], self.pool[1], self.pool[0]])

    def test_rules_of_one_s_own(self):
        rules = self.workspace.file("rules.toml", '[[rule]]\nname = "mine"\nmeaning = "listed"\ntext = "goblins dislike * today"\n')
        self.dest.on["MAIL"] = refuse(self.pool[:1], "550 5.7.1 Goblins dislike [{client}] today")
        gateway = self._gateway(delivery={"reply_rules": rules})
        self._delivered(gateway)
        self.assertEqual(self._clients(self.dest), [self.pool[1]])
        self.assertIn("mine", gateway.events("listed")[0]["by"])

    def test_explain_names_the_address(self):
        gateway, _ = self._refused_at("MAIL")
        text = gateway.command("explain", "--from", "alice@company.example", "--to", "bob@dest.example").stdout
        self.assertIn(self.pool[1], text)

    def test_a_gateway_of_ours_is_reached_from_the_system_s_address(self):
        """The pool is for mail exchangers; a smarthost knows us by the address it always saw."""
        gateway = self._gateway(gateway=[{"name": "g", "address": f"{self.other.address}:2525"}],
                                route=[{"sender": "*", "gateway": "g"}])
        self._delivered(gateway)
        self.assertNotIn(self.other.messages[0].client, self.pool)


if __name__ == "__main__":
    scenario.main()
