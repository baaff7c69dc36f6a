"""One message for 1,000 recipients, in transactions of many recipients each."""
import postfix
import samples
import scenario
import smtp_client


class ThousandRecipients(scenario.Scenario):
    RECIPIENTS = [f"user{n}@dest.example" for n in range(1000)]

    def test_each_gets_it_once_in_few_transactions(self):
        receiver = self.receiver()
        gateway = self.gateway(delivery={"recipients": 100})
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            reply = client.message("alice@company.example", self.RECIPIENTS, samples.simple())
            self.assertEqual((reply.code, client.refused), (250, {}))
        gateway.wait_until_empty()
        got = sorted(recipient for message in receiver.messages for recipient in message.recipients)
        self.assertEqual(got, sorted(self.RECIPIENTS))
        self.assertEqual(len(receiver.messages), 10)
        self.assertTrue(all(len(message.recipients) == 100 for message in receiver.messages))

    def test_one_more_than_allowed_is_told_to_come_again(self):
        receiver = self.receiver()
        gateway = self.gateway(accept={"sender": "any", "recipients": 1000})
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            reply = client.message("alice@company.example", self.RECIPIENTS + ["late@dest.example"], samples.simple())
            self.assertEqual(reply.code, 250)
            self.assertEqual(list(client.refused), ["late@dest.example"])
            self.assertEqual((client.refused["late@dest.example"].code, client.refused["late@dest.example"].enhanced),
                             (452, "4.5.3"))
        gateway.wait_until_empty()
        self.assertEqual(sum(len(message.recipients) for message in receiver.messages), 1000)

    def test_a_receiver_that_takes_only_a_few_a_time_gets_the_rest_later(self):
        receiver = self.receiver()
        receiver.on["RCPT"] = lambda session, _: "452 4.5.3 too many" if len(session.recipients) >= 7 else None
        gateway = self.gateway()
        smtp_client.send(gateway.address, "alice@company.example", self.RECIPIENTS[:40], samples.simple())
        gateway.wait_until_empty(120)
        got = sorted(recipient for message in receiver.messages for recipient in message.recipients)
        self.assertEqual(got, sorted(self.RECIPIENTS[:40]))

    def test_a_receiver_that_announces_its_limits_is_not_asked_for_more(self):
        receiver = self.receiver(extensions=("PIPELINING", "LIMITS MAILMAX=2 RCPTMAX=7"))
        gateway = self.gateway()
        smtp_client.send(gateway.address, "alice@company.example", self.RECIPIENTS[:40], samples.simple())
        gateway.wait_until_empty()
        self.assertEqual([len(message.recipients) for message in receiver.messages], [7, 7, 7, 7, 7, 5])
        self.assertGreaterEqual(len(receiver.sessions), 3)
        self.assertEqual(gateway.events("deferred"), [])

    def test_from_postfix_to_postfix(self):
        if postfix.required():
            self.skipTest(postfix.required())
        gateway = self.gateway()
        primary = self.workspace.add(postfix.Postfix(self.workspace, "primary", scenario.PRIMARY, ["company.example"],
                                                     relayhost=gateway.address))
        destination = self.workspace.add(postfix.Postfix(self.workspace, "mx1", scenario.RECEIVER, ["dest.example"]))
        with smtp_client.Client(primary.address) as client:
            client.greet()
            self.assertEqual(client.message("alice@company.example", self.RECIPIENTS, samples.simple()).code, 250)
            self.assertEqual(client.refused, {})
        mails = destination.wait_for_mail(1000)
        self.assertEqual(sorted(mail.recipient for mail in mails), sorted(self.RECIPIENTS))


if __name__ == "__main__":
    scenario.main()
