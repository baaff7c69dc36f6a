"""Small mail is not stuck behind a message for a thousand recipients at the same site."""
import threading
import time

import scenario


class MixedSizes(scenario.Scenario):
    def _order(self, **delivery):
        """The recipients in the order of transactions: one large message, then small ones that arrive while it is under way."""
        under_way, go_on = threading.Event(), threading.Event()
        receiver = self.receiver()

        def gate(session, _):
            under_way.set()
            go_on.wait(60)
        receiver.on["."] = gate
        gateway = self.gateway(delivery={"recipients": 10, **delivery})
        self.send(gateway, recipients=[f"u{n}@dest.example" for n in range(1000)])
        self.assertTrue(under_way.wait(60))
        for n in range(5):
            self.send(gateway, recipients=f"small{n}@dest.example")
        gateway.process.wait_for(lambda: gateway.queued() == 6, "six messages in the queue")
        # As slow as a real one: what was filed meanwhile is read back behind the next commit.
        receiver.on["."] = lambda session, _: time.sleep(0.02)
        go_on.set()
        gateway.wait_until_empty()
        got = [r for m in receiver.messages for r in m.recipients]
        self.assertEqual(len(got), len(set(got)))
        self.assertEqual(len(got), 1005)
        return [m.recipients for m in receiver.messages]

    def _before(self, order):
        """How many transactions of the large message came before the last small one."""
        last = max(n for n, recipients in enumerate(order) if recipients[0].startswith("small"))
        return sum(not recipients[0].startswith("small") for recipients in order[:last])

    def test_by_one_connection(self):
        self.assertLessEqual(self._before(self._order(per_destination=1)), 30)

    def test_by_several(self):
        self.assertLessEqual(self._before(self._order(per_destination=4)), 40)


if __name__ == "__main__":
    scenario.main()
