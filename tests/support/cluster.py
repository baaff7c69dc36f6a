"""Several gateways that share what they know through a redis-server."""
import scenario
from gateway import Gateway
from nsd import NameServer
from redis_server import RedisServer

NAMES = ("mx1", "mx2", "mx3")


class ClusterScenario(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.redis = self.workspace.add(RedisServer(self.workspace))
        self.dest = self.receiver()
        self.name_server = self.workspace.add(NameServer(self.workspace, self.zones()))

    def _gateways(self, count=3, cluster=None, started=True, **settings):
        """They know of each other when this returns."""
        self.gateways = []
        for at, name in enumerate(NAMES[:count]):
            self.gateways.append(self.workspace.add(Gateway(
                self.workspace, self.name_server, name=f"postern-{name}", host=at + 1,
                **{"cluster": {"url": self.redis.url, "plain": True, "name": name, **(cluster or {})},
                   "unusual": {"mode": "off"}, **settings})))
        for gateway in self.gateways if started else ():
            gateway.start(ready="url" not in str(settings.get("primary")))
        if started:
            self._wait_for_all(self.gateways)
        return self.gateways

    def _wait_for_all(self, gateways):
        for gateway in gateways:
            gateway.process.wait_for(lambda: self._cluster(gateway)["limits_shared_by"] == len(gateways)
                                     and self._cluster(gateway)["state"] == "reached", "all gateways to know of each other")

    @staticmethod
    def _cluster(gateway):
        return gateway.json("/v1/cluster")
