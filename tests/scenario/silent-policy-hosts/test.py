"""What is not known of a domain's MTA-STS policy, because it was not asked for yet or its name server fails, is not taken
for "no policy": its mail waits, and nobody else's."""
import socket
import threading

import scenario
from certificates import Authority
from gateway import Gateway
from nsd import NameServer
from policy_server import PolicyServer, policy
from process import wait_for
from scripted_names import ScriptedNames
from workspace import Workspace

POLICY_HOST, ORDINARY = 9, 22  # hosts
SERVFAIL, NXDOMAIN = 2, 3


class SilentHost:
    """Takes connections on port 443 and never says a word; `taken` are those there were."""

    def __init__(self, address):
        self.taken = []
        self._socket = socket.create_server((address, 443), backlog=64)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            try:
                self.taken.append(self._socket.accept()[0])
            except OSError:
                return

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for one in [self._socket, *self.taken]:
            one.close()


class SilentPolicyHosts(scenario.Scenario):
    """dest.example enforces a policy, and whoever stands in its exchanger's place has the wrong certificate."""

    def setUp(self):
        super().setUp()
        self.authority = Authority(self.workspace)
        self.server = self.workspace.add(PolicyServer(
            self.workspace.host(POLICY_HOST), self.authority.issue("mta-sts.dest.example"), policy("mx1.dest.example")))
        self.impostor = self.receiver(tls=self.authority.issue("somebody.example").server_context())
        self.ordinary = self.receiver(ORDINARY)

    def _gateway(self, names, **dns):
        dns = {"servers": [names.server], **dns}
        gateway = Gateway(self.workspace, None, dns=dns, tls={"ca_file": self.authority.certificate})
        return self.workspace.add(gateway).start()

    def _not_delivered(self, gateway):
        self.assertEqual(self.impostor.offered, [])
        self.assertEqual([e for e in gateway.events("delivered") if e["to"] == "bob@dest.example"], [])

    def _silent_hosts(self, how_many):
        """In networks of their own, as many as fit into one."""
        network = Workspace("silent")
        self.addCleanup(network.remove)
        return [self.workspace.add(SilentHost(network.host(1 + n))) for n in range(how_many)], network

    def test_policy_hosts_that_say_nothing(self):
        hosts, network = self._silent_hosts(20)
        records = [f"mx A {self.workspace.host(scenario.SECOND_RECEIVER)}"]
        for n in range(len(hosts)):
            records += [f"d{n} MX 10 mx", f"mta-sts.d{n} A {network.host(1 + n)}", f'_mta-sts.d{n} TXT "v=STSv1; id=1;"']
        names = self.workspace.add(NameServer(self.workspace, {
            "silent.example": records,
            "ordinary.example": ["@ MX 10 mx", f"mx A {self.workspace.host(ORDINARY)}"],
            "dest.example": ["@ MX 10 mx1", f"mx1 A {self.workspace.host(scenario.RECEIVER)}",
                             f"mta-sts A {self.workspace.host(POLICY_HOST)}", '_mta-sts TXT "v=STSv1; id=1;"']}))
        receiver = self.receiver(scenario.SECOND_RECEIVER)
        gateway = self._gateway(names)
        for n in range(len(hosts)):
            self.send(gateway, recipients=f"eve@d{n}.silent.example")
        wait_for(lambda: sum(len(host.taken) for host in hosts) >= 4, "silent hosts are asked")
        self.send(gateway)
        self.send(gateway, recipients="carol@ordinary.example")
        self.wait_for_messages(self.ordinary, 1)
        event = gateway.process.wait_for(lambda: next((e for e in gateway.events() if e.get("to") == "bob@dest.example"
                                                       and e["event"] in ("deferred", "delivered")), None),
                                         "what became of the mail to dest.example", 120)
        self.assertEqual((event["event"], event.get("stage")), ("deferred", "tls"))
        self.assertEqual(self.server.requests, [("mta-sts.dest.example", "/.well-known/mta-sts.txt")])
        self._not_delivered(gateway)
        # Hosts that were asked and gave no policy are none (RFC 8461 §5).
        self.wait_for_messages(receiver, 1)

    def _scripted(self, text):
        """`text()` is the answer to the TXT question about dest.example."""
        def answer(name, kind):
            known = {("dest.example", "MX"): [(10, "mx1.dest.example")],
                     ("mx1.dest.example", "A"): [self.workspace.host(scenario.RECEIVER)],
                     ("mta-sts.dest.example", "A"): [self.workspace.host(POLICY_HOST)],
                     ("ordinary.example", "MX"): [(10, "mx.ordinary.example")],
                     ("mx.ordinary.example", "A"): [self.workspace.host(ORDINARY)]}
            if (name, kind) == ("_mta-sts.dest.example", "TXT"):
                return text()
            return known.get((name, kind), [] if any(n == name for n, _ in known) else NXDOMAIN)
        return self.workspace.add(ScriptedNames(self.workspace.host(2), answer))

    def test_a_record_that_cannot_be_looked_up(self):
        answer = [SERVFAIL]
        gateway = self._gateway(self._scripted(lambda: answer[0]))
        self.send(gateway)
        event = gateway.wait_for_event("deferred")
        self.assertIn("MTA-STS policy of dest.example is not known", event["reason"])
        self.assertIn("SERVFAIL", event["reason"])
        self.send(gateway, recipients="carol@ordinary.example")
        self.wait_for_messages(self.ordinary, 1)
        gateway.process.wait_for(lambda: len(gateway.events("deferred")) >= 3, "three deferrals")
        self._not_delivered(gateway)
        with self.subTest("it is asked again, and there is one"):
            answer[0] = ["v=STSv1; id=1;"]
            gateway.process.wait_for(lambda: any(e.get("stage") == "tls" for e in gateway.events("deferred")),
                                     "a deferral because of the certificate")
            self._not_delivered(gateway)

    def test_a_record_that_cannot_be_looked_up_at_first(self):
        answer = [SERVFAIL]
        gateway = self._gateway(self._scripted(lambda: answer[0]))
        self.send(gateway)
        gateway.wait_for_event("deferred")
        answer[0] = NXDOMAIN
        self.wait_for_messages(self.impostor, 1)
        with self.subTest("a domain that had none a moment ago is taken to have none"):
            answer[0] = SERVFAIL
            self.send(gateway)
            self.wait_for_messages(self.impostor, 2)


if __name__ == "__main__":
    scenario.main()
