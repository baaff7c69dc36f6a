"""The connections there are in all are shared out: nobody's mail waits for somebody else's host."""
import time

import scenario
from scripted_receiver import Stall


class SharedConnections(scenario.Scenario):
    OTHERS = range(50, 56)

    def zones(self):
        tar = self.workspace.host(40)
        return super().zones() | {
            "tar.example": [line for n in range(60) for line in (f"t{n} MX 10 mx{n}", f"mx{n} A {tar}")],
            "other.example": [line for n in self.OTHERS
                              for line in (f"o{n} MX 10 mx{n}", f"mx{n} A {self.workspace.host(n)}")]}

    def test_hosts_that_never_greet(self):
        """Many names, one owner: they do not get all the connections, not even at once."""
        tar = self.receiver(40, on={"banner": Stall})
        good = self.receiver()
        gateway = self.gateway(delivery={"connections": 40, "per_destination": 5})
        self.send(gateway, recipients=[f"x@t{n}.tar.example" for n in range(60)])
        gateway.process.wait_for(lambda: tar.stalled >= 5, "the first that hang")
        self.send(gateway)
        self.wait_for_messages(good, 1)  # long before anybody's patience is over
        self.assertLess(tar.connections, 40)

    def test_a_resting_connection_goes_for_one_that_is_needed(self):
        receivers = [self.receiver(n) for n in self.OTHERS]
        gateway = self.gateway(delivery={"connections": 4, "idle": "5m"})
        for n, receiver in zip(self.OTHERS, receivers):
            self.send(gateway, recipients=f"x@o{n}.other.example")
            self.wait_for_messages(receiver, 1)

    def test_busy_sites_take_turns_with_others(self):
        """Two have all the connections, and mail for many minutes."""
        slow = {".": lambda session, data: time.sleep(0.3)}
        busy = [self.receiver(n, on=slow) for n in list(self.OTHERS)[:2]]
        good = self.receiver()
        gateway = self.gateway(delivery={"connections": 2})
        for n in range(500):
            self.send(gateway, recipients=f"x@o{self.OTHERS[n % 2]}.other.example")
        gateway.process.wait_for(lambda: all(one.messages for one in busy), "the busy ones")
        self.send(gateway)
        self.wait_for_messages(good, 1)
        self.assertGreater(gateway.queued(), 100)


if __name__ == "__main__":
    scenario.main()
