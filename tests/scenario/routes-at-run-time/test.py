"""Routes and gateways changed while the gateway runs, kept over restarts."""
import json
import time

import scenario


class RoutesAtRunTime(scenario.Scenario):
    HOSTS = {"a": 31, "b": 32, "c": 33}

    def setUp(self):
        super().setUp()
        self.peers = {name: self.receiver(host) for name, host in self.HOSTS.items()}
        self.exchanger = self.receiver()

    def zones(self):
        return super().zones() | {"other.example": ["@ MX 10 mx1.dest.example."]}

    def _gateway(self, *routes, **more):
        return self.gateway(gateway=[{"name": name, "address": f"{self.workspace.host(host)}:2525", "type": "specified"}
                                     for name, host in self.HOSTS.items()], route=list(routes), **more)

    def _way(self, gateway, sender="alice@company.example", recipient="bob@dest.example"):
        """By whom one message goes: the name of a gateway, or "mx"."""
        places = {**self.peers, "mx": self.exchanger}
        before = {name: len(place.messages) for name, place in places.items()}
        self.send(gateway, sender, recipient)
        gateway.wait_until_empty()
        changed = [name for name, place in places.items() if len(place.messages) != before[name]]
        self.assertEqual(len(changed), 1)
        return changed[0]

    def test_set_and_unset(self):
        gateway = self._gateway()
        self.assertEqual(self._way(gateway), "mx")
        gateway.command("route", "set", "--sender", "alice@company.example", "a")
        self.assertEqual(self._way(gateway), "a")
        self.assertEqual(self._way(gateway, "bob@company.example"), "mx")
        gateway.command("route", "set", "--sender", "alice@company.example", "b")
        self.assertEqual(self._way(gateway), "b")
        gateway.command("route", "unset", "--sender", "alice@company.example")
        self.assertEqual(self._way(gateway), "mx")

    def test_what_stands_in_line_goes_the_new_way(self):
        self.exchanger.on["."] = lambda session, data: time.sleep(0.2)
        gateway = self._gateway(delivery={"per_destination": 1})
        for n in range(20):
            self.send(gateway, recipients=f"u{n}@dest.example")
        self.wait_for_messages(self.exchanger, 1)
        gateway.command("route", "set", "--recipient", "dest.example", "a")
        taken = len(self.exchanger.offered)
        gateway.wait_until_empty()
        self.assertLessEqual(len(self.exchanger.offered), taken + 1)  # the one in hand
        self.assertEqual(len(self.exchanger.messages) + len(self.peers["a"].messages), 20)

    def test_kept_over_a_restart(self):
        gateway = self._gateway({"sender": "company.example", "gateway": "a"})
        gateway.command("route", "set", "--sender", "alice@company.example", "b")
        gateway.command("route", "set", "--recipient", "other.example", "c")
        gateway.stop()
        gateway.start()
        self.assertEqual(self._way(gateway), "b")
        self.assertEqual(self._way(gateway, "carol@company.example"), "a")
        self.assertEqual(self._way(gateway, "x@elsewhere.example", "eve@other.example"), "c")

    def test_kept_over_a_kill(self):
        gateway = self._gateway()
        gateway.command("route", "set", "--sender", "alice@company.example", "b")
        gateway.command("gateway", "disable", "c")
        gateway.kill()
        gateway.start()
        self.assertEqual(self._way(gateway), "b")
        listed = {g["name"]: g["enabled"] for g in json.loads(gateway.command("gateway", "list", "--json").stdout)["gateways"]}
        self.assertEqual(listed, {"a": True, "b": True, "c": False})

    def test_the_most_specific_first(self):
        gateway = self._gateway({"sender": "*", "gateway": "a"}, {"sender": "company.example", "gateway": "b"})
        gateway.command("route", "set", "--sender", "ceo@company.example", "c")
        self.assertEqual(self._way(gateway, "x@elsewhere.example"), "a")
        self.assertEqual(self._way(gateway, "alice@company.example"), "b")
        self.assertEqual(self._way(gateway, "CEO@company.example"), "c")

    def test_by_recipient_domain(self):
        gateway = self._gateway({"recipient": "other.example", "gateway": "a"})
        self.assertEqual(self._way(gateway, recipient="eve@other.example"), "a")
        self.assertEqual(self._way(gateway, recipient="eve@dest.example"), "mx")

    def test_sender_and_recipient_together(self):
        gateway = self._gateway({"recipient": "other.example", "gateway": "a"},
                                {"sender": "ceo@company.example", "recipient": "other.example", "gateway": "b"})
        self.assertEqual(self._way(gateway, "ceo@company.example", "eve@other.example"), "b")
        self.assertEqual(self._way(gateway, "alice@company.example", "eve@other.example"), "a")
        self.assertEqual(self._way(gateway, "ceo@company.example", "eve@dest.example"), "mx")

    def test_one_message_two_ways(self):
        gateway = self._gateway({"recipient": "other.example", "gateway": "a"})
        self.send(gateway, recipients=["bob@dest.example", "eve@other.example"])
        gateway.wait_until_empty()
        self.assertEqual([m.recipients for m in self.peers["a"].messages], [("eve@other.example",)])
        self.assertEqual([m.recipients for m in self.exchanger.messages], [("bob@dest.example",)])

    def test_those_of_the_file_are_marked_and_stay(self):
        gateway = self._gateway({"sender": "company.example", "gateway": "a"})
        gateway.command("route", "set", "--sender", "ceo@company.example", "b")
        routes = json.loads(gateway.command("route", "list", "--json").stdout)["routes"]
        marks = {route["sender"]: route["origin"] for route in routes}
        self.assertEqual(marks, {"company.example": "file", "ceo@company.example": "running"})
        done = gateway.command("route", "unset", "--sender", "company.example", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(self._way(gateway), "a")

    def test_a_route_of_one_s_own_wins_over_the_same_in_the_file(self):
        gateway = self._gateway({"sender": "company.example", "gateway": "a"})
        gateway.command("route", "set", "--sender", "company.example", "b")
        self.assertEqual(self._way(gateway), "b")
        gateway.command("route", "unset", "--sender", "company.example")
        self.assertEqual(self._way(gateway), "a")

    def test_nonsense_changes_nothing(self):
        gateway = self._gateway()
        for words in (["--sender", "alice@company.example", "nowhere"], ["--sender", "not an address@", "a"], ["a"],
                      ["--recipient", "bob@dest.example", "a"]):
            with self.subTest(words):
                self.assertNotEqual(gateway.command("route", "set", *words, check=False).returncode, 0)
        self.assertEqual(json.loads(gateway.command("route", "list", "--json").stdout)["routes"], [])
        self.assertEqual(self._way(gateway), "mx")

    def test_changes_need_the_token(self):
        gateway = self._gateway()
        path = "/v1/routes?sender=alice@company.example&gateway=a"
        self.assertIn(gateway.http(path, "POST")[0], (401, 403))
        self.assertEqual(gateway.http(path, "POST", token=True)[0], 200)
        self.assertEqual(self._way(gateway), "a")

    def test_waiting_mail_follows_a_new_route(self):
        self.exchanger.close()
        gateway = self._gateway(queue={"retry_first": "1h", "retry_max": "4h"})
        self.send(gateway)
        gateway.wait_for_event("deferred")
        gateway.command("route", "set", "--sender", "alice@company.example", "a")
        self.wait_for_messages(self.peers["a"], 1)

    def test_the_waiting_mail_of_a_disabled_gateway_moves(self):
        self.peers["a"].close()
        gateway = self._gateway({"sender": "alice@company.example", "gateway": "a"}, {"sender": "*", "gateway": "b"},
                                queue={"retry_first": "1h", "retry_max": "4h"})
        self.send(gateway)
        gateway.wait_for_event("deferred")
        gateway.command("gateway", "disable", "a")
        self.wait_for_messages(self.peers["b"], 1)
        listed = {g["name"]: g for g in json.loads(gateway.command("gateway", "list", "--json").stdout)["gateways"]}
        self.assertEqual((listed["a"]["enabled"], listed["b"]["enabled"]), (False, True))

    def test_a_gateway_disabled_stays_so_over_a_restart(self):
        gateway = self._gateway({"sender": "alice@company.example", "gateway": "a"})
        gateway.command("gateway", "disable", "a")
        gateway.stop()
        gateway.start()
        self.assertEqual(self._way(gateway), "mx")
        gateway.command("gateway", "enable", "a")
        self.assertEqual(self._way(gateway), "a")


if __name__ == "__main__":
    scenario.main()
