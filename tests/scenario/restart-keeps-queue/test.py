"""What was accepted is there after any kind of end, and who has got it does not get it again."""
import samples
import scenario
import smtp_client


class RestartKeepsQueue(scenario.Scenario):
    def _fill(self, gateway, count=30):
        for n in range(count):
            reply = smtp_client.send(gateway.address, "alice@company.example",
                                     [f"now{n}@dest.example", f"later{n}@dest.example"], samples.simple(f"number {n}"))
            self.assertEqual(reply.code, 250)

    def _check(self, gateway, receiver, count=30):
        receiver.on.clear()
        gateway.wait_until_empty()
        got = sorted(r for m in receiver.messages for r in m.recipients)
        self.assertEqual(got, sorted([f"now{n}@dest.example" for n in range(count)] +
                                     [f"later{n}@dest.example" for n in range(count)]))

    def _start(self):
        receiver = self.receiver()
        receiver.on["RCPT"] = lambda session, path: "450 4.2.0 later" if path.startswith("later") else None
        gateway = self.gateway()
        self._fill(gateway)
        gateway.process.wait_for(lambda: len(receiver.messages) >= 30, "the first recipients")
        gateway.process.wait_for(lambda: all(
            any(r["state"] == "waiting" for r in m["recipients"]) for m in gateway.messages()), "waiting recipients")
        return gateway, receiver

    def test_after_a_stop(self):
        gateway, receiver = self._start()
        self.assertEqual(gateway.stop(), 0)
        gateway.start()
        self._check(gateway, receiver)

    def test_after_a_kill(self):
        gateway, receiver = self._start()
        gateway.process.wait_for(lambda: len(gateway.events("delivered")) >= 30, "settled recipients")
        gateway.kill()  # deliveries are noted before they are committed
        gateway.start()
        self._check(gateway, receiver)

    def test_several_times_with_nothing_delivered(self):
        receiver = self.receiver()
        receiver.stop_listening()
        gateway = self.gateway()
        self._fill(gateway, 10)
        for _ in range(3):
            gateway.kill()
            gateway.start()
            self.assertEqual(len(gateway.messages()), 10)
        receiver.start()
        self._check(gateway, receiver, 10)


if __name__ == "__main__":
    scenario.main()
