"""A wrong file never starts a gateway; every fault is reported at once with its place."""
import subprocess

import scenario
from gateway import BINARY, Gateway


class ConfigurationFaults(scenario.Scenario):
    def _run(self, text, command="check"):
        file = self.workspace.file("postern.toml", text)
        return subprocess.run([BINARY, command, "--config", file], capture_output=True, text=True, timeout=60)

    def test_all_faults_at_once_with_line_and_column(self):
        text = ('hostname = "gw1.example.net"\n'
                f'state_dir = "{self.workspace.path}/state"\n'
                '[[listener]]\n'
                'address = "127.0.0.1:2525"\n'
                'tls     = "sometimes"\n'
                '[[primary]]\n'
                'name = "main"\n'
                'addresses = ["192.0.2.300"]\n'
                '[accept]\n'
                'sender = "any"\n'
                'recipient_limit = 5\n'
                '[queue]\n'
                'retry_frist = "1m"\n'
                'expire = "soon"\n'
                '[[route]]\n'
                'sender = "*"\n'
                'gateway = "nowhere"\n')
        for command in ("check", "run"):
            done = self._run(text, command)
            output = done.stdout + done.stderr
            self.assertEqual(done.returncode, 78, output)
            self.assertRegex(output, r'postern\.toml:5:\d+: listener\[0\]\.tls: "sometimes" is not one of '
                                     r'off, opportunistic, required, implicit')
            for place in (r":8:\d+: primary\[0\]\.addresses", r":11:\d+: .*recipient_limit", r":13:\d+: .*retry_frist",
                          r":14:\d+: queue\.expire", r":17:\d+: route\[0\]\.gateway"):
                self.assertRegex(output, place)
            self.assertIn("retry_first", output)

    def test_broken_syntax(self):
        done = self._run('hostname = "gw1\n')
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stdout + done.stderr, r"postern\.toml:1:\d+")

    def test_no_file(self):
        done = subprocess.run([BINARY, "run", "--config", self.workspace.path / "missing.toml"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 78)
        self.assertIn("missing.toml", done.stdout + done.stderr)

    def test_a_port_in_use_is_said_so(self):
        first = self.gateway()
        second = Gateway(self.workspace, name="postern-second", status={"address": f"{self.workspace.host(3)}:8025"})
        done = subprocess.run([BINARY, "run", "--config", second.configuration_file], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 71)  # worth trying again, unlike a fault of the file
        self.assertEqual(second.command("check", check=False).returncode, 78)
        self.assertEqual(first.command("check").returncode, 0)  # holds the port itself
        self.assertIn(f"{first.address}:2525", (done.stdout + done.stderr).replace("[", "").replace("]", ""))

    def test_the_shipped_file_and_the_defaults_are_good(self):
        defaults = subprocess.run([BINARY, "config", "--defaults"], capture_output=True, text=True, timeout=60)
        self.assertEqual(defaults.returncode, 0)
        for key in ("hostname", "[[listener]]", "retry_first", "minimum_free", "[status]"):
            self.assertIn(key, defaults.stdout)

    def test_a_good_file_is_said_to_be_good(self):
        gateway = Gateway(self.workspace)
        self.assertEqual(gateway.command("check").returncode, 0)


if __name__ == "__main__":
    scenario.main()
