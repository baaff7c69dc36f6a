"""Hold, release, move, bounce and delete: by id, sender, domain and gateway."""
import json

import scenario
from scripted_receiver import Stall

GREYLISTED = "450 4.7.1 greylisted"


class QueueOperations(scenario.Scenario):
    A, B = 31, 32

    def setUp(self):
        super().setUp()
        self.exchanger = self.receiver(on={"RCPT": GREYLISTED})
        self.a, self.b = self.receiver(self.A, on={"RCPT": GREYLISTED}), self.receiver(self.B)
        self.primary = self.receiver(scenario.PRIMARY)
        self.postern = None

    def zones(self):
        return super().zones() | {"other.example": ["@ MX 10 mx1.dest.example."]}

    def _fill(self, **settings):
        """One waiting message each from alice to dest, from bob to other, from carol through the gateway a."""
        self.postern = self.gateway(**{
            "queue": {"retry_first": "1h", "retry_max": "4h"},
            "gateway": [{"name": n, "address": f"{peer.address}:2525"} for n, peer in (("a", self.a), ("b", self.b))],
            "route": [{"sender": "carol@company.example", "gateway": "a"}], **settings})
        for user, domain in (("alice", "dest"), ("bob", "other"), ("carol", "third")):
            self.send(self.postern, f"{user}@company.example", f"x@{domain}.example")
        self._settled(3)

    def _settled(self, count):
        def calm():
            messages = self.postern.messages()
            return len(messages) == count and all(r["state"] in ("waiting", "held") for m in messages for r in m["recipients"])
        self.postern.process.wait_for(calm, "waiting mail")

    def _states(self):
        return {m["from"].split("@")[0]: m["recipients"][0]["state"] for m in self.postern.messages()}

    def _queue(self, verb, *words):
        return self.postern.command("queue", verb, *words)

    def _calm(self):
        for peer in (self.exchanger, self.a):
            peer.on.clear()

    def _from(self, *peers):
        return sorted(message.sender.split("@")[0] for peer in peers for message in peer.messages)

    def test_hold_by_each_kind_of_choice(self):
        self._fill()
        by_id = {m["from"]: m["id"] for m in self.postern.messages()}["bob@company.example"]
        for words, held in ((["--sender", "alice@company.example"], {"alice"}), ([by_id], {"alice", "bob"}),
                            (["--gateway", "a"], {"alice", "bob", "carol"})):
            self._queue("hold", *words)
            self.assertEqual({user for user, state in self._states().items() if state == "held"}, held)
        self._queue("release", "--all")
        self._settled(3)
        self._queue("hold", "--sender", "company.example")
        self.assertEqual(set(self._states().values()), {"held"})
        self._queue("release", "--all")
        self._settled(3)
        self._queue("hold", "--recipient", "other.example")
        self.assertEqual(self._states(), {"alice": "waiting", "bob": "held", "carol": "waiting"})
        self.assertEqual([e["from"] for e in self.postern.events("held")][0], "alice@company.example")

    def test_held_mail_stays_where_it_is(self):
        self._fill()
        self._queue("hold", "--sender", "alice@company.example")
        self._calm()
        self._queue("retry", "--all") if "--all" in self._help() else self._queue("retry")
        self.wait_for_messages(self.exchanger, 1)
        self.wait_for_messages(self.a, 1)
        self.assertEqual(self._states(), {"alice": "held"})
        self._queue("release", "--sender", "alice@company.example")
        self.postern.wait_until_empty()
        self.assertEqual(self._from(self.exchanger, self.a), ["alice", "bob", "carol"])
        self.assertEqual([e["from"] for e in self.postern.events("released")], ["alice@company.example"])

    def _help(self):
        return self.postern.command("queue", "retry", "--help").stdout

    def test_held_mail_survives_a_kill(self):
        self._fill()
        self._queue("hold", "--sender", "alice@company.example")
        self.postern.kill()
        self.postern.start()
        self.assertEqual(self._states()["alice"], "held")

    def test_held_mail_survives_a_restart_and_does_not_expire(self):
        self._fill(queue={"retry_first": "1s", "retry_max": "1s", "expire": "8s"})
        self._queue("hold", "--sender", "alice@company.example")
        self.postern.stop()
        self.postern.start()
        self.assertEqual(self._states()["alice"], "held")
        for user in ("bob", "carol"):
            self.postern.wait_for_event("bounced", **{"from": f"{user}@company.example"})
        self.postern.process.wait_for(lambda: list(self._states()) == ["alice"], "only the held message")
        self._calm()
        self._queue("release", "--sender", "alice@company.example")
        self.postern.process.wait_for(lambda: self.exchanger.messages or self.postern.events("bounced")[2:], "an outcome")
        self.assertEqual(self._from(self.exchanger), ["alice"])

    def test_move_to_a_gateway(self):
        self._fill()
        self._queue("move", "--sender", "alice@company.example", "--gateway", "b")
        self.wait_for_messages(self.b, 1)
        self._queue("move", "--route", "gateway:a", "--gateway", "b")
        self.wait_for_messages(self.b, 2)
        self.assertEqual(self._from(self.b), ["alice", "carol"])
        self.assertNotEqual(self.postern.command("queue", "move", "--all", "--gateway", "nowhere", check=False).returncode, 0)
        self._settled(1)

    def test_moved_mail_stays_there_over_a_restart_until_it_is_given_back(self):
        self._fill()
        self._queue("move", "--sender", "alice@company.example", "--gateway", "a")
        self._settled(3)
        self.postern.stop()
        self._calm()
        self.a.on["RCPT"] = GREYLISTED
        self.postern.start()
        self._queue("retry", "--sender", "alice@company.example")
        self.postern.process.wait_for(lambda: [s for s in self.a.sessions if any("alice" in c for c in s.commands)],
                                      "another attempt at the gateway")
        self._settled(3)
        self.assertEqual(self.exchanger.messages, [])
        self._queue("move", "--sender", "alice@company.example", "--rules")
        self.wait_for_messages(self.exchanger, 1)
        self.assertEqual(self._from(self.exchanger), ["alice"])

    def test_bounce_tells_the_sender_why(self):
        self._fill()
        self._queue("bounce", "--recipient", "dest.example", "--reason", "the project is over")
        report = self.wait_for_messages(self.primary, 1)[0]
        self.assertEqual((report.sender, report.recipients), ("", ("alice@company.example",)))
        for word in (b"the project is over", b"x@dest.example", b"Action: failed"):
            self.assertIn(word, report.data)
        self._settled(2)
        self._queue("bounce", "--gateway", "a")
        self.assertEqual(self.wait_for_messages(self.primary, 2)[1].recipients, ("carol@company.example",))
        self._settled(1)

    def test_held_mail_can_be_bounced_and_deleted(self):
        self._fill()
        self._queue("hold", "--all")
        self._queue("delete", "--sender", "bob@company.example")
        self._queue("bounce", "--sender", "alice@company.example")
        self.wait_for_messages(self.primary, 1)
        self.assertEqual(self._states(), {"carol": "held"})

    def test_delete_by_gateway(self):
        self._fill()
        self._queue("delete", "--gateway", "a")
        self.assertEqual(set(self._states()), {"alice", "bob"})
        self.assertEqual(self.primary.sessions, [])

    def test_nothing_chosen_changes_nothing(self):
        self._fill()
        for verb in ("hold", "release", "bounce", "delete"):
            self.assertNotEqual(self.postern.command("queue", verb, check=False).returncode, 0)
            path = f"/v1/queue/{verb}" if verb != "delete" else "/v1/queue"
            self.assertEqual(self.postern.http(path, "DELETE" if verb == "delete" else "POST", token=True)[0], 400)
        self.assertEqual(set(self._states().values()), {"waiting"})

    def test_show_says_that_it_is_held(self):
        self._fill()
        self._queue("hold", "--sender", "alice@company.example")
        id = {m["from"]: m["id"] for m in self.postern.messages()}["alice@company.example"]
        self.assertIn("held", self._queue("show", id).stdout)
        self.assertEqual(json.loads(self._queue("show", id, "--json").stdout)["recipients"][0]["state"], "held")

    def _in_hand(self):
        """One message whose receiver thinks about it."""
        self.exchanger.on["RCPT"] = Stall
        self.postern = self.gateway(gateway=[{"name": "b", "address": f"{self.b.address}:2525"}])
        self.send(self.postern, "alice@company.example", "x@dest.example")
        self.postern.process.wait_for(lambda: self.exchanger.stalled, "a receiver that thinks")

    def _killed_and_started(self):
        self.postern.kill()
        self._calm()
        self.postern.start()

    def test_hold_of_what_is_in_hand_survives_a_kill(self):
        self._in_hand()
        self._queue("hold", "--all")
        self._killed_and_started()
        self._settled(1)
        self.assertEqual(self._states(), {"alice": "held"})
        self._queue("release", "--all")
        self.wait_for_messages(self.exchanger, 1)

    def test_bounce_of_what_is_in_hand_survives_a_kill(self):
        self._in_hand()
        answer = self._queue("bounce", "--all", "--reason", "not this one").stdout
        self.assertIn("1 of them is being delivered just now", answer)
        self._killed_and_started()
        self.assertIn(b"not this one", self.wait_for_messages(self.primary, 1)[0].data)
        self.postern.wait_until_empty()
        self.assertEqual(self.exchanger.messages, [])

    def test_move_of_what_is_in_hand_survives_a_kill(self):
        self._in_hand()
        self._queue("move", "--all", "--gateway", "b")
        self._killed_and_started()
        self.assertEqual(self._from(*[self.b] if self.wait_for_messages(self.b, 1) else []), ["alice"])
        self.postern.wait_until_empty()
        self.assertEqual(self.exchanger.messages, [])

    def test_retry_says_what_is_held(self):
        self._fill()
        self._queue("hold", "--sender", "alice@company.example")
        answer = self._queue("retry").stdout
        self.assertIn("2 messages will be tried now", answer)
        self.assertIn("1 message is held: release it", answer)


if __name__ == "__main__":
    scenario.main()
