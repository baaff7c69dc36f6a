"""Domains that could not be looked up are forgotten once no mail is for them any more."""
import scenario
from gateway import Gateway
from process import wait_for
from scripted_names import ScriptedNames

SERVFAIL, NXDOMAIN, DOMAINS = 2, 3, 50
SWEEP = 60  # seconds between two looks at what nobody sends to


class DeadDomains(scenario.Scenario):
    def _destinations(self, gateway):
        return gateway.json("/v1/status")["destinations"]

    def test_they_are_forgotten_with_their_mail(self):
        names = self.workspace.add(ScriptedNames(self.workspace.host(3), lambda name, kind: SERVFAIL))
        gateway = self.workspace.add(Gateway(self.workspace, dns={"servers": [names.server], "stub": {}})).start()
        for first in range(0, DOMAINS, 10):
            self.send(gateway, recipients=[f"bob@d{number}.dead.example" for number in range(first, first + 10)])
        wait_for(lambda: sum(bool(d["trouble"]) for d in self._destinations(gateway)) == DOMAINS,
                 "trouble with every domain")
        self.assertIn(f"postern_troubled_destinations {DOMAINS}", gateway.http("/metrics")[1])
        gateway.command("queue", "delete", "--all")
        gateway.reload()  # nothing is known for fresh any more, which otherwise takes two minutes
        gateway.wait_for_event("reloaded")
        wait_for(lambda: self._destinations(gateway) == [], "an empty list", deadline=3 * SWEEP)
        self.assertIn("postern_troubled_destinations 0", gateway.http("/metrics")[1])

    def test_all_that_waited_for_a_name_hears_that_there_is_none(self):
        answers = [SERVFAIL]
        names = self.workspace.add(ScriptedNames(self.workspace.host(3), lambda name, kind: answers[-1]))
        primary = self.receiver(scenario.PRIMARY)
        gateway = self.workspace.add(Gateway(self.workspace, dns={"servers": [names.server], "stub": {}})).start()
        for number in range(5):
            self.send(gateway, recipients=[f"bob{number}@gone.example"])
        wait_for(lambda: any(d["trouble"] for d in self._destinations(gateway)), "trouble with the domain")
        answers.append(NXDOMAIN)
        gateway.reload()  # nothing of it is remembered
        gateway.wait_for_event("reloaded")
        gateway.command("queue", "retry")
        # One of them finds it out, the others are called behind it.
        wait_for(lambda: len(gateway.events("bounced")) == 5, "five reports")
        self.wait_for_messages(primary, 5)


if __name__ == "__main__":
    scenario.main()
