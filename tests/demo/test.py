"""The demonstration shows the main job, and takes everything away with it however it ends."""
import os
import pathlib
import pty
import signal
import subprocess
import sys
import unittest

DEMO = pathlib.Path(__file__).with_name("demo.py")


def processes_that_name(text):
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in words:
            found.append(words)
    return found


class Demonstration(unittest.TestCase):
    def test_it_shows_the_main_job(self):
        done = subprocess.run([sys.executable, "-B", DEMO, "--once"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("100 arrived", done.stdout)

    def test_a_closed_terminal_ends_all_of_it(self):
        terminal, own = pty.openpty()
        demo = subprocess.Popen([sys.executable, "-B", DEMO], stdout=own, stderr=own, stdin=own, start_new_session=True)
        os.close(own)
        shown = b""
        while b"Everything stays up" not in shown:
            shown += os.read(terminal, 65536)
        folder = next(word for word in shown.decode().split() if word.endswith("postern.toml")).rsplit("/postern/", 1)[0]
        self.assertNotEqual(processes_that_name(folder), [])
        os.close(terminal)
        demo.send_signal(signal.SIGHUP)
        self.assertEqual(demo.wait(), 0)
        self.assertEqual(processes_that_name(folder), [])
        self.assertFalse(pathlib.Path(folder).exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
