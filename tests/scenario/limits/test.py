"""How many messages a minute and how many connections, per site and per gateway."""
import threading
import time

import scenario
from process import wait_for


class Limits(scenario.Scenario):
    GATEWAY = 31

    def zones(self):
        return super().zones() | {"shared.example": ["@ MX 10 mx1.dest.example."],
                                  "third.example": ["@ MX 10 mx", f"mx A {self.workspace.host(22)}"],
                                  "other.example": ["@ MX 10 mx", f"mx A {self.workspace.host(scenario.SECOND_RECEIVER)}"]}

    def _most(self, receiver):
        lock, most = threading.Lock(), [0]

        def watch(session, _):
            with lock:
                most[0] = max(most[0], receiver.connections)
        receiver.on["."] = watch
        return most

    def _fill(self, gateway, count, domains=("dest.example",)):
        for n in range(count):
            self.send(gateway, recipients=f"u{n}@{domains[n % len(domains)]}")

    def _rate(self, receiver, limited, lifted):
        """Twelve messages where six a minute are allowed: six at most, until the limit is lifted; others are not held up."""
        other = self.receiver(scenario.SECOND_RECEIVER)
        gateway = self.gateway(**limited)
        self._fill(gateway, 12, ("dest.example", "shared.example"))
        for n in range(12):
            self.send(gateway, "free@company.example", f"u{n}@other.example")
        self.wait_for_messages(other, 12)
        self.wait_for_messages(receiver, 1)
        self.assertLessEqual(len(receiver.messages), 6)
        waiting = [m for m in gateway.messages() if m["from"] != "free@company.example"]
        self.assertGreaterEqual(len(waiting), 6)
        gateway.reload(**lifted)
        gateway.wait_until_empty()
        self.assertEqual(len(receiver.messages), 12)
        self.assertEqual(gateway.events("deferred"), [])

    def test_messages_a_minute_to_a_site(self):
        self._rate(self.receiver(), {"destination": [{"domain": d, "messages_per_minute": 6}
                                                     for d in ("dest.example", "shared.example")]}, {"destination": []})

    def test_messages_a_minute_to_a_gateway(self):
        entry = {"name": "g", "address": f"{self.workspace.host(self.GATEWAY)}:2525"}
        route = [{"sender": "alice@company.example", "gateway": "g"}]
        self._rate(self.receiver(self.GATEWAY), {"gateway": [{**entry, "messages_per_minute": 6}], "route": route},
                   {"gateway": [entry]})

    def test_connections_to_a_site(self):
        receiver = self.receiver()
        most = self._most(receiver)
        gateway = self.gateway(destination=[{"domain": "dest.example", "connections": 2}])
        self._fill(gateway, 60)
        gateway.wait_until_empty()
        self.assertEqual(len(receiver.messages), 60)
        self.assertLessEqual(most[0], 2)

    def test_connections_to_a_gateway(self):
        receiver = self.receiver(self.GATEWAY)
        most = self._most(receiver)
        gateway = self.gateway(gateway=[{"name": "g", "address": f"{receiver.address}:2525", "connections": 2}],
                               route=[{"sender": "*", "gateway": "g"}])
        self._fill(gateway, 60)
        gateway.wait_until_empty()
        self.assertEqual(len(receiver.messages), 60)
        self.assertLessEqual(most[0], 2)

    def test_a_receiver_that_wants_fewer_connections_gets_fewer(self):
        """It answers 421 to the third: nothing is bounced, and the window shrinks rather than knocking for ever."""
        receiver = self.receiver()
        receiver.on["banner"] = lambda session, _: "421 4.7.0 too many connections from you" if receiver.connections > 2 else None
        gateway = self.gateway()
        self._fill(gateway, 100)
        gateway.wait_until_empty()
        self.assertEqual(len(receiver.messages), 100)
        self.assertEqual(gateway.events("bounced"), [])

    def _all_in_one(self, **delivery):
        """A gateway with one connection for everything."""
        return self.gateway(delivery={"connections": 1, **delivery})

    def test_a_connection_without_work_is_left_to_who_waits_for_one(self):
        receiver, other = self.receiver(), self.receiver(scenario.SECOND_RECEIVER)
        gateway = self._all_in_one(idle="5m")
        self._fill(gateway, 1)
        gateway.wait_until_empty()
        self._fill(gateway, 1, ("other.example",))
        self.wait_for_messages(other, 1)
        self._fill(gateway, 1)
        self.wait_for_messages(receiver, 2)

    def test_a_busy_site_lets_others_have_its_connection(self):
        receiver, other = self.receiver(), self.receiver(scenario.SECOND_RECEIVER)
        receiver.on["."] = lambda session, _: time.sleep(0.2)
        gateway = self._all_in_one()
        self._fill(gateway, 40)
        self._fill(gateway, 1, ("other.example",))
        self.wait_for_messages(other, 1)
        self.assertLess(len(receiver.messages), 40)

    def test_who_needs_no_connection_any_more_keeps_none_from_others(self):
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        busy, last = self.receiver(), self.receiver(scenario.SECOND_RECEIVER)
        busy.on["."] = lambda session, _: go_on.wait() and None
        gateway = self._all_in_one(idle="0s")
        self._fill(gateway, 1)
        wait_for(lambda: busy.offered, "a connection in use")
        self.send(gateway, "held@company.example", "u@third.example")
        self.send(gateway, recipients="u@other.example")
        held = [m["id"] for m in gateway.messages() if m["from"] == "held@company.example"]
        gateway.command("queue", "hold", *held)
        go_on.set()
        self.wait_for_messages(last, 1)

    def test_explain_names_the_limits(self):
        self.receiver()
        gateway = self.gateway(destination=[{"domain": "dest.example", "connections": 3, "messages_per_minute": 77}])
        text = gateway.command("explain", "--from", "alice@company.example", "--to", "bob@dest.example").stdout
        self.assertIn("77", text)
        self.assertIn("3", text)


if __name__ == "__main__":
    scenario.main()
