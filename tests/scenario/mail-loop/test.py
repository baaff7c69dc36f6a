"""Mail that goes round in circles is ended (RFC 5321 §6.3)."""
import samples
import scenario
import smtp_client

MOST = 100  # hosts that a message may have passed


class MailLoop(scenario.Scenario):
    @staticmethod
    def _content(hops):
        return b"".join(b"Received: from a.example by b.example; Sat, 21 Nov 2026 12:%02d:00 +0000\r\n" % (n % 60)
                        for n in range(hops)) + samples.simple()

    def test_a_long_way_is_no_circle(self):
        receiver = self.receiver()
        gateway = self.gateway()
        self.assertEqual(smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example",
                                          self._content(MOST)).code, 250)
        self.assertEqual(samples.without_trace(self.wait_for_messages(receiver, 1)[0].data), self._content(MOST))

    def test_one_host_too_many_is_refused(self):
        gateway = self.gateway()
        reply = smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example",
                                 self._content(MOST + 1))
        self.assertEqual((reply.code, reply.enhanced), (554, "5.4.6"), reply)

    def test_a_destination_that_hands_it_back(self):
        """The exchanger is the gateway itself: the circle ends in a report to the sender."""
        primary = self.receiver(scenario.PRIMARY)
        gateway = self.gateway()
        smtp_client.send(gateway.address, "alice@company.example", "bob@circle.example", samples.simple())
        report = self.wait_for_messages(primary, 1)[0]
        self.assertEqual(report.recipients, ("alice@company.example",))
        gateway.wait_until_empty()
        self.assertEqual(len(primary.messages), 1)

    def zones(self):
        return super().zones() | {"circle.example": ["@ MX 10 mx", f"mx A {self.workspace.host(1)}"]}


if __name__ == "__main__":
    scenario.main()
