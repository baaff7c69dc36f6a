"""SIGTERM finishes what is in hand: the command, the transaction, the commit."""
import signal
import threading

import samples
import scenario
import smtp_client
from scripted_receiver import Stall


class GracefulStop(scenario.Scenario):
    def zones(self):
        first, second = (self.workspace.host(n) for n in (scenario.RECEIVER, scenario.SECOND_RECEIVER))
        return super().zones() | {"second.example": ["@ MX 10 mx", f"mx A {second}"],
                                  "twice.example": ["@ MX 10 mx1", "@ MX 20 mx2", f"mx1 A {first}", f"mx2 A {second}"]}

    def test_a_delivery_in_hand_is_finished(self):
        asked, go_on = threading.Event(), threading.Event()

        def slow(session, data):
            asked.set()
            go_on.wait(30)
        receiver = self.receiver(on={".": slow})
        gateway = self.gateway()
        smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example", samples.simple())
        self.assertTrue(asked.wait(30))
        gateway.process.send_signal(signal.SIGTERM)
        gateway.process.wait_for(lambda: not self._accepts(gateway), "the listener's end")
        for command in (["reload"], ["queue", "retry"]):
            done = gateway.command(*command, check=False)
            self.assertEqual(done.returncode, 75, f"{command}: {done.stdout}{done.stderr}")
            self.assertIn("stopping", done.stderr)
        go_on.set()
        gateway.process.wait()  # not stop(): a second signal would end the grace
        self.assertEqual(gateway.stop(), 0)
        receiver.on.clear()
        gateway.start()
        gateway.wait_until_empty()
        self.assertEqual(len(receiver.offered), 1)  # and so it was not sent twice

    @staticmethod
    def _accepts(gateway):
        try:
            with smtp_client.Client(gateway.address) as client:
                return client.reply().code == 220
        except (OSError, smtp_client.Closed):
            return False

    def test_idle_sessions_are_told(self):
        gateway = self.gateway()
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            gateway.process.send_signal(signal.SIGTERM)
            self.assertEqual(client.reply().code, 421)
            self.assertTrue(client.closed())
        gateway.process.wait()
        self.assertEqual(gateway.stop(), 0)

    def test_mail_in_the_middle_of_data_is_answered_or_not_taken(self):
        receiver = self.receiver()
        gateway = self.gateway()
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            client.say("MAIL FROM:<alice@company.example>")
            client.say("RCPT TO:<bob@dest.example>")
            client.say("DATA")
            client.send(b"Subject: half\r\n\r\nhalf\r\n")
            gateway.process.send_signal(signal.SIGTERM)
            try:
                client.send(b"the rest\r\n.\r\n")
                code = client.reply().code
            except (OSError, smtp_client.Closed):
                code = 0
        gateway.process.wait()
        self.assertEqual(gateway.stop(), 0)
        gateway.start()
        gateway.wait_until_empty()
        self.assertEqual(len(receiver.messages), 1 if code == 250 else 0)

    def test_who_has_it_all_gets_longer_than_who_has_not(self):
        """One receiver is silent before the content and is cut off; the other answers the final dot only after that, and
        still in time."""
        go_on = threading.Event()
        before = self.receiver(on={"DATA": Stall})
        behind = self.receiver(scenario.SECOND_RECEIVER, on={".": lambda session, _: go_on.wait(200) and None})
        gateway = self.gateway()
        self.send(gateway, recipients="bob@dest.example")
        self.send(gateway, recipients="carol@second.example")
        gateway.process.wait_for(lambda: before.stalled and behind.offered, "both transactions")
        gateway.process.send_signal(signal.SIGTERM)
        gateway.process.wait_for(lambda: before.connections == 0, "the end of the one before the dot", 120)
        go_on.set()
        gateway.process.wait()
        self.assertEqual(gateway.stop(), 0)
        self.assertEqual([e["to"] for e in gateway.events("delivered")], ["carol@second.example"])
        self.assertEqual(len(behind.messages), 1)

    def test_another_host_that_answers_late_is_given_nothing(self):
        """One that was called because the first put a message off greets when the gateway stops already."""
        called, go_on, finish = threading.Event(), threading.Event(), threading.Event()

        def late(session, _):
            called.set()
            go_on.wait(30)
        first = self.receiver(on={"RCPT": lambda session, path: "450 4.2.1 later" if path.startswith("bob@") else None,
                                  ".": lambda session, _: finish.wait(200) and None})
        other = self.receiver(scenario.SECOND_RECEIVER, on={"banner": late})
        resting = self.receiver(scenario.PRIMARY)
        gateway = self.gateway(delivery={"idle": "5m"})
        self.send(gateway, recipients="dora@company.example")
        gateway.wait_for_event("delivered")
        self.send(gateway, recipients="carol@twice.example")  # whose delivery the stop waits for
        gateway.process.wait_for(lambda: first.offered, "the message in hand")
        self.send(gateway, recipients="bob@twice.example")
        self.assertTrue(called.wait(30))
        gateway.process.send_signal(signal.SIGTERM)
        gateway.process.wait_for(lambda: resting.connections == 0, "that delivery stops, and nobody rests any more")
        go_on.set()
        gateway.process.wait_for(lambda: other.sessions and other.connections == 0, "the other host's being left")
        finish.set()
        gateway.process.wait()
        self.assertEqual(gateway.stop(), 0)
        self.assertNotIn("MAIL", " ".join(other.sessions[0].commands))
        other.on.clear()
        gateway.start()
        gateway.wait_until_empty()
        self.assertEqual([m.recipients for m in first.messages + other.messages], [("carol@twice.example",), ("bob@twice.example",)])


if __name__ == "__main__":
    scenario.main()
