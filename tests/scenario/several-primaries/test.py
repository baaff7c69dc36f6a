"""Several primaries beside one gateway: none sends as the users of another, and none draws mail to itself by what it claims."""
import re

import samples
import scenario
import smtp_client
from primary import PASSWORD, USER, Primary

FIRST, SECOND = 10, 11  # hosts: where a primary's mail comes from, and goes to


def world(*domains):
    return {"admin": {"user": USER, "password": PASSWORD}, "domains": [{"name": name, "users": ["ceo"]} for name in domains]}


class SeveralPrimaries(scenario.Scenario):
    """`first` has one.example, `second` has two.example; each lists what a test wants besides."""

    def zones(self):
        return super().zones() | {name: ["@ MX 10 mx", f"mx A {self.workspace.host(scenario.RECEIVER)}"]
                                  for name in ("one.example", "two.example")}

    def _start(self, claims=None, **keys):
        """`claims`: what each lists besides; `keys`: of [[primary]], by its name."""
        listed = {name: [own, *(claims or {}).get(name, ())] for name, own in (("first", "one.example"), ("second", "two.example"))}
        self.web = {name: self.workspace.add(Primary(self.workspace, world(*domains), name=name))
                    for name, domains in listed.items()}
        self.exchanger = self.receiver()
        self.inside = {name: self.receiver(host) for name, host in (("first", FIRST), ("second", SECOND))}
        self.keys = keys
        gateway = self.gateway(primary=self._primaries(), accept={"sender": "user"})
        for name in self.web:
            gateway.wait_for_event("synced", primary=name)
        return gateway

    def _primaries(self):
        hosts = {"first": self.workspace.host(FIRST), "second": self.workspace.host(SECOND)}
        return [{"name": name, "addresses": [hosts[name]], "deliver_to": f"{hosts[name]}:2525"} | self.web[name].settings() |
                self.keys.get(name, {}) for name in ("first", "second")]

    def _reload(self, gateway, **keys):
        self.keys = keys
        before = len(gateway.events("reloaded"))
        gateway.reload(primary=self._primaries())
        gateway.process.wait_for(lambda: len(gateway.events("reloaded")) > before, "the reload")

    def _answer(self, gateway, host, sender, recipient="bob@dest.example"):
        return smtp_client.send(gateway.address, sender, recipient, samples.simple(), source=self.workspace.host(host))

    def _refused(self, gateway, host, sender):
        reply = self._answer(gateway, host, sender)
        self.assertEqual((reply.code, reply.enhanced), (550, "5.7.1"), reply)
        event = gateway.wait_for_event("refused", rule="primary.sends_for", client=self.workspace.host(host), **{"from": sender})
        self.assertIn("another primary", event["reason"])
        return event["reason"]

    def _sent(self, gateway, host, sender, recipient, to):
        """It is taken, and arrives there."""
        before = len(to.messages)
        self.assertEqual(self._answer(gateway, host, sender, recipient).code, 250)
        self.assertEqual(self.wait_for_messages(to, before + 1)[-1].recipients, (recipient,))

    def test_each_sends_as_its_own_users_only(self):
        gateway = self._start()
        self._sent(gateway, FIRST, "ceo@one.example", "bob@dest.example", self.exchanger)
        self._sent(gateway, SECOND, "ceo@two.example", "bob@dest.example", self.exchanger)
        self._refused(gateway, FIRST, "ceo@two.example")
        self._refused(gateway, FIRST, "nobody@two.example")  # that nobody there has this name is not told either
        self._refused(gateway, SECOND, "ceo@one.example")
        metrics = gateway.http("/metrics")[1]
        self.assertIn('postern_refused_total{rule="primary.sends_for"} 3', re.sub(r"\.0+\b|(?<=\d)e\+00", "", metrics))
        self.assertEqual(gateway.events("between-primaries"), [])

    def test_one_may_send_for_another(self):
        gateway = self._start(second={"sends_for": ["first"]})
        self._sent(gateway, SECOND, "ceo@one.example", "bob@dest.example", self.exchanger)
        reply = self._answer(gateway, SECOND, "nobody@one.example")
        self.assertEqual((reply.code, reply.enhanced), (550, "5.1.8"), reply)
        self._refused(gateway, FIRST, "ceo@two.example")  # not the other way round
        self._reload(gateway)
        self._refused(gateway, SECOND, "ceo@one.example")

    def test_mail_among_them_goes_straight_where_that_was_named(self):
        gateway = self._start()
        self._sent(gateway, FIRST, "ceo@one.example", "ceo@two.example", self.exchanger)
        self.assertEqual(gateway.events("between-primaries"), [])
        self._reload(gateway, second={"domains": ["two.example"]})
        self._sent(gateway, FIRST, "ceo@one.example", "ceo@two.example", self.inside["second"])
        told = gateway.wait_for_event("between-primaries", **{"from": "first"})
        self.assertEqual((told["to"], told["domain"]), ("second", "two.example"))
        self._sent(gateway, FIRST, "ceo@one.example", "ceo@two.example", self.inside["second"])
        self.assertEqual(len(gateway.events("between-primaries")), 1, "the first time only")
        self._sent(gateway, SECOND, "ceo@two.example", "ceo@two.example", self.exchanger)  # its own, handed over all the same

    def test_who_claims_a_foreign_domain_gets_nobody_s_mail(self):
        gateway = self._start({"first": ["dest.example"]})
        self._sent(gateway, SECOND, "ceo@two.example", "bob@dest.example", self.exchanger)
        self.assertEqual(gateway.events("between-primaries"), [])
        why = gateway.command("explain", "--from", "ceo@two.example", "--to", "bob@dest.example",
                              "--client", self.workspace.host(SECOND)).stdout
        self.assertIn("lists the domain as its own", why)

    def test_who_claims_another_s_domain_is_told_of(self):
        gateway = self._start({"second": ["one.example"]})
        told = gateway.wait_for_event("domain-claimed", domain="one.example")
        self.assertEqual((told["primary"], told["besides"]), ("first", "second"))
        self._refused(gateway, SECOND, "ceo@one.example")
        self._sent(gateway, FIRST, "ceo@one.example", "bob@dest.example", self.exchanger)
        self._sent(gateway, FIRST, "ceo@one.example", "ceo@one.example", self.exchanger)
        self.assertEqual(self.inside["second"].sessions, [])

    def test_a_provider_s_domain_that_one_lists_is_told_of_and_taken_from_it(self):
        """What the other forwards from there is refused, until an administrator says that the one does not have it."""
        gateway = self._start({"second": ["provider.example"]}, second={"domains": ["two.example"]})
        gateway.reload(primary=self._primaries(), accept={"sender": "user", "foreign_sender": "accept"})
        # Two that come while none has begun are one.
        gateway.process.wait_for(lambda: gateway.events("reloaded"), "the first reload")
        self.assertIn("second lists it", self._refused(gateway, FIRST, "ceo@provider.example"))
        self.keys["first"] = {"domains": ["provider.example"]}
        gateway.reload(primary=self._primaries(), accept={"sender": "user", "foreign_sender": "accept"})
        gateway.process.wait_for(lambda: len(gateway.events("reloaded")) == 2, "the reload")
        self._sent(gateway, FIRST, "ceo@provider.example", "bob@dest.example", self.exchanger)
        self.assertIn("`domains` of second name it", self._refused(gateway, FIRST, "ceo@two.example"))

    def test_a_domain_is_whose_settings_name_it(self):
        """The one that claims another's stands first, which counts where nobody is named."""
        gateway = self._start({"first": ["two.example"]}, second={"domains": ["two.example"]})
        told = gateway.wait_for_event("domain-claimed", domain="two.example")
        self.assertEqual((told["primary"], told["besides"]), ("second", "first"))
        self._refused(gateway, FIRST, "ceo@two.example")
        self._sent(gateway, SECOND, "ceo@two.example", "bob@dest.example", self.exchanger)
        self._sent(gateway, FIRST, "ceo@one.example", "ceo@two.example", self.inside["second"])
        self.assertEqual(self.inside["first"].sessions, [])


if __name__ == "__main__":
    scenario.main()
