"""Connections are reused while there is mail for the same place, and limited in number."""
import threading

import samples
import scenario
import smtp_client


class ConnectionReuse(scenario.Scenario):
    def _fill(self, gateway, count):
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            for n in range(count):
                self.assertEqual(client.message("alice@company.example", [f"u{n}@dest.example"], samples.simple()).code, 250)

    def test_many_messages_few_connections(self):
        receiver = self.receiver()
        receiver.stop_listening()
        gateway = self.gateway(delivery={"per_destination": 3})
        self._fill(gateway, 200)
        receiver.start()
        gateway.wait_until_empty()
        self.assertEqual(len(receiver.messages), 200)
        self.assertLessEqual(len(receiver.sessions), 20)
        self.assertGreater(max(session.transactions for session in receiver.sessions), 20)

    def test_never_more_than_allowed(self):
        lock, most = threading.Lock(), [0]
        receiver = self.receiver()

        def watch(session, data):
            with lock:
                most[0] = max(most[0], receiver.connections)
        receiver.on["."] = watch
        gateway = self.gateway(delivery={"per_destination": 4})
        self._fill(gateway, 200)
        gateway.wait_until_empty()
        self.assertEqual(len(receiver.messages), 200)
        self.assertLessEqual(most[0], 4)

    def test_idle_connections_say_goodbye(self):
        receiver = self.receiver()
        gateway = self.gateway(delivery={"idle": "1s"})
        self._fill(gateway, 1)
        gateway.wait_until_empty()
        gateway.process.wait_for(lambda: receiver.sessions and receiver.sessions[0].commands[-1] == "QUIT", "QUIT")
        gateway.process.wait_for(lambda: receiver.connections == 0, "the end of the connection")

    def test_a_receiver_that_ends_idle_connections_loses_nothing(self):
        receiver = self.receiver(on={"RSET": "421 4.4.2 idle too long"})
        original = receiver.on
        original["MAIL"] = lambda session, _: "421 4.4.2 one is enough" if session.transactions else None
        gateway = self.gateway()
        self._fill(gateway, 20)
        gateway.wait_until_empty()
        self.assertEqual(len({m.recipients for m in receiver.messages}), 20)
        self.assertEqual(len(receiver.messages), 20)


if __name__ == "__main__":
    scenario.main()
