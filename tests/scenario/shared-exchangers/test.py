"""Domains with the same mail exchangers are one site: they share its connections and its limits."""
import threading

import samples
import scenario
import smtp_client

DOMAINS = ("dest.example", "one.example", "two.example", "three.example")


class SharedExchangers(scenario.Scenario):
    def zones(self):
        return super().zones() | {name: ["@ MX 10 mx1.dest.example."] for name in DOMAINS[1:]} | {
            "elsewhere.example": ["@ MX 10 mx", f"mx A {self.workspace.host(scenario.SECOND_RECEIVER)}"]}

    def test_connections_are_shared_and_limited_together(self):
        lock, most = threading.Lock(), [0]
        receiver = self.receiver()

        def watch(session, _):
            with lock:
                most[0] = max(most[0], receiver.connections)
        receiver.on["."] = watch
        gateway = self.gateway(delivery={"per_destination": 2})
        for n in range(40):
            self.send(gateway, recipients=f"u{n}@{DOMAINS[n % 4]}")
        gateway.wait_until_empty()
        self.assertEqual(len(receiver.messages), 40)
        self.assertLessEqual(most[0], 2)

    def test_a_connection_carries_mail_of_several_domains(self):
        receiver = self.receiver()
        receiver.stop_listening()
        gateway = self.gateway(delivery={"per_destination": 1})
        for n in range(40):
            self.send(gateway, recipients=f"u{n}@{DOMAINS[n % 4]}")
        receiver.start()
        gateway.wait_until_empty()
        self.assertEqual(len(receiver.messages), 40)
        domains = {}
        for message in receiver.messages:
            domains.setdefault(message.connection, set()).update(r.split("@")[1] for r in message.recipients)
        self.assertGreater(max(map(len, domains.values())), 1)
        self.assertLessEqual(len(domains), 10)

    def test_a_little_mail_does_not_wait_behind_much(self):
        much, little = 300, 5
        go = threading.Event()
        receiver = self.receiver(on={"MAIL": lambda *_: go.wait(60) and None})
        gateway = self.gateway(delivery={"per_destination": 1})
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            for domain, count in ((DOMAINS[0], much), (DOMAINS[1], little), (DOMAINS[0], much)):
                for n in range(count):
                    reply = client.message("alice@company.example", [f"u{n}@{domain}"], samples.simple())
                    self.assertEqual(reply.code, 250)
        go.set()
        gateway.wait_until_empty()
        order = [r.split("@")[1] for m in receiver.messages for r in m.recipients]
        self.assertEqual(len(order), 2 * much + little)
        last = max(at for at, domain in enumerate(order) if domain == DOMAINS[1])
        self.assertLess(last, much)

    def test_the_site_is_shown(self):
        self.receiver(on={"RCPT": "450 4.7.1 greylisted"})
        self.receiver(scenario.SECOND_RECEIVER, on={"RCPT": "450 4.7.1 greylisted"})
        gateway = self.gateway(queue={"retry_first": "1h", "retry_max": "4h"})
        for domain in (*DOMAINS, "elsewhere.example"):
            self.send(gateway, recipients=f"bob@{domain}")
        gateway.process.wait_for(lambda: len(gateway.events("deferred")) == 5, "five deferrals")
        sites = {d["route"].removeprefix("mx:"): d["site"] for d in gateway.json("/v1/status")["destinations"]}
        self.assertEqual(len({sites[domain] for domain in DOMAINS}), 1, sites)
        self.assertNotEqual(sites["elsewhere.example"], sites["dest.example"])


if __name__ == "__main__":
    scenario.main()
