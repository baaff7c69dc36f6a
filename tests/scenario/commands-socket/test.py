"""Commands have a socket of their own: no token is shown to anybody, and what happens to the status port stops no mail."""
import json
import os
import socket
import subprocess
import unittest

import samples
import scenario
import smtp_client
from gateway import BINARY, Gateway
from nsd import NameServer
from workspace import STATUS_PORT


class CommandsSocket(scenario.Scenario):
    def _accepts_mail(self, gateway):
        reply = smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example", samples.simple())
        self.assertEqual(reply.code, 250)

    def test_a_squatter_at_the_status_port_stops_no_mail_and_gets_no_token(self):
        receiver = self.receiver()
        gateway = Gateway(self.workspace, self.workspace.add(NameServer(self.workspace, self.zones())))
        with socket.create_server((gateway.address, STATUS_PORT)) as squatter:
            self.workspace.add(gateway).start(ready=False)
            self._accepts_mail(gateway)
            self.wait_for_messages(receiver, 1)
            trouble = gateway.wait_for_event("trouble", where="status.address")
            self.assertIn("cannot be bound", trouble["text"])
            gateway.command("queue", "retry")
            self.assertIn("DEGRADED: status.address", gateway.command("status").stdout)
            squatter.settimeout(0)
            with self.assertRaises(BlockingIOError):
                squatter.accept()
        gateway.process.wait_for(lambda: gateway.http("/readyz")[0] == 200, "the endpoint once the port is free")

    def test_a_broken_token_stops_no_mail(self):
        gateway = Gateway(self.workspace, self.workspace.add(NameServer(self.workspace, self.zones())))
        (gateway.state_dir / "token").write_text("\0" * 32)
        self.workspace.add(gateway).start()
        self._accepts_mail(gateway)
        self.assertIn("token", gateway.wait_for_event("trouble", where="status.token_file")["text"])
        status, body = gateway.http("/v1/sync", "POST", headers={"Authorization": "Bearer " + "0" * 64})
        self.assertEqual(status, 401)
        self.assertIn("does not hold a token", body)
        self.assertIn("DEGRADED: status.token_file", gateway.command("status").stdout)
        gateway.command("sync")

    def test_the_log_says_who_changed_what(self):
        gateway = self.gateway(gateway=[{"name": "archive", "address": f"{self.workspace.host(77)}:2525"}])
        gateway.command("gateway", "disable", "archive")
        self.assertTrue(gateway.wait_for_event("changed", what="gateway archive disabled")["by"])
        self.assertEqual(gateway.http("/v1/gateways/archive/enable", "POST", token=True)[0], 200)
        self.assertEqual(gateway.wait_for_event("changed", what="gateway archive enabled")["by"], "token")

    @unittest.skipIf(os.geteuid() != 0, "needs a second account")
    def test_another_account_reads_and_changes_nothing(self):
        gateway = self.gateway(status={"socket": str(self.workspace.folder("run", owner="nobody") / "control.sock")})
        (self.workspace.path / "run").chmod(0o755)
        gateway.configuration_file.chmod(0o644)
        # Where they cannot even stand in line they keep nobody out.
        knock = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
        done = subprocess.run(["/usr/bin/python3", "-c", knock, self.workspace.path / "run" / "control.sock"],
                              capture_output=True, text=True, user="daemon", group="daemon", extra_groups=[])
        self.assertIn("PermissionError", done.stderr)

        def ask(*words):
            return subprocess.run([BINARY, *words, "--config", gateway.configuration_file], capture_output=True,
                                  text=True, timeout=60, user="daemon", group="daemon", extra_groups=[])
        self.assertEqual(ask("status").returncode, 0)
        for words in (("queue", "retry"), ("reload",), ("explain", "--to", "bob@dest.example")):
            done = ask(*words)
            self.assertEqual(done.returncode, 77, words)
            self.assertIn("root", done.stderr)
        gateway.configure(status={"reads": "token"})
        gateway.command("reload")
        self.assertEqual(ask("status").returncode, 77)
        self.assertEqual(gateway.http("/v1/queue")[0], 401)
        self.assertEqual(gateway.http("/healthz")[0], 200)
        self.assertEqual(gateway.command("status").returncode, 0)

    def test_nothing_is_asked_of_a_stranger_at_the_socket(self):
        if os.geteuid() != 0:
            self.skipTest("needs a second account")
        folder = self.workspace.folder("trap")
        folder.chmod(0o777)
        gateway = Gateway(self.workspace, status={"socket": str(folder / "control.sock")})
        trap = subprocess.Popen(["/usr/bin/python3", "-c", "import socket, sys; s = socket.socket(socket.AF_UNIX); "
                                 f"s.bind('{folder}/control.sock'); s.listen(); print(flush=True); "
                                 "c = s.accept()[0]; print(c.recv(100), flush=True)"],
                                stdout=subprocess.PIPE, text=True, user="daemon", group="daemon", extra_groups=[])
        try:
            trap.stdout.readline()
            done = gateway.command("queue", "retry", check=False)
            self.assertEqual(done.returncode, 69)
            self.assertIn("somebody else listens", done.stderr)
            self.assertEqual(trap.stdout.readline().strip(), "b''")
        finally:
            trap.kill()
            trap.wait()
            trap.stdout.close()


if __name__ == "__main__":
    scenario.main()
