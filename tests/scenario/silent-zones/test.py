"""Domains whose name servers do not answer hold up nobody but the mail for them."""
import threading
import time

import scenario
from gateway import Gateway
from process import wait_for
from scripted_names import ScriptedNames

SILENT, GENERAL = 3, 4  # hosts


class SilentZones(scenario.Scenario):
    """Every name below good.example leads to the receiver."""

    def _good(self, name, kind):
        if not name.endswith("good.example"):
            return 3
        if kind == "MX":
            return [(10, "mx." + name)]
        return [self.workspace.host(scenario.RECEIVER)] if kind == "A" else []

    def _names(self, answer, host=GENERAL, **options):
        return self.workspace.add(ScriptedNames(self.workspace.host(host), answer, **options))

    def _gateway(self, servers, stub=(), name="postern", host=1, **dns):
        dns = {"servers": [servers.server], "stub": dict(stub), "timeout": "20s", **dns}
        gateway = self.workspace.add(Gateway(self.workspace, None, name, host, dns=dns,
                                             queue={"retry_first": "60s", "retry_max": "60s"}))
        return gateway.start()

    def _others_are_not_held_up(self, gateway, receiver, count=12):
        """A look-up takes milliseconds here, one that waits its turn behind silent servers many seconds."""
        for number in range(count):
            began, before = time.monotonic(), len(receiver.messages)
            self.send(gateway, recipients=f"bob@d{number}.good.example")
            self.wait_for_messages(receiver, before + 1)
            self.assertLess(time.monotonic() - began, 5)

    def test_one_message_to_a_thousand_domains_of_a_silent_zone(self):
        silent = self._names(lambda name, kind: None, SILENT)
        good = self._names(self._good)
        receiver = self.receiver()
        gateway = self._gateway(good, {"silent.example": silent.server})
        self.send(gateway, recipients=[f"bob@d{number}.silent.example" for number in range(1000)])
        wait_for(lambda: len(silent.asked) >= 20, "questions about the silent zone")
        self._others_are_not_held_up(gateway, receiver)

    def test_a_resolver_that_is_slow_for_some_domains(self):
        def some(name, kind):
            return None if name.endswith("slow.example") else self._good(name, kind)
        names = self._names(some)
        receiver = self.receiver()
        gateway = self._gateway(names)
        for number in range(100):
            self.send(gateway, recipients=f"bob@d{number}.slow.example")
        wait_for(lambda: len(names.asked) >= 20, "questions about the slow domains")
        self._others_are_not_held_up(gateway, receiver)

    def test_a_resolver_that_was_away_is_asked_as_soon_as_it_is_back(self):
        """Whatever was asked in vain: the first new domain finds it. Several gateways, each asked at moments of its own."""
        away = threading.Event()
        names = self._names(lambda name, kind: None if away.is_set() else self._good(name, kind))
        receiver = self.receiver()
        gateways = [self._gateway(names, name=f"postern{n}", host=50 + n) for n in range(6)]
        for gateway in gateways:
            self.send(gateway, recipients="bob@before.good.example")
        self.wait_for_messages(receiver, len(gateways))
        away.set()
        for number in range(26):
            for gateway in gateways:
                self.send(gateway, recipients=f"bob@during{number}.good.example")
                time.sleep(1 / len(gateways))
        away.clear()
        for gateway in gateways:
            self.send(gateway, recipients="bob@after.good.example")
        for gateway in gateways:
            gateway.wait_for_event("delivered", to="bob@after.good.example")
            self.assertEqual([e for e in gateway.events("deferred") if e["to"] == "bob@after.good.example"], [])

    def test_an_address_of_one_kind_is_enough(self):
        def half(name, kind):
            return None if kind == "AAAA" else self._good(name, kind)
        receiver = self.receiver()
        gateway = self._gateway(self._names(half))
        self._others_are_not_held_up(gateway, receiver, 3)

    def test_an_exchanger_that_cannot_be_looked_up_is_not_waited_for(self):
        def two(name, kind):
            if name.startswith("silent."):
                return None
            if kind == "MX":
                return [(10, "silent." + name), (20, "mx." + name)]
            return self._good(name, kind)
        receiver = self.receiver()
        gateway = self._gateway(self._names(two))
        self.send(gateway, recipients="bob@d.good.example")
        began = time.monotonic()
        self.wait_for_messages(receiver, 1)
        self.assertLess(time.monotonic() - began, 10)

    def test_a_known_destination_goes_on_while_the_resolver_is_away(self):
        away = []
        names = self._names(lambda name, kind: None if away else self._good(name, kind), ttl=0)
        receiver = self.receiver()
        gateway = self._gateway(names, timeout="4s")
        self.send(gateway, recipients="bob@d.good.example")
        self.wait_for_messages(receiver, 1)
        away.append(True)
        asked = len(names.asked)
        gateway.reload()  # what is known is looked up again
        gateway.wait_for_event("reloaded")
        self.send(gateway, recipients="bob@d.good.example")
        self.wait_for_messages(receiver, 2)
        self.assertGreater(len(names.asked), asked)
        self.assertEqual(gateway.events("deferred"), [])

    def test_what_was_denied_meanwhile_is_not_remembered(self):
        """A domain that is given up: its mail does not go to its former host once the resolver is away."""
        now = [self._good]
        names = self._names(lambda name, kind: now[0](name, kind), ttl=0)
        receiver = self.receiver()
        gateway = self._gateway(names, timeout="4s")
        self.send(gateway, recipients="bob@d.good.example")
        self.wait_for_messages(receiver, 1)

        def outcomes(answer):
            """What becomes of the next message."""
            now[0] = answer
            seen = [len(gateway.events("bounced")), len(gateway.events("deferred")), len(receiver.messages)]
            reloads = len(gateway.events("reloaded"))
            gateway.reload()  # what is known is looked up again
            wait_for(lambda: len(gateway.events("reloaded")) > reloads, "the reload")
            self.send(gateway, recipients="bob@d.good.example")

            def news():
                return ([e for e in gateway.events("bounced")[seen[0]:] if e["to"] == "bob@d.good.example"] +
                        [e for e in gateway.events("deferred")[seen[1]:] if e["to"] == "bob@d.good.example"] +
                        [{"event": "delivered"} for _ in receiver.messages[seen[2]:]])
            gateway.process.wait_for(news, "an outcome")
            return [e["event"] for e in news()]
        self.assertEqual(outcomes(lambda name, kind: 3), ["bounced"])
        # As long as the denial is in the resolver's own memory that is the answer, and then there is none.
        last = wait_for(lambda: [e for e in outcomes(lambda name, kind: None) if e != "bounced"], "a look-up in vain")
        self.assertEqual(last, ["deferred"])


if __name__ == "__main__":
    scenario.main()
