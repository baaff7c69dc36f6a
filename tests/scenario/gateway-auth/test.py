"""Signing in at a gateway: by the best mechanism it offers, never where somebody else could listen."""
import base64
import time

import scenario
from certificates import Authority
from gateway import ACCOUNT

PASSWORD = "corr,ect=horse"


class GatewayAuth(scenario.Scenario):
    GATEWAY = 31

    def setUp(self):
        super().setUp()
        self.authority = Authority(self.workspace)
        self.address = self.workspace.host(self.GATEWAY)
        self.password_file = self.workspace.file("secrets/archive", PASSWORD + "\n", 0o600, owner=ACCOUNT)

    def _gateway(self, **keys):
        return self.gateway(
            tls={"ca_file": self.authority.certificate},
            gateway=[{"name": "archive", "address": f"{self.address}:2525", "tls": "verify", "username": "acme",
                      "password_file": self.password_file, **keys}],
            route=[{"sender": "*", "gateway": "archive"}])

    def _peer(self, name=None, **options):
        options = {"tls": self.authority.issue(name or self.address).server_context(), "accounts": {"acme": PASSWORD}, **options}
        return self.receiver(self.GATEWAY, **options)

    def _signed_in(self, mechanisms, used):
        peer = self._peer(mechanisms=mechanisms)
        gateway = self._gateway()
        self.send(gateway)
        message = self.wait_for_messages(peer, 1)[0]
        self.assertEqual((message.user, message.tls), ("acme", True))
        said = [command for command in peer.sessions[0].commands if command.startswith("AUTH")]
        self.assertEqual([command.split()[1] for command in said], [used])
        gateway.wait_until_empty()
        self.assertNotIn(PASSWORD, gateway.log_file.read_text())

    def test_plain(self):
        self._signed_in(["PLAIN"], "PLAIN")

    def test_login(self):
        self._signed_in(["LOGIN"], "LOGIN")

    def test_cram_md5(self):
        self._signed_in(["CRAM-MD5"], "CRAM-MD5")

    def test_scram_sha_256(self):
        self._signed_in(["SCRAM-SHA-256"], "SCRAM-SHA-256")

    def test_the_best_of_those_offered(self):
        self._signed_in(["LOGIN", "PLAIN", "XOAUTH2", "CRAM-MD5", "SCRAM-SHA-256"], "SCRAM-SHA-256")

    def _waits(self, gateway, peer, *words):
        event = gateway.wait_for_event("deferred")
        self.assertEqual(peer.offered, [])
        self.assertEqual(gateway.events("bounced"), [])
        said = (str(event) + gateway.log_file.read_text()).lower()
        for word in words:
            self.assertIn(word, said)
        self.assertNotIn(PASSWORD, gateway.log_file.read_text())
        return event

    def test_a_new_password_is_not_for_the_host_of_before(self):
        """Not even while the new one cannot be looked up: mail waits, and goes there afterwards."""
        old = self._peer(mechanisms=["PLAIN"], on={".": lambda session, data: time.sleep(0.2)})
        new = self.receiver(32, tls=self.authority.issue("new.away.example").server_context(), accounts={"acme": "secret"})
        self.zones = lambda: {"away.example": []}
        gateway = self._gateway(connections=1)
        for _ in range(20):
            self.send(gateway)
        self.wait_for_messages(old, 2)
        changed = {"name": "archive", "address": "new.away.example:2525", "tls": "verify", "username": "acme",
                   "password_file": self.workspace.file("secrets/new", "secret\n", 0o600, owner=ACCOUNT)}
        gateway.reload(gateway=[changed])
        gateway.wait_for_event("reloaded")
        before = len(old.offered)
        gateway.wait_for_event("deferred", stage="dns")
        self.assertLessEqual(len(old.offered), before + 1)  # the one in hand
        self.assertEqual(len(old.sessions), 1)
        self.name_server.change("away.example", [f"new A {self.workspace.host(32)}"])
        gateway.wait_until_empty()
        self.assertEqual(len(old.messages) + len(new.messages), 20)
        self.assertEqual({command.split()[-1] for s in old.sessions for command in s.commands if command.startswith("AUTH")},
                         {base64.b64encode(f"\0acme\0{PASSWORD}".encode()).decode()})

    def test_a_wrong_password_is_told_and_mail_waits_until_it_is_right(self):
        peer = self._peer(accounts={"acme": "another"})
        gateway = self._gateway()
        self.send(gateway)
        self._waits(gateway, peer, "archive", "535")
        self.password_file.write_text("another\n")
        gateway.command("queue", "retry", "--recipient", "dest.example")
        self.wait_for_messages(peer, 1)

    def test_a_password_file_that_is_gone(self):
        peer = self._peer()
        gateway = self._gateway()
        self.password_file.unlink()
        self.send(gateway)
        self._waits(gateway, peer, "no such file or directory")

    def test_a_gateway_that_offers_no_mechanism_of_ours(self):
        peer = self._peer(mechanisms=["XOAUTH2", "GSSAPI"])
        gateway = self._gateway()
        self.send(gateway)
        self._waits(gateway, peer, "xoauth2")

    def test_a_gateway_that_does_not_know_the_password_itself(self):
        """SCRAM proves both sides: a server whose signature is wrong gets no mail."""
        peer = self._peer(mechanisms=["SCRAM-SHA-256"], sasl={"forged": True})
        gateway = self._gateway()
        self.send(gateway)
        self._waits(gateway, peer)

    def test_not_over_tls_with_the_wrong_name(self):
        peer = self._peer("somebody.example")
        gateway = self._gateway()
        self.send(gateway)
        self._waits(gateway, peer)
        self.assertFalse([c for s in peer.sessions for c in s.commands if c.startswith("AUTH")])

    def test_unverified_tls_with_credentials_is_a_fault_of_the_configuration(self):
        for policy in ("off", "opportunistic", "required"):
            with self.each(policy=policy):
                gateway = self._gateway()
                gateway.configure(gateway=[{**gateway.settings["gateway"][0], "tls": policy}])
                done = gateway.command("check", check=False)
                self.assertEqual(done.returncode, 78, done.stdout + done.stderr)
                self.assertIn("allow_insecure_auth", done.stdout + done.stderr)

    def test_allowed_in_clear(self):
        peer = self._peer(tls=None)
        gateway = self._gateway(tls="off", allow_insecure_auth=True)
        self.send(gateway)
        message = self.wait_for_messages(peer, 1)[0]
        self.assertEqual((message.user, message.tls), ("acme", False))

    def test_a_connection_signs_in_once(self):
        peer = self._peer()
        gateway = self._gateway(connections=1)
        for n in range(10):
            self.send(gateway, recipients=f"u{n}@dest.example")
        self.wait_for_messages(peer, 10)
        for session in peer.sessions:
            self.assertLessEqual(len([c for c in session.commands if c.startswith("AUTH")]), 1)


if __name__ == "__main__":
    scenario.main()
