"""The operator's blocklists, asked about our own addresses; what is no listing is not taken for one."""
import time

import nsd
import scenario
from scripted_receiver import refuse


class EgressBlocklist(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.pool = [self.workspace.host(n) for n in (41, 42)]
        self.dest = self.receiver()
        self.records = []

    def zones(self):
        return super().zones() | {"bl.example": self.records, "watch.example": nsd.blocklist([self.pool[1]])}

    def _start(self, records, **delivery):
        self.records = records
        # "watch" lists the second address: its verdict shows that a round of questions is over.
        return self.gateway(egress=[{"address": a} for a in self.pool] + [{"address": self.workspace.host(43)}],
                            delivery={"blocklists": ["bl.example", "watch.example"], "blocklist_every": "1s", **delivery})

    def _sent_from(self, gateway):
        self.send(gateway)
        gateway.wait_until_empty()
        return self.dest.messages[-1].client

    def test_listed_and_back(self):
        gateway = self._start(nsd.blocklist(self.pool[:1]))
        listed = gateway.wait_for_event("listed", egress=self.pool[0])
        self.assertIn("bl.example", listed["by"])
        gateway.wait_for_event("listed", egress=self.pool[1])
        self.assertEqual(self._sent_from(gateway), self.workspace.host(43))
        self.name_server.change("bl.example", nsd.blocklist())
        gateway.wait_for_event("unlisted", egress=self.pool[0])
        self.assertEqual(self._sent_from(gateway), self.pool[0])

    def test_listed_while_running(self):
        gateway = self._start(nsd.blocklist())
        self.assertEqual(self._sent_from(gateway), self.pool[0])
        self.name_server.change("bl.example", nsd.blocklist(self.pool[:1]))
        gateway.wait_for_event("listed", egress=self.pool[0])
        self.assertNotEqual(self._sent_from(gateway), self.pool[0])

    def test_a_list_that_a_receiver_names_is_asked_at_once(self):
        gateway = self._start(nsd.blocklist(), blocklist_every="1h")
        gateway.wait_for_event("listed", egress=self.pool[1])
        self.name_server.change("bl.example", nsd.blocklist(self.pool[:1]))
        time.sleep(2.5)  # the answers of before have lived for their second
        self.dest.on["MAIL"] = refuse(self.pool[:1], "554 5.7.1 Client host [{client}] blocked using zen.spamhaus.org")
        self.send(gateway)
        gateway.wait_for_event("listed", egress=self.pool[0], by="bl.example", site="everywhere")

    def _not_listed(self, records):
        gateway = self._start(records)
        gateway.wait_for_event("listed", egress=self.pool[1])
        self.assertEqual(self._sent_from(gateway), self.pool[0])
        self.assertEqual({e["egress"] for e in gateway.events("listed")}, {self.pool[1]})
        return gateway

    def test_a_refusal_to_answer_is_no_listing(self):
        for code in ("127.255.255.252", "127.255.255.254", "127.255.255.255"):
            with self.each(code=code):
                gateway = self._not_listed(nsd.blocklist(self.pool[:1], code))
                self.assertIn("bl.example", str(gateway.events("trouble")))

    def test_a_zone_that_lists_everything(self):
        """As abandoned zones do when their domain is sold: the test point that must not be listed is."""
        gateway = self._not_listed(["$TTL 1", "* A 127.0.0.2", "* TXT listed"])
        self.assertIn("bl.example", str(gateway.events("trouble")))

    def test_a_zone_that_answers_with_a_web_server(self):
        self._not_listed(["$TTL 1", "* A 203.0.113.80"])

    def test_an_empty_zone(self):
        self._not_listed(["$TTL 1"])

    def test_a_zone_that_does_not_answer(self):
        self.records = nsd.blocklist()
        gateway = self.gateway(egress=[{"address": a} for a in self.pool],
                               dns={"stub": {"gone.example": f"{self.workspace.host(98)}@5353", "dest.example":
                                             f"{self.workspace.host(2)}@5353"}, "timeout": "1s"},
                               delivery={"blocklists": ["gone.example"], "blocklist_every": "1s"})
        gateway.wait_for_event("trouble", text="gone.example")
        self.assertEqual(self._sent_from(gateway), self.pool[0])
        self.assertEqual(gateway.events("listed"), [])


if __name__ == "__main__":
    scenario.main()
