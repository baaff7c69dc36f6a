"""When the disk is nearly full mail is answered 452 4.3.1 before it is taken, and taken again when there is room."""
import samples
import scenario
import smtp_client


class DiskNearlyFull(scenario.Scenario):
    def test_no_data_is_asked_for(self):
        receiver = self.receiver()
        gateway = self.gateway(ready=False, accept={"sender": "any", "minimum_free": "900000GiB"})
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            reply = client.message("alice@company.example", ["bob@dest.example"], samples.simple())
            self.assertEqual((reply.code, reply.enhanced), (452, "4.3.1"), reply)
        self.assertEqual(gateway.http("/readyz")[0], 503)
        gateway.reload(accept={"minimum_free": "1MiB"})
        gateway.process.wait_for(lambda: gateway.http("/readyz")[0] == 200, "readiness after the reload")
        self.assertEqual(smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example",
                                          samples.simple()).code, 250)
        self.wait_for_messages(receiver, 1)


if __name__ == "__main__":
    scenario.main()
