"""A temporary refusal is tried again until it succeeds, and only for whom it concerned."""
import collections

import samples
import scenario
import smtp_client


class TemporaryRefusals(scenario.Scenario):
    def _refuse_first(self, receiver, stage, times, reply):
        seen = collections.Counter()

        def answer(session, argument):
            key = argument if stage == "RCPT" else ""
            seen[key] += 1
            return reply if seen[key] <= times else None
        receiver.on[stage] = answer
        return seen

    def _deliver(self, stage, reply, times=2):
        receiver = self.receiver()
        seen = self._refuse_first(receiver, stage, times, reply)
        gateway = self.gateway()
        smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example", samples.simple())
        deferred = gateway.wait_for_event("deferred", to="bob@dest.example")
        self.wait_for_messages(receiver, 1)
        gateway.wait_until_empty()
        self.assertEqual(len(receiver.messages), 1)
        self.assertGreaterEqual(sum(seen.values()), times + 1)
        return deferred

    def test_at_the_banner(self):
        self._deliver("banner", "421 4.3.2 too busy")

    def test_at_mail(self):
        self._deliver("MAIL", "451 4.7.1 come again")

    def test_at_the_recipient(self):
        deferred = self._deliver("RCPT", "450 4.7.1 greylisted")
        self.assertIn("greylisted", str(deferred))

    def test_at_data(self):
        self._deliver("DATA", "451 4.3.0 not now")

    def test_after_the_final_dot(self):
        self._deliver(".", "451 4.3.0 filter away")

    def test_only_the_refused_recipient_is_tried_again(self):
        receiver = self.receiver()
        seen = collections.Counter()

        def answer(session, path):
            seen[path] += 1
            return "450 4.2.1 not yet" if path.startswith("late") and seen[path] == 1 else None
        receiver.on["RCPT"] = answer
        gateway = self.gateway()
        smtp_client.send(gateway.address, "alice@company.example", ["early@dest.example", "late@dest.example"],
                         samples.simple())
        self.wait_for_messages(receiver, 2)
        gateway.wait_until_empty()
        self.assertEqual([m.recipients for m in receiver.messages], [("early@dest.example",), ("late@dest.example",)])
        self.assertEqual(seen, {"early@dest.example": 1, "late@dest.example": 2})


if __name__ == "__main__":
    scenario.main()
