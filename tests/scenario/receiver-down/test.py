"""A receiver that is down for a while gets everything when it is back."""
import threading

import postfix
import samples
import scenario
import smtp_client


class ReceiverDown(scenario.Scenario):
    def test_everything_arrives_when_it_is_back(self):
        receiver = self.receiver()
        receiver.stop_listening()
        gateway = self.gateway()
        for n in range(20):
            self.assertEqual(smtp_client.send(gateway.address, "alice@company.example", f"u{n}@dest.example",
                                              samples.simple(f"number {n}")).code, 250)
        gateway.wait_for_event("deferred", stage="connect")
        self.assertEqual(len(gateway.messages()), 20)
        receiver.start()
        self.wait_for_messages(receiver, 20)
        gateway.wait_until_empty()
        self.assertEqual(sorted(m.recipients[0] for m in receiver.messages), sorted(f"u{n}@dest.example" for n in range(20)))

    def test_what_fails_together_counts_once(self):
        receiver = self.receiver()
        receiver.stop_listening()
        # The pauses of messages are not those of a destination.
        gateway = self.gateway(queue={"retry_first": "10m", "retry_max": "4h"})
        senders = [threading.Thread(target=self.send, args=(gateway,), kwargs={"recipients": f"u{n}@dest.example"})
                   for n in range(10)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        gateway.process.wait_for(lambda: len(gateway.events("deferred")) == 10, "ten deferrals")
        receiver.start()
        gateway.wait_until_empty(60)
        self.assertEqual(len(receiver.messages), 10)

    def test_down_again_in_the_middle(self):
        receiver = self.receiver()
        gateway = self.gateway(delivery={"port": 2525, "per_destination": 2})
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            for n in range(100):
                self.assertEqual(client.message("alice@company.example", [f"u{n}@dest.example"], samples.simple()).code, 250)
                if n % 20 == 10:
                    receiver.close()
                elif n % 20 == 19:
                    receiver.start()
        gateway.wait_until_empty(120)
        self.assertEqual({m.recipients[0] for m in receiver.messages}, {f"u{n}@dest.example" for n in range(100)})

    def test_postfix_down_for_a_while(self):
        if postfix.required():
            self.skipTest(postfix.required())
        destination = self.workspace.add(postfix.Postfix(self.workspace, "mx1", scenario.RECEIVER, ["dest.example"]))
        destination.stop()
        gateway = self.gateway()
        smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example", samples.simple())
        gateway.wait_for_event("deferred", to="bob@dest.example")
        destination.start()
        self.assertEqual(destination.wait_for_mail(1)[0].recipient, "bob@dest.example")


if __name__ == "__main__":
    scenario.main()
