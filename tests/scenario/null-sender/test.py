"""Mail without a sender is delivered, and never answered."""
import samples
import scenario
import smtp_client


class NullSender(scenario.Scenario):
    def test_it_is_delivered_with_a_null_reverse_path(self):
        receiver = self.receiver()
        gateway = self.gateway()
        smtp_client.send(gateway.address, "", "bob@dest.example", samples.simple())
        self.assertEqual(self.wait_for_messages(receiver, 1)[0].sender, "")

    def test_no_report_when_it_is_refused(self):
        receiver, primary = self.receiver(on={"RCPT": "550 5.1.1 no such user"}), self.receiver(scenario.PRIMARY)
        gateway = self.gateway()
        smtp_client.send(gateway.address, "", "bob@dest.example", samples.simple())
        gateway.wait_for_event("bounced", to="bob@dest.example")
        gateway.wait_until_empty()
        self.assertEqual(receiver.messages + primary.messages, [])
        self.assertEqual(primary.sessions, [])

    def test_a_report_that_the_primary_refuses_is_the_end(self):
        self.receiver(on={"RCPT": "550 5.1.1 no such user"})
        primary = self.receiver(scenario.PRIMARY, on={"RCPT": "550 5.1.1 nor here"})
        gateway = self.gateway()
        smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example", samples.simple())
        gateway.wait_for_event("bounced", to="alice@company.example")
        gateway.wait_until_empty()
        self.assertEqual(primary.messages, [])
        self.assertEqual(len(gateway.events("bounced")), 2)


if __name__ == "__main__":
    scenario.main()
