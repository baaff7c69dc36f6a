"""What somebody types who does not know the commands by heart."""
import subprocess
import unittest

from gateway import BINARY


def postern(*words):
    return subprocess.run([BINARY, *words], capture_output=True, text=True)


class CommandLine(unittest.TestCase):
    def test_a_wrong_command_is_named_with_the_one_that_was_meant(self):
        for words, said in ((["statsu"], 'there is no command "postern statsu"; is "postern status" meant?'),
                            (["queue", "lst"], 'there is no command "postern queue lst"; is "postern queue list" meant?'),
                            (["--json", "--config", "/x", "gatway"], 'is "postern gateway" meant?'),
                            (["directory", "nowhere"], "There are: show forget"),
                            (["help", "statsu"], 'is "postern status" meant?'),
                            (["help", "queue", "lst"], 'is "postern queue list" meant?')):
            with self.subTest(words):
                done = postern(*words)
                self.assertEqual(done.returncode, 64)
                self.assertIn(said, done.stderr)
                self.assertEqual(done.stdout, "")

    def test_help_and_version_are_commands_too(self):
        self.assertIn("Subcommands:", postern("help").stdout)
        self.assertEqual(postern("help").returncode, 0)
        self.assertIn("Exit codes:", postern("help").stdout)
        self.assertIn("retry", postern("help", "queue").stdout)
        self.assertIn("Usage: postern queue [OPTIONS] SUBCOMMAND", postern("help", "queue").stdout)
        self.assertEqual(postern("version").stdout, postern("--version").stdout)
        listing = postern("queue", "list", "--help").stdout
        self.assertEqual(postern("help", "queue", "list").stdout, listing)
        self.assertIn("--config FILE", listing)
        self.assertIn("--limit 1-10000=100", listing)
        self.assertIn("66  no message matches", listing)
        for unreadable in ("TEXT", "INT", "reverse-path"):
            self.assertNotIn(unreadable, listing)

    def test_nothing_at_all_shows_what_there_is(self):
        done = postern()
        self.assertEqual(done.returncode, 64)
        self.assertIn("Subcommands:", done.stderr)

    def test_what_stands_behind_an_option_is_no_command(self):
        done = postern("status", "--config", "/nowhere/postern.toml")
        self.assertEqual(done.returncode, 78)
        self.assertIn("/nowhere/postern.toml", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
