"""What is ours and cannot be read is told with its name and its owner, and nothing is taken for empty instead."""
import os
import shutil

import gateway
import scenario
from primary import Primary
from process import Process


class UnreadableState(scenario.Scenario):
    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("needs root, to make files that the account may not read")
        web = self.workspace.add(Primary(self.workspace))
        primary = {"name": "main", "addresses": ["127.0.0.1"]} | web.settings()
        self.receiver(host=20)
        self.postern = self.gateway(primary=[primary], accept={"foreign_sender": "rewrite"},
                                    gateway=[{"name": "archive", "address": f"{self.workspace.host(30)}:2525"}])
        self.postern.wait_for_event("synced")
        self.postern.command("gateway", "disable", "archive")
        self.send(self.postern)
        self.postern.wait_until_empty()
        self.postern.stop()
        self.state = self.postern.state_dir

    def _refusal(self):
        """Why it does not start."""
        log = self.workspace.file("refused", "")
        process = Process([gateway.BINARY, "run", "--config", self.postern.configuration_file], log)
        self.assertNotEqual(process.wait(), 0, log.read_text())
        return log.read_text()

    def _content(self, *more):
        """Of what lies in the folder itself, and of some files below; which process had it last does not count."""
        files = [path for path in self.state.iterdir() if path.is_file() and path.name != "lock"]
        return {str(path.relative_to(self.state)): path.read_bytes() for path in [*files, *more]}

    def test_files_of_another_account_refuse_the_start(self):
        segments = sorted(self.state.glob("spool/*.segment"))
        self.assertTrue(segments)
        files = ["directory.cache", "client-id", "srs.secret", "overrides.json", "egress.state", segments[-1]]
        for file in files:
            path = self.state / file
            self.assertTrue(path.exists(), sorted(self._content()))
            shutil.chown(path, "root")
            path.chmod(0o600)
            with self.subTest(file=path.name):
                before = self._content(path)
                why = self._refusal()
                self.assertIn(f"{path}: Permission denied ({path} belongs to root, and this runs as nobody", why)
                self.assertIn(f"chown -R nobody {path.parent}", why)
                self.assertEqual(self._content(path), before, "nothing is changed, nothing is set aside")
            shutil.chown(path, "nobody")
        self.postern.start()

    def test_a_folder_of_another_account_refuses_the_start(self):
        for folder in ["spool", "."]:
            path = self.state / folder
            shutil.chown(path, "root")
            path.chmod(0o700)
            with self.subTest(folder=folder):
                why = self._refusal()
                self.assertIn("Permission denied", why)
                self.assertIn(str(path), why)
                self.assertIn("nobody", why)
            shutil.chown(path, "nobody")
        self.postern.start()


if __name__ == "__main__":
    scenario.main()
