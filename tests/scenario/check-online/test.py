"""postern check --online: what can be found out by trying, and what to do about it. No mail is sent."""
import json
import os
import pty
import socket
import subprocess
import time

import nsd
import scenario
from certificates import Authority
from gateway import ACCOUNT, BINARY, Gateway


class CheckOnline(scenario.Scenario):
    GATEWAY, OWN = 31, 41

    def setUp(self):
        super().setUp()
        self.authority = Authority(self.workspace)
        self.address = self.workspace.host(self.GATEWAY)
        self.password_file = self.workspace.file("secrets/archive", "secret\n", 0o600, owner=ACCOUNT)
        self.peer_options = {"tls": self.authority.issue(self.address).server_context(), "accounts": {"acme": "secret"}}
        self.blocklist = nsd.blocklist()
        self.outside, self.own = {}, []

    def zones(self):
        zones = super().zones() | {"bl.example": self.blocklist} | self.outside
        return zones | {"company.example": zones["company.example"] + self.own}

    def _check(self, peer=True, **settings):
        """(exit code, findings about the gateway, all findings)."""
        self.peer = self.receiver(self.GATEWAY, **self.peer_options) if peer else None
        self.name_server = self.workspace.add(nsd.NameServer(self.workspace, self.zones()))
        settings = {"tls": {"ca_file": self.authority.certificate},
                    "gateway": [{"name": "archive", "address": f"{self.address}:2525", "tls": "verify", "username": "acme",
                                 "password_file": self.password_file}], **settings}
        gateway = self.checked = Gateway(self.workspace, self.name_server, **settings)
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

    def _about(self, what, peer=False, **settings):
        """The findings about one thing, and the exit code."""
        code, _, findings = self._check(peer=peer, gateway=[], **settings)
        return [f for f in findings if f["what"] == what], code

    def _primary(self, **more):
        return {"primary": [{"name": "main", "addresses": ["127.0.0.1"], **more}]}

    def _failing_deliver_to(self, host_port):
        [finding], code = self._about("deliver_to of main", **self._primary(deliver_to=host_port))
        self.assertEqual((finding["result"], code), ("failed", 69), finding)
        return finding["text"] + " " + finding["advice"]

    def test_where_bounces_go_back_to(self):
        with self.each(case="it is there"):
            self.receiver(scenario.PRIMARY, name="primary.company.example")
            [finding], code = self._about("deliver_to of main", **self._primary(deliver_to="primary.company.example:2525"))
            self.assertEqual((finding["result"], code), ("ok", 0), finding)
        with self.each(case="no such name"):
            said = self._failing_deliver_to("nobody.company.example:2525")
            self.assertIn("does not exist", said)
            self.assertIn("correct the host", said)
        with self.each(case="nothing listens there"):
            self.assertIn("nothing listens there", self._failing_deliver_to(f"{self.primary_address}:2525"))
        with self.each(case="our own listener"):
            said = self._failing_deliver_to(f"{self.workspace.host(1)}:2525")
            self.assertIn("leads back to this gateway", said)
            self.assertIn("write the address of the other server", said)
        with self.each(case="ourselves, by another way"):
            self.receiver(scenario.PRIMARY, name="GW1.company.example")
            self.assertIn("as this gateway does", self._failing_deliver_to(f"{self.primary_address}:2525"))
        with self.each(case="refused"):
            self.receiver(scenario.PRIMARY, on={"banner": "554 5.7.1 not you"})
            said = self._failing_deliver_to(f"{self.primary_address}:2525")
            self.assertIn("554 5.7.1 not you", said)
            self.assertIn("refuses this machine", said)

    def test_port_25_closed_and_no_gateway(self):
        self.outside = {"gmail.com": ["@ MX 10 mx", f"mx A {self.workspace.host(self.OWN)}"]}
        [finding], code = self._about("port 2525")
        self.assertEqual((finding["result"], code), ("failed", 69), finding)
        self.assertIn("connection refused", finding["text"])
        self.assertIn("through a [[gateway]]", finding["advice"])
        self.receiver(self.OWN)
        done = self.checked.command("check", "--online", "--json", check=False)
        self.assertEqual([f["result"] for f in json.loads(done.stdout)["findings"] if f["what"] == "port 2525"], ["ok"])

    def test_a_gateway_for_all_mail_needs_no_port_25(self):
        self.outside = {"gmail.com": ["@ MX 10 mx", f"mx A {self.workspace.host(self.OWN)}"]}
        gateway = {"name": "archive", "address": f"{self.address}:2525", "type": "round-robin"}
        self.peer_options = {}
        code, _, findings = self._check(gateway=[gateway], primary=[{"name": "main", "addresses": ["127.0.0.1"]}])
        self.assertEqual(code, 0, findings)
        self.assertNotIn("port 2525", [f["what"] for f in findings])

    def test_our_own_name(self):
        with self.each(case="no address"):
            [finding], _ = self._about("hostname")
            self.assertEqual(finding["result"], "warning")
        with self.each(case="this machine's"):
            self.own = [f"gw1 A {self.workspace.host(1)}"]
            [finding], _ = self._about("hostname")
            self.assertEqual(finding["result"], "ok", finding)
            self.assertIn("of this machine", finding["text"])
        with self.each(case="another machine's"):
            self.own = ["gw1 A 192.0.2.111"]
            [finding], _ = self._about("hostname")
            self.assertIn("not an address of this machine", finding["text"])

    def test_a_name_without_a_domain(self):
        [finding], _ = self._about("hostname", hostname="gw1")
        self.assertEqual(finding["result"], "warning")
        self.assertIn("a name without a domain", finding["text"])
        self.assertIn("hostname", self.checked.command("check").stderr)

    def test_own_certificate(self):
        def tls(name):
            issued = self.authority.issue(name)
            return {"certificate": issued.certificate, "private_key": issued.key}
        [finding], _ = self._about("certificate", tls=tls("gw1.company.example"))
        self.assertIn("expires on", finding["text"])  # in two days
        self.assertNotIn("is not for", finding["text"])
        self.name_server.close()
        [finding], _ = self._about("certificate", tls=tls("mail.company.example"))
        self.assertEqual(finding["result"], "warning", finding)
        said = "is not for gw1.company.example but for mail.company.example"
        self.assertIn(said, finding["text"])
        self.assertIn(said, self.checked.command("check").stderr)

    def test_listeners(self):
        [finding], _ = self._about(f"listener {self.workspace.host(1)}:2525")
        self.assertEqual((finding["result"], finding["text"]), ("ok", "can be listened at"))
        self.workspace.add(self.checked).start()
        done = self.checked.command("check", "--online", "--json", check=False)
        [finding] = [f for f in json.loads(done.stdout)["findings"] if f["what"].startswith("listener")]
        self.assertEqual((finding["result"], finding["text"]), ("ok", "the running gateway answers there"))

    def test_what_is_dead_holds_nothing_up(self):
        """Whatever is silent: all of it is over within the time that is promised, and each thing is named."""
        silent = socket.socket()
        silent.bind((self.primary_address, 2525))
        silent.listen(0)
        self.addCleanup(silent.close)
        self.name_server = self.workspace.add(nsd.NameServer(self.workspace, self.zones()))
        self.name_server.fall_silent()
        gateway = Gateway(self.workspace, self.name_server, dns={"timeout": "20s"},
                          gateway=[{"name": "archive", "address": "gone.dest.example:2525"},
                                   {"name": "other", "address": f"{self.primary_address}:2525"}])
        started = time.monotonic()
        done = gateway.command("check", "--online", "--json", check=False)
        self.assertLess(time.monotonic() - started, 40)
        self.assertEqual(done.returncode, 69, done.stdout + done.stderr)
        results = {f["what"]: f["result"] for f in json.loads(done.stdout)["findings"]}
        for what in ("dns", "gateway archive", "gateway other", "deliver_to of main"):
            self.assertEqual(results[what], "failed", results)

    def test_who_waits_sees_for_what(self):
        """On a terminal what is tried stands at once, and everywhere each line as soon as it is known."""
        self.name_server = self.workspace.add(nsd.NameServer(self.workspace, self.zones()))
        self.name_server.fall_silent()
        gateway = Gateway(self.workspace, self.name_server)
        terminal, other_end = pty.openpty()
        self.addCleanup(os.close, terminal)
        process = subprocess.Popen([BINARY, "check", "--online", "--config", gateway.configuration_file],
                                   stdout=subprocess.PIPE, stderr=other_end, text=True)
        os.close(other_end)
        self.assertIn("certificate, trust anchors, dns, hostname", os.read(terminal, 4096).decode())
        for line in process.stdout:
            if line.startswith("certificate"):
                break
        self.assertIsNone(process.poll())  # the name servers are still being waited for
        self.assertIn("\ndns ", "\n" + process.communicate(timeout=60)[0])

    def test_an_address_that_is_not_this_machine_s(self):
        gateway = Gateway(self.workspace, egress=[{"address": "192.0.2.77"}])
        done = gateway.command("check", check=False)
        self.assertEqual(done.returncode, 78)
        self.assertIn("192.0.2.77", done.stdout + done.stderr)


if __name__ == "__main__":
    scenario.main()
