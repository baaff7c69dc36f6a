"""A large 8-bit message for many slow hosts without 8BITMIME: it is converted once, and needs neither memory nor other mail's time."""
import scenario
import smtp_client
from probes import Probes

SLOW = range(100, 120)  # hosts
SEVEN_BIT = ("PIPELINING", "SIZE 104857600", "ENHANCEDSTATUSCODES")
HEAD = ("From: <alice@company.example>\r\nSubject: large\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n").encode()


class SlowHosts(scenario.Scenario):
    def zones(self):
        return super().zones() | {
            "new.example": ["* MX 10 mx1.dest.example."],
            "slow.example": [line for n in SLOW for line in (f"s{n} MX 10 mx{n}", f"mx{n} A {self.workspace.host(n)}")]}

    def _probes(self, gateway, receiver):
        return Probes(self, gateway, receiver, ("probe{}@dest.example", "probe@d{}.new.example"))

    def test_31_mib_to_twenty_of_them(self):
        """Content that grows threefold in seven bits, each line of which begins with a dot."""
        line = b"." + "ü=".encode() * 20 + b"\r\n"
        content = HEAD + line * (((31 << 20) - len(HEAD)) // len(line))
        slow = [self.receiver(n, extensions=SEVEN_BIT, reads=(4096, 0.5)) for n in SLOW]
        receiver = self.receiver()
        gateway = self.gateway()
        probes = self._probes(gateway, receiver)
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            self.assertEqual(client.message("alice@company.example", [f"x@s{n}.slow.example" for n in SLOW], content,
                                            " BODY=8BITMIME").code, 250)
        probes.take_until(lambda: all(one.begun for one in slow))
        probes.take(3)
        probes.check()
        self.assertEqual(gateway.events("deferred"), [])
        for one in slow:
            one.close()


if __name__ == "__main__":
    scenario.main()
