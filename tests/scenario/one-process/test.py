"""One process per state_dir."""
import subprocess

import scenario
from gateway import BINARY


class OneProcess(scenario.Scenario):
    def test_a_second_one_refuses_to_start(self):
        gateway = self.gateway()
        other = gateway.configuration_file.with_name("second.toml")
        text = gateway.configuration_file.read_text()
        other.write_text(text.replace(self.workspace.host(1), self.workspace.host(3)))
        done = subprocess.run([BINARY, "run", "--config", other], capture_output=True, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(gateway.state_dir), done.stdout + done.stderr)
        self.assertEqual(gateway.http("/healthz")[0], 200)

    def test_after_a_kill_the_next_one_starts(self):
        gateway = self.gateway()
        gateway.kill()
        gateway.start()
        self.assertEqual(gateway.http("/readyz")[0], 200)


if __name__ == "__main__":
    scenario.main()
