"""Whatever a receiving server says or does, mail is neither lost nor multiplied."""
import samples
import scenario
import smtp_client
from scripted_receiver import Close, Raw


class HostileReceivers(scenario.Scenario):
    def _once(self, stage, answer, **settings):
        """The first connection misbehaves at `stage`; the mail arrives by a later one, once."""
        receiver = self.receiver()
        receiver.on[stage] = lambda session, _: answer if session.number == 0 else None
        gateway = self.gateway(**settings)
        smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example", samples.simple())
        gateway.wait_until_empty()
        self.assertEqual(gateway.events("bounced"), [])
        self.assertEqual([m.recipients for m in receiver.messages], [("bob@dest.example",)])
        return receiver

    def test_closes_at_the_banner(self):
        self._once("banner", Close)

    def test_closes_at_ehlo(self):
        self._once("EHLO", Close)

    def test_closes_at_mail(self):
        self._once("MAIL", Close)

    def test_closes_at_the_recipient(self):
        self._once("RCPT", Close)

    def test_closes_at_data(self):
        self._once("DATA", Close)

    def test_closes_after_the_dot(self):
        receiver = self._once(".", Close)
        self.assertEqual(len(receiver.offered), 2)  # the one stage where a second copy is right

    def test_closes_instead_of_goodbye(self):
        receiver = self._once("QUIT", Close)
        self.assertEqual(len(receiver.offered), 1)

    def test_talks_nonsense(self):
        for stage in ("banner", "EHLO", "MAIL", "RCPT", "DATA"):
            with self.subTest(stage):
                self.setUp()
                self._once(stage, Raw(b"\x16\x03\x01 nonsense\r\nmore\r\n"))
                self.doCleanups()

    def test_a_reply_without_end(self):
        self._once("EHLO", Raw(b"250-" + b"x" * 100 + b"\r\n" + b"250-more\r\n" * 200000), delivery={"command_timeout": "5s"})

    def test_a_reply_line_without_end(self):
        self._once("banner", Raw(b"220 " + b"x" * (4 << 20)), delivery={"command_timeout": "5s"})

    def test_says_yes_twice(self):
        self._once("MAIL", Raw(b"250 ok\r\n250 ok\r\n"))

    def test_an_early_421(self):
        self._once("RCPT", "421 4.3.2 shutting down")

    def test_354_answered_where_250_is_due(self):
        self._once("RCPT", "354 go on")

    def test_250_answered_where_354_is_due(self):
        self._once("DATA", "250 yes")

    def test_codes_that_do_not_exist(self):
        for code in ("099 what", "250ok", "999 no", "2x0 no"):
            with self.subTest(code):
                self.setUp()
                self._once("MAIL", Raw(code.encode() + b"\r\n"))
                self.doCleanups()

    def test_partial_answers_for_many_recipients(self):
        receiver = self.receiver()
        state = {"first": True}

        def answer(session, path):
            if path.startswith("c") and state["first"]:
                state["first"] = False
                return Close
            return "550 5.1.1 no" if path.startswith("b") else None
        receiver.on["RCPT"] = answer
        primary = self.receiver(scenario.PRIMARY)
        gateway = self.gateway()
        smtp_client.send(gateway.address, "alice@company.example", ["a@dest.example", "b@dest.example", "c@dest.example"],
                         samples.simple())
        gateway.wait_until_empty()
        self.assertEqual(sorted(r for m in receiver.messages for r in m.recipients), ["a@dest.example", "c@dest.example"])
        self.assertEqual(len(primary.messages), 1)


if __name__ == "__main__":
    scenario.main()
