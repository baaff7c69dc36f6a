"""With several loops each for reception and delivery nothing is lost, doubled or mixed up: through a reload, and through stops with
sessions and deliveries in hand."""
import collections
import pathlib
import signal
import threading

import samples
import scenario
import smtp_client
from certificates import Authority

SITES = [f"site{n}.example" for n in range(6)]
CLIENTS, PER_CLIENT = 12, 40


class SeveralLoops(scenario.Scenario):
    FIRST_HOST = 100

    def zones(self):
        return super().zones() | {site: ["@ MX 10 mx", f"mx A {self.workspace.host(self.FIRST_HOST + n)}"]
                                  for n, site in enumerate(SITES)}

    def setUp(self):
        super().setUp()
        self.authority = Authority(self.workspace)
        theirs = self.authority.issue("mx.example").server_context()
        self.sites = [self.receiver(self.FIRST_HOST + n, tls=theirs if n % 2 else None) for n in range(len(SITES))]
        ours = self.authority.issue("gw1.company.example")
        self.postern = self.gateway(threads=4, tls={"certificate": ours.certificate, "private_key": ours.key})

    def _client(self, number, taken, prefix):
        """Sends until it is told that the gateway ends; what got a 250 is taken."""
        try:
            with smtp_client.Client(self.postern.address) as connection:
                connection.greet()
                if number % 3 == 0:
                    connection.start_tls(self.authority.client_context(), "gw1.company.example")
                    connection.say("EHLO primary.company.example")
                for n in range(PER_CLIENT):
                    name = f"{prefix}c{number}m{n}"
                    recipients = [f"{name}@{SITES[(number + n) % len(SITES)]}", f"{name}@{SITES[(number + n + 1) % len(SITES)]}"]
                    content = samples.simple(name) if n % 10 else samples.of_size(400_000, name)
                    if connection.message("alice@company.example", recipients, content).code != 250:
                        return
                    taken.update(recipients)
        except (OSError, smtp_client.Closed):
            return

    def _traffic(self, meanwhile, prefix=""):
        taken = set()
        threads = [threading.Thread(target=self._client, args=(n, taken, prefix)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        meanwhile()
        for thread in threads:
            thread.join()
        return taken

    def _received(self):
        return collections.Counter(r for site in self.sites for m in site.messages for r in m.recipients)

    def test_they_are_there(self):
        tasks = pathlib.Path(f"/proc/{self.postern.process.pid}/task")
        names = sorted(t.joinpath("comm").read_text().strip() for t in tasks.iterdir())
        for area in ("reception", "delivery"):
            self.assertEqual([n for n in names if n.startswith(area)], [area, *(f"{area} {n}" for n in (2, 3, 4))])

    def test_nothing_is_lost_or_doubled(self):
        def reload():
            self.postern.configure(delivery={"per_destination": 3})
            self.postern.process.send_signal(signal.SIGHUP)
        taken = self._traffic(reload)
        self.assertEqual(len(taken), CLIENTS * PER_CLIENT * 2)
        self.postern.wait_until_empty()
        self.assertEqual(self._received(), collections.Counter(taken))
        for site in self.sites:
            for message in site.messages:
                name = message.recipients[0].split("@")[0]
                self.assertIn(f"Subject: {name}\r\n".encode(), message.data)

    def test_a_stop_in_the_middle(self):
        taken = set()
        for life in range(3):
            before = len(self._received())
            taken |= self._traffic(lambda: (
                self.postern.process.wait_for(lambda: len(self._received()) > before + 50, "mail on its way"),
                self.assertEqual(self.postern.stop(), 0)), f"l{life}")
            self.postern.start()
        self.postern.wait_until_empty()
        received = self._received()
        self.assertEqual(taken - set(received), set())
        self.assertEqual([r for r, times in received.items() if times > 1], [])


if __name__ == "__main__":
    scenario.main()
