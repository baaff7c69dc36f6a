"""postern check --online: what can be found out by trying, and what to do about it. No mail is sent."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))

import json

import nsd
import scenario
from certificates import Authority
from gateway import ACCOUNT, Gateway


class CheckOnline(scenario.Scenario):
    GATEWAY, OWN = 31, 41

    def setUp(self):
        super().setUp()
        self.authority = Authority(self.workspace)
        self.address = self.workspace.host(self.GATEWAY)
        self.password_file = self.workspace.file("secrets/archive", "secret\n", 0o600, owner=ACCOUNT)
        self.peer_options = {"tls": self.authority.issue(self.address).server_context(), "accounts": {"acme": "secret"}}
        self.blocklist = nsd.blocklist()

    def zones(self):
        return super().zones() | {"bl.example": self.blocklist}

    def _check(self, peer=True, **settings):
        """(exit code, findings about the gateway, all findings)."""
        self.peer = self.receiver(self.GATEWAY, **self.peer_options) if peer else None
        self.name_server = self.workspace.add(nsd.NameServer(self.workspace, self.zones()))
        settings = {"tls": {"ca_file": self.authority.certificate},
                    "gateway": [{"name": "archive", "address": f"{self.address}:2525", "tls": "verify", "username": "acme",
                                 "password_file": self.password_file}], **settings}
        gateway = Gateway(self.workspace, self.name_server, **settings)
        done = gateway.command("check", "--online", "--json", check=False)
        text = gateway.command("check", "--online", check=False)
        self.assertEqual(done.returncode, text.returncode)
        findings = json.loads(done.stdout)["findings"]
        for finding in findings:
            self.assertIn(finding["what"], text.stdout)
            if finding["result"] != "ok":
                self.assertTrue(finding["advice"], finding)
        return done.returncode, [f for f in findings if f["what"] == "gateway archive"], findings

    def test_a_gateway_that_works(self):
        _, findings, _ = self._check()
        self.assertEqual([f["result"] for f in findings], ["ok"])
        said = [command.split()[0] for command in self.peer.sessions[0].commands]
        for word in ("AUTH", "MAIL", "RCPT", "RSET"):
            self.assertIn(word, said)
        self.assertNotIn("DATA", said)
        self.assertEqual(self.peer.offered, [])

    def _failed(self, *words, **settings):
        code, findings, _ = self._check(**settings)
        self.assertNotEqual(code, 0)
        self.assertEqual([f["result"] for f in findings], ["failed"])
        for word in words:
            self.assertIn(word, findings[0]["text"] + findings[0]["advice"])

    def test_a_gateway_that_is_down(self):
        self._failed(peer=False)

    def test_a_wrong_password(self):
        self.peer_options["accounts"] = {"acme": "another"}
        self._failed("535")

    def test_a_wrong_certificate(self):
        self.peer_options["tls"] = self.authority.issue("somebody.example").server_context()
        self._failed("certificate")

    def test_a_gateway_that_refuses_the_recipient(self):
        self.peer_options["on"] = {"RCPT": "550 5.7.1 relaying denied"}
        self._failed("relaying denied")

    def test_an_address_of_ours_that_is_listed(self):
        own = self.workspace.host(self.OWN)
        self.blocklist = nsd.blocklist([own])
        _, _, findings = self._check(egress=[{"address": own}], delivery={"blocklists": ["bl.example"]})
        about = [f for f in findings if own in f["what"]]
        self.assertTrue([f for f in about if f["result"] != "ok" and "bl.example" in f["text"]], findings)

    def test_an_address_that_is_not_this_machine_s(self):
        gateway = Gateway(self.workspace, egress=[{"address": "192.0.2.77"}])
        done = gateway.command("check", check=False)
        self.assertEqual(done.returncode, 78)
        self.assertIn("192.0.2.77", done.stdout + done.stderr)


if __name__ == "__main__":
    scenario.main()
