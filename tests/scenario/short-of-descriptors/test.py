"""A process that may open no more files puts mail off as its own shortage, goes on with what it has, and recovers."""
import os
import pathlib
import resource

import samples
import scenario
import smtp_client
from process import wait_for


class ShortOfDescriptors(scenario.Scenario):
    names = ()

    def zones(self):
        return super().zones() | {name: ["@ MX 10 mx1", f"mx1 A {self.workspace.host(scenario.RECEIVER)}"] for name in self.names}

    def _greeted(self, gateway):
        client = smtp_client.Client(gateway.address)
        self.addCleanup(client.close)
        client.greet()
        return client

    def _none_left(self, gateway, but=0):
        pid = gateway.process.pid
        self.before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        lowest_free = next(n for n in range(len(used) + 1) if n not in used)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest_free + but, self.before[1]))

    def _enough(self, gateway):
        resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, self.before)

    def _troubles(self, gateway, text):
        return [e for e in gateway.events("trouble") if text in e["text"]]

    def test_mail_is_put_off_and_the_disk_is_not_blamed(self):
        receiver = self.receiver()
        gateway = self.gateway(user="")  # whose limits the test may set
        client = self._greeted(gateway)
        large = samples.of_size(2 << 20)
        self._none_left(gateway)
        reply = client.message("alice@company.example", ["bob@dest.example"], large)
        self.assertEqual((reply.code, reply.enhanced), (452, "4.3.1"), reply)
        event = gateway.wait_for_event("refused", rule="spool", reply="452 4.3.1")
        self.assertIn("LimitNOFILE", event["reason"])
        self.assertEqual(client.message("alice@company.example", ["small@dest.example"], samples.simple()).code, 250)
        self._enough(gateway)
        self.assertEqual(client.message("alice@company.example", ["bob@dest.example"], large).code, 250)
        gateway.wait_until_empty()
        self.assertEqual(sorted(m.recipients[0] for m in receiver.messages), ["bob@dest.example", "small@dest.example"])
        self.assertEqual(self._troubles(gateway, "check the disk"), [])
        self.assertEqual(gateway.http("/readyz")[0], 200)
        # Not before what became of them is on the disk: nobody waits for that.
        content = gateway.state_dir / "spool/content"
        gateway.process.wait_for(lambda: not list(content.iterdir()), "the contents' files being gone")

    def test_clients_wait_at_the_door_and_are_let_in_later(self):
        self.receiver()
        gateway = self.gateway(user="")  # whose limits the test may set
        client = self._greeted(gateway)
        self._none_left(gateway)
        waiting = [smtp_client.Client(gateway.address) for _ in range(3)]
        for one in waiting:
            self.addCleanup(one.close)
        wait_for(lambda: self._troubles(gateway, "no connection can be accepted"), "the trouble being told")
        begun = self._attempts(gateway)
        for _ in range(50):
            self.assertEqual(client.say("NOOP").code, 250)
        self.assertEqual(client.message("alice@company.example", ["bob@dest.example"], samples.simple()).code, 250)
        # Again and again, but not all the time.
        wait_for(lambda: self._attempts(gateway) > begun, "another attempt")
        self._enough(gateway)
        for one in waiting:
            self.assertEqual(one.greet().code, 250)
        self.assertEqual(len(self._troubles(gateway, "no connection can be accepted")), 1)
        self.assertEqual(len(self._troubles(gateway, "connections are accepted again")), 1)
        self.assertIn("LimitNOFILE", self._troubles(gateway, "no connection can be accepted")[0]["text"])
        gateway.wait_until_empty()

    def test_loops_that_had_nothing_to_do_yet_need_none(self):
        receiver = self.receiver()
        gateway = self.gateway(user="", threads=4)  # whose limits the test may set
        client = self._greeted(gateway)
        self._none_left(gateway, but=1)
        other = self._greeted(gateway)
        self._enough(gateway)
        for n, one in enumerate((client, other, self._greeted(gateway))):
            self.assertEqual(one.message("alice@company.example", [f"bob{n}@dest.example"], samples.simple()).code, 250)
        gateway.wait_until_empty()
        self.assertEqual(len(receiver.messages), 3)
        self.assertEqual([e for e in gateway.events("trouble") if e["where"] != "listener"], [])

    def test_mail_on_its_way_out_waits_for_descriptors(self):
        """Names that cannot be looked up for want of descriptors are looked up when there are some: within moments, not a
        pause later; nobody is told that his mail failed, and nobody gets it twice."""
        self.names = [f"d{n}.example" for n in range(12)]
        receiver = self.receiver()
        gateway = self.gateway(user="", queue={"retry_first": "1h", "retry_max": "4h"})  # whose limits the test may set
        client = self._greeted(gateway)
        self.assertEqual(client.message("alice@company.example", ["bob@d0.example"], samples.simple()).code, 250)
        self.wait_for_messages(receiver, 1)
        self._none_left(gateway)
        for name in self.names[1:]:
            self.assertEqual(client.message("alice@company.example", [f"bob@{name}"], samples.simple()).code, 250)
        begun = os.times().elapsed
        wait_for(lambda: os.times().elapsed - begun > 2, "two seconds")
        self._enough(gateway)
        gateway.wait_until_empty()
        self.assertEqual(sorted(m.recipients for m in receiver.messages), sorted((f"bob@{name}",) for name in self.names))
        self.assertEqual(gateway.events("bounced"), [])
        self.assertEqual([e for e in gateway.events("deferred") if "name servers do not answer" in str(e)], [])

    def _attempts(self, gateway):
        """Wakings of the reception's thread, which has nothing else to do."""
        for task in pathlib.Path(f"/proc/{gateway.process.pid}/task").iterdir():
            if (task / "comm").read_text().strip() == "reception":
                status = (task / "status").read_text()
                return int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
        self.fail("there is no thread for the reception")

    def test_it_does_not_spin_meanwhile(self):
        gateway = self.gateway(user="")  # whose limits the test may set
        client = self._greeted(gateway)
        self._none_left(gateway)
        waiting = smtp_client.Client(gateway.address)
        self.addCleanup(waiting.close)
        wait_for(lambda: self._troubles(gateway, "no connection can be accepted"), "the trouble being told")
        before, begun = self._cpu(gateway), os.times().elapsed
        wait_for(lambda: os.times().elapsed - begun > 3, "three seconds")
        self.assertLess(self._cpu(gateway) - before, 1)
        self._enough(gateway)
        self.assertEqual(waiting.greet().code, 250)
        self.assertEqual(client.say("QUIT").code, 221)

    @staticmethod
    def _cpu(gateway):
        fields = pathlib.Path(f"/proc/{gateway.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    scenario.main()
