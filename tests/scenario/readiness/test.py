"""Ready means: whoever asks gets a verdict, not "try later" because nothing is known of the primary yet."""
import scenario
import smtp_client
from primary import Primary


class Readiness(scenario.Scenario):
    def _start(self, ready, request_gap, delay=()):
        self.web = self.workspace.add(Primary(self.workspace))
        if delay:
            self.web.control("switches", {"delay": delay, "delay_ms": 3_600_000})
        primary = {"name": "main", "addresses": ["127.0.0.1"], "deliver_to": f"{self.primary_address}:2525"}
        return self.gateway(ready, primary=[primary | self.web.settings(request_gap=request_gap)],
                            accept={"sender": "user"})

    @staticmethod
    def _code(gateway, sender):
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            return client.say(f"MAIL FROM:<{sender}>").code

    def test_as_soon_as_the_domains_are_listed(self):
        # No domain's users are read while this test lasts.
        gateway = self._start(False, "0s", delay=["settings/sysadmin/domain-settings"])
        gateway.process.wait_for(lambda: gateway.http("/readyz")[0] == 200, "readiness")
        self.assertEqual(self._code(gateway, "alice@company.example"), 250)

    def test_at_once_with_a_directory_from_before(self):
        gateway = self._start(True, "0s")
        gateway.wait_for_event("synced")
        gateway.stop()
        self.web.close()
        gateway.start()
        self.assertEqual(self._code(gateway, "alice@elsewhere.example"), 550)


if __name__ == "__main__":
    scenario.main()
