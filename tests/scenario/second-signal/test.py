"""A second SIGTERM or SIGINT ends the grace: nobody has to reach for SIGKILL, and nothing is lost."""
import signal

import samples
import scenario
import smtp_client
from scripted_receiver import Stall

GRACE = 30.0  # what one signal gives to a transaction in hand


class SecondSignal(scenario.Scenario):
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


if __name__ == "__main__":
    scenario.main()
