"""A second SIGTERM or SIGINT ends the grace: nobody has to reach for SIGKILL, and nothing is lost."""
import contextlib
import signal

import samples
import scenario
import smtp_client
from scripted_receiver import Stall

SITES = [f"site{n}.example" for n in range(6)]
FIRST_HOST = 100
GRACE = 30.0  # what one signal gives to a transaction in hand


class SecondSignal(scenario.Scenario):
    def zones(self):
        return super().zones() | {site: ["@ MX 10 mx", f"mx A {self.workspace.host(FIRST_HOST + n)}"] for n, site in enumerate(SITES)}

    def test_deliveries_and_sessions_are_cut_off_and_the_mail_is_kept(self):
        receiver = self.receiver(on={".": Stall})
        gateway = self.gateway()
        smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example", samples.simple())
        gateway.process.wait_for(lambda: receiver.stalled, "the stalled delivery")
        with smtp_client.Client(gateway.address) as client:  # in the middle of its message
            client.greet()
            for line in ("MAIL FROM:<alice@company.example>", "RCPT TO:<bob@dest.example>", "DATA"):
                client.say(line)
            gateway.process.send_signal(signal.SIGTERM)
            gateway.wait_for_event("stopping")
            gateway.process.send_signal(signal.SIGINT)
            self.assertEqual(gateway.process.wait(deadline=GRACE - 5), 0)
        self.assertEqual(gateway.stop(), 0)
        receiver.on.clear()
        gateway.start()
        gateway.wait_until_empty()
        self.assertEqual(len(receiver.messages), 1)

    def test_on_every_loop(self):
        receivers = [self.receiver(FIRST_HOST + n, on={".": Stall}) for n in range(len(SITES))]
        gateway = self.gateway(threads=4)
        names = [f"bob@{site}" for site in SITES]
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(smtp_client.Client(gateway.address)) for _ in names]
            for client, name in zip(clients, names):
                client.greet()
                self.assertEqual(client.message("alice@company.example", [name], samples.simple()).code, 250)
                for line in ("MAIL FROM:<alice@company.example>", "RCPT TO:<bob@dest.example>", "DATA"):
                    client.say(line)
            gateway.process.wait_for(lambda: all(one.stalled for one in receivers), "the stalled deliveries")
            gateway.process.send_signal(signal.SIGTERM)
            gateway.wait_for_event("stopping")
            gateway.process.send_signal(signal.SIGTERM)
            self.assertEqual(gateway.process.wait(deadline=GRACE - 5), 0)
        self.assertEqual(gateway.stop(), 0)
        for receiver in receivers:
            receiver.on.clear()
        gateway.start()
        gateway.wait_until_empty()
        self.assertEqual([[m.recipients for m in receiver.messages] for receiver in receivers], [[(name,)] for name in names])


if __name__ == "__main__":
    scenario.main()
