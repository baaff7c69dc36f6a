"""A sender who wishes it is told that mail still waits; once, and only if the operator switched it on."""
import email
import time

import samples
import scenario
import smtp_client


class DelayNotice(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.primary = self.receiver(scenario.PRIMARY)
        self.dest = self.receiver(on={"RCPT": "450 4.2.1 mailbox busy"})

    def _send(self, gateway, sender, parameters=""):
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            self.assertEqual(client.say(f"MAIL FROM:<{sender}>{' ENVID=QQ42' if parameters else ''}").code, 250)
            self.assertEqual(client.say(f"RCPT TO:<bob@dest.example>{parameters}").code, 250)
            self.assertEqual(client.data(samples.simple("patience")).code, 250)

    def test_told_once(self):
        gateway = self.gateway(queue={"delay_notice": "1s"})
        self._send(gateway, "alice@company.example")
        notice = self.wait_for_messages(self.primary, 1)[0]
        self.assertEqual((notice.sender, notice.recipients), ("", ("alice@company.example",)))
        text = email.message_from_bytes(notice.data).as_string()
        for word in ("Action: delayed", "Will-Retry-Until:", "bob@dest.example", "mailbox busy", "Auto-Submitted: auto-"):
            self.assertIn(word, text)
        self.assertEqual(gateway.wait_for_event("reported")["action"], "delayed")
        gateway.process.wait_for(lambda: len(gateway.events("deferred")) >= 4, "more attempts")
        self.assertEqual(len(self.primary.messages), 1)
        self.dest.on.clear()
        gateway.wait_until_empty()
        self.assertEqual((len(self.dest.messages), len(self.primary.messages)), (1, 1))

    def _not_told(self, sender="alice@company.example", parameters="", **queue):
        gateway = self.gateway(queue=queue)
        self._send(gateway, sender, parameters)
        gateway.process.wait_for(lambda: len(gateway.events("deferred")) >= 3, "three attempts")
        self.dest.on.clear()
        gateway.wait_until_empty()
        self.assertEqual(self.primary.sessions, [])
        self.assertEqual(gateway.events("reported"), [])

    def test_off_by_default(self):
        self._not_told()

    def test_not_to_those_who_asked_for_failures_only(self):
        self._not_told(parameters=" NOTIFY=FAILURE", delay_notice="1s")

    def test_not_to_those_who_asked_for_nothing(self):
        self._not_told(parameters=" NOTIFY=NEVER", delay_notice="1s")

    def test_not_to_nobody(self):
        self._not_told(sender="", delay_notice="1s")

    def test_held_mail_is_told_of_once_it_is_released(self):
        gateway = self.gateway(queue={"delay_notice": "2s", "retry_first": "1h", "retry_max": "1h"})
        self._send(gateway, "alice@company.example")
        gateway.wait_for_event("deferred")
        gateway.command("queue", "hold", "--all")
        gateway.wait_for_event("held")
        over = time.monotonic() + 4
        gateway.process.wait_for(lambda: time.monotonic() > over, "the time of the notice")
        self.assertEqual(gateway.events("reported"), [])
        gateway.command("queue", "release", "--all")
        self.assertIn(b"Action: delayed", self.wait_for_messages(self.primary, 1)[0].data)

    def test_to_those_who_asked(self):
        gateway = self.gateway(queue={"delay_notice": "1s"})
        self._send(gateway, "alice@company.example", " NOTIFY=DELAY ORCPT=rfc822;robert@old.example")
        text = self.wait_for_messages(self.primary, 1)[0].data
        for word in (b"Original-Envelope-Id: QQ42", b"robert@old.example"):
            self.assertIn(word, text)


if __name__ == "__main__":
    scenario.main()
