"""A receiver that stops answering is given up after the configured time, and holds up nobody else."""
import samples
import scenario
import smtp_client
from scripted_receiver import Drip, Stall


class StalledReceiver(scenario.Scenario):
    def zones(self):
        return super().zones() | {"other.example": ["@ MX 10 mx", f"mx A {self.workspace.host(scenario.SECOND_RECEIVER)}"]}

    def _stall_at(self, stage, answer=Stall):
        stalled, other = self.receiver(on={stage: answer}), self.receiver(scenario.SECOND_RECEIVER)
        gateway = self.gateway(delivery={"connect_timeout": "2s", "command_timeout": "2s", "data_timeout": "2s"})
        for n in range(30):  # more than the destination may have connections
            smtp_client.send(gateway.address, "alice@company.example", f"u{n}@dest.example", samples.simple())
        for n in range(10):
            smtp_client.send(gateway.address, "alice@company.example", f"u{n}@other.example", samples.simple())
        self.wait_for_messages(other, 10)
        gateway.wait_for_event("deferred", to="@dest.example")
        stalled.on.clear()
        gateway.wait_until_empty(120)
        got = {m.recipients[0] for m in stalled.messages}
        self.assertEqual(got, {f"u{n}@dest.example" for n in range(30)})
        return stalled

    def test_a_silent_site_leaves_connections_to_others(self):
        """Fewer connections in all than a destination may have; none of them has come to its end when the others' mail is out."""
        silent, other = self.receiver(on={"banner": Stall}), self.receiver(scenario.SECOND_RECEIVER)
        gateway = self.gateway(delivery={"connections": 8, "per_destination": 20, "command_timeout": "60s"})
        for n in range(30):
            self.send(gateway, recipients=f"u{n}@dest.example")
        for n in range(10):
            self.send(gateway, recipients=f"u{n}@other.example")
        self.wait_for_messages(other, 10)
        self.assertEqual(gateway.events("deferred"), [])
        silent.close()

    def test_before_the_banner(self):
        self._stall_at("banner")

    def test_at_ehlo(self):
        self._stall_at("EHLO")

    def test_at_mail(self):
        self._stall_at("MAIL")

    def test_at_the_recipient(self):
        self._stall_at("RCPT")

    def test_at_data(self):
        self._stall_at("DATA")

    def test_after_the_final_dot(self):
        self._stall_at(".")

    def test_a_reply_that_comes_octet_by_octet_counts_as_none(self):
        self._stall_at("EHLO", Drip("250 " + "x" * 400, 0.2))


if __name__ == "__main__":
    scenario.main()
