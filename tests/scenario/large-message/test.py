"""25 MiB through the gateway, unchanged."""
import hashlib

import postfix
import samples
import scenario
import smtp_client


class LargeMessage(scenario.Scenario):
    CONTENT = samples.of_size(25 << 20)

    def test_it_arrives_unchanged(self):
        receiver = self.receiver()
        gateway = self.gateway()
        self.assertEqual(smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example",
                                          self.CONTENT).code, 250)
        data = self.wait_for_messages(receiver, 1)[0].data
        self.assertEqual(hashlib.sha256(samples.without_trace(data)).digest(), hashlib.sha256(self.CONTENT).digest())
        gateway.wait_until_empty()

    def test_its_space_is_given_back(self):
        self.receiver()
        gateway = self.gateway()
        smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example", self.CONTENT)
        gateway.wait_until_empty()
        # Not before what became of it is on the disk: nobody waits for that.
        content = gateway.state_dir / "spool/content"
        gateway.process.wait_for(lambda: not list(content.iterdir()), "the content's file being gone")

    def test_two_at_once_to_two_places(self):
        first, second = self.receiver(), self.receiver(scenario.SECOND_RECEIVER)
        gateway = self.gateway()
        for recipient in ("bob@dest.example", "bob@other.example"):
            self.assertEqual(smtp_client.send(gateway.address, "alice@company.example", recipient, self.CONTENT).code, 250)
        for receiver in (first, second):
            self.assertEqual(samples.without_trace(self.wait_for_messages(receiver, 1)[0].data), self.CONTENT)

    def zones(self):
        return super().zones() | {"other.example": ["@ MX 10 mx", f"mx A {self.workspace.host(scenario.SECOND_RECEIVER)}"]}

    def test_from_postfix_to_postfix(self):
        if postfix.required():
            self.skipTest(postfix.required())
        gateway = self.gateway()
        primary = self.workspace.add(postfix.Postfix(self.workspace, "primary", scenario.PRIMARY, ["company.example"],
                                                     relayhost=gateway.address))
        destination = self.workspace.add(postfix.Postfix(self.workspace, "mx1", scenario.RECEIVER, ["dest.example"]))
        self.assertEqual(smtp_client.send(primary.address, "alice@company.example", "bob@dest.example",
                                          self.CONTENT).code, 250)
        mail = destination.wait_for_mail(1)[0]
        self.assertTrue(mail.octets.endswith(self.CONTENT.partition(b"\r\n\r\n")[2].rstrip(b"\r\n") + b"\r\n"))


if __name__ == "__main__":
    scenario.main()
