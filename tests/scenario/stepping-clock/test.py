"""The wall clock is set, forward or back: mail goes on waiting as long as it should, and nothing is given up untried."""
import scenario
from clock import Clock
from gateway import Gateway
from nsd import NameServer

GREYLISTED = "450 4.7.1 greylisted"


class SteppingClock(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.exchanger, self.primary = self.receiver(), self.receiver(scenario.PRIMARY)

    def _gateway(self, days=0, **settings):
        self.clock = Clock(self.workspace, days)
        name_server = self.workspace.add(NameServer(self.workspace, self.zones()))
        settings.setdefault("queue", {"retry_first": "1s", "retry_max": "2s"})
        gateway = self.workspace.add(Gateway(self.workspace, name_server, **settings))
        gateway.environment = self.clock.environment
        return gateway.start()

    def _deferred(self, gateway, count=1):
        gateway.process.wait_for(lambda: len(gateway.events("deferred")) >= count, f"{count} deferrals")

    def test_set_while_running(self):
        for before, after in ((0, 10), (10, 0), (0, -10)):
            with self.each(before=before, after=after):
                self.exchanger.on["RCPT"] = GREYLISTED
                gateway = self._gateway(before)
                self.send(gateway)
                self._deferred(gateway)
                self.clock.set(after)
                self.exchanger.on.clear()
                self.wait_for_messages(self.exchanger, 1)
                gateway.wait_until_empty()
                self.assertEqual(self.primary.messages, [])

    def test_set_while_a_destination_is_down(self):
        for before, after in ((0, 10), (10, 0)):
            with self.each(before=before, after=after):
                self.exchanger.stop_listening()
                gateway = self._gateway(before)
                self.send(gateway)
                self._deferred(gateway)
                self.clock.set(after)
                self.send(gateway)
                self.exchanger.start()
                self.wait_for_messages(self.exchanger, 2)
                gateway.wait_until_empty()
                self.assertEqual(self.primary.messages, [])

    def test_set_over_a_restart(self):
        for before, after in ((0, 10), (10, 0), (0, -10)):
            with self.each(before=before, after=after):
                self.exchanger.on["RCPT"] = GREYLISTED
                gateway = self._gateway(before)
                for _ in range(20):
                    self.send(gateway)
                self._deferred(gateway, 20)
                gateway.stop()
                self.clock.set(after)
                self.exchanger.on.clear()
                gateway.start()
                self.wait_for_messages(self.exchanger, 20)
                gateway.wait_until_empty()
                self.assertEqual(self.primary.messages, [])

    def test_after_an_outage_longer_than_its_time_each_message_is_tried(self):
        self.exchanger.stop_listening()
        gateway = self._gateway()
        for _ in range(120):
            self.send(gateway)
        self._deferred(gateway, 120)
        gateway.stop()
        self.clock.set(6)
        self.exchanger.start()
        gateway.start()
        self.wait_for_messages(self.exchanger, 120)
        gateway.wait_until_empty()
        self.assertEqual(gateway.events("bounced"), [])

    def test_after_an_outage_longer_than_its_time_what_cannot_be_delivered_is_given_up(self):
        self.exchanger.stop_listening()
        gateway = self._gateway()
        for _ in range(60):
            self.send(gateway)
        self._deferred(gateway, 60)
        gateway.stop()
        self.clock.set(6)
        gateway.start()
        gateway.process.wait_for(lambda: len(gateway.events("bounced")) == 60, "reports")
        self.assertIn("given up after 5 days", gateway.events("bounced")[0]["reason"])
        self.wait_for_messages(self.primary, 60)

    def test_new_mail_arrives_now_although_older_mail_came_from_the_future(self):
        self.exchanger.on["RCPT"] = GREYLISTED
        gateway = self._gateway(365)
        self.send(gateway, sender="future@company.example")
        self._deferred(gateway)
        self.clock.set(0)
        self.send(gateway, sender="now@company.example")
        arrived = {m["from"].split("@")[0]: m["arrived"] for m in gateway.messages()}
        self.assertLess(int(arrived["now"][:4]), int(arrived["future"][:4]))
        gateway.reload(queue={"expire": "2s"})
        event = gateway.wait_for_event("bounced")
        self.assertEqual(event["from"], "now@company.example")


if __name__ == "__main__":
    scenario.main()
