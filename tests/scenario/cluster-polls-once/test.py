"""One of several gateways polls the primary, and the others know what it knows, whatever is killed."""
import samples
import scenario
import smtp_client
from cluster import NAMES, ClusterScenario
from primary import Primary
from process import wait_for


class PollsOnce(ClusterScenario):
    def test_one_polls_whatever_is_killed(self):
        web = self.workspace.add(Primary(self.workspace))
        primary = [{"name": "main", "addresses": ["127.0.0.1"], "deliver_to": f"{self.primary_address}:2525",
                    **web.settings(poll_every="10s")}]
        gateways = self._gateways(primary=primary, accept={"sender": "user"})
        for gateway in gateways:
            gateway.process.wait_for(lambda: gateway.http("/readyz")[0] == 200, "a directory")
        polls = {self._cluster(gateway)["polls"] for gateway in gateways}
        self.assertEqual(len(polls), 1, polls)
        polling = [gateway for gateway, name in zip(gateways, NAMES) if name in polls]
        following = [gateway for gateway in gateways if gateway not in polling]
        # The others know what it knows, and never asked.
        for gateway in following:
            self.assertEqual(gateway.events("synced"), [])
            reply = smtp_client.send(gateway.address, "nobody@company.example", "x@dest.example", samples.simple())
            self.assertEqual(reply.code, 550, reply)
            self.send(gateway, "alice@company.example")
            self.assertRegex(gateway.command("status").stdout, f"polled by gateway {polls.pop() if polls else ''}")
        polling[0].kill()
        wait_for(lambda: any(gateway.events("synced") for gateway in following), "another one to poll")
        second = [gateway for gateway in following if gateway.events("synced")]
        self.assertEqual(len(second), 1)
        # The one that is back follows.
        polling[0].start(ready=False)
        polling[0].process.wait_for(lambda: polling[0].http("/readyz")[0] == 200, "a directory")
        count = len(polling[0].events("synced"))
        polling[0].process.wait_for(lambda: self._cluster(polling[0])["polls"] not in (None, ""), "whose turn it is")
        self.assertEqual(len(polling[0].events("synced")), count)
        # A poll that is asked for here is done there.
        before = len(second[0].events("synced"))
        following[0].command("sync")
        wait_for(lambda: len(second[0].events("synced")) > before, "the poll that was asked for")
        # Without the server nobody knows, and each polls.
        self.redis.kill()
        for gateway in gateways:
            gateway.wait_for_event("poll-turn", polls="each for itself")
            self.assertEqual(gateway.http("/readyz")[0], 200)
            before = len(gateway.events("synced"))
            gateway.process.wait_for(lambda: len(gateway.events("synced")) > before, "a poll of its own", 120)


if __name__ == "__main__":
    scenario.main()
