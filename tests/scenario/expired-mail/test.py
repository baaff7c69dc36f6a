"""Mail that cannot be delivered in time goes back to its sender, with the last reason."""
import email
import re

import samples
import scenario
import smtp_client


class ExpiredMail(scenario.Scenario):
    def test_a_report_after_the_time_is_up(self):
        receiver, primary = self.receiver(on={"RCPT": "450 4.2.2 mailbox full"}), self.receiver(scenario.PRIMARY)
        gateway = self.gateway(queue={"expire": "4s"})
        smtp_client.send(gateway.address, "alice@company.example", ["bob@dest.example", "eve@dest.example"],
                         samples.simple("too late"))
        text = email.message_from_bytes(self.wait_for_messages(primary, 1)[0].data).as_string()
        for word in ("bob@dest.example", "eve@dest.example", "mailbox full", "Action: failed", "Subject: too late"):
            self.assertIn(word, text)
        self.assertEqual(re.findall(r"(?m)^Status: (.*)$", text), ["4.2.2", "4.2.2"])
        gateway.wait_until_empty()
        self.assertEqual(len(primary.messages), 1)
        self.assertGreaterEqual(len(gateway.events("deferred")), 2)
        self.assertEqual(receiver.messages, [])

    def test_a_receiver_that_is_never_there(self):
        primary = self.receiver(scenario.PRIMARY)
        gateway = self.gateway(queue={"expire": "3s"})
        smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example", samples.simple())
        self.assertIn(b"bob@dest.example", self.wait_for_messages(primary, 1)[0].data)
        gateway.wait_until_empty()


if __name__ == "__main__":
    scenario.main()
