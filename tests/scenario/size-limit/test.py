"""A message over the limit: 552 5.3.4, at MAIL when SIZE says so, else after the data."""
import samples
import scenario
import smtp_client


class SizeLimit(scenario.Scenario):
    LIMIT = 100 << 10

    def setUp(self):
        super().setUp()
        self.destination = self.receiver()
        self.postern = self.gateway(queue={"message_size": "100KiB"})

    def test_it_is_offered(self):
        with smtp_client.Client(self.postern.address) as client:
            self.assertIn(f"SIZE {self.LIMIT}", client.greet().text.split("\n"))

    def test_declared_too_large(self):
        with smtp_client.Client(self.postern.address) as client:
            client.greet()
            reply = client.say(f"MAIL FROM:<alice@company.example> SIZE={self.LIMIT + 1}")
            self.assertEqual((reply.code, reply.enhanced), (552, "5.3.4"))
            self.assertEqual(client.say(f"MAIL FROM:<alice@company.example> SIZE={self.LIMIT}").code, 250)

    def test_sent_too_large_and_the_session_goes_on(self):
        with smtp_client.Client(self.postern.address) as client:
            client.greet()
            for size in (self.LIMIT + 1, 5 << 20):
                reply = client.message("alice@company.example", ["bob@dest.example"], samples.of_size(size))
                self.assertEqual((reply.code, reply.enhanced), (552, "5.3.4"))
                self.assertEqual(client.say("RCPT TO:<bob@dest.example>").code, 503)  # the envelope is gone
            reply = client.message("alice@company.example", ["bob@dest.example"], samples.of_size(self.LIMIT))
            self.assertEqual(reply.code, 250, reply)
        message = self.wait_for_messages(self.destination, 1)[0]
        self.assertEqual(len(samples.without_trace(message.data)), self.LIMIT)
        self.postern.wait_until_empty()
        self.assertEqual(len(self.destination.offered), 1)

    def test_declared_small_and_sent_too_large(self):
        with smtp_client.Client(self.postern.address) as client:
            client.greet()
            reply = client.message("alice@company.example", ["bob@dest.example"], samples.of_size(self.LIMIT * 2),
                                   " SIZE=100")
            self.assertEqual((reply.code, reply.enhanced), (552, "5.3.4"))

    def test_a_receiver_with_a_smaller_limit_is_not_tried_in_vain(self):
        self.destination.extensions[1] = "SIZE 1000"
        primary = self.receiver(scenario.PRIMARY)
        smtp_client.send(self.postern.address, "alice@company.example", "bob@dest.example", samples.of_size(50 << 10))
        report = self.wait_for_messages(primary, 1)[0]
        self.assertIn(b"5.3.4", report.data)
        self.assertEqual(self.destination.offered, [])


if __name__ == "__main__":
    scenario.main()
