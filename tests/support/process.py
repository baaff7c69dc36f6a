"""Child processes that never outlive the test, and polling for conditions."""
import ctypes
import os
import pathlib
import signal
import subprocess
import time

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Timeout(AssertionError):
    """A condition that should have come true did not."""


def wait_for(condition, what, deadline=60.0):
    """Polls until `condition()` is true and returns its value. The deadline only ends a hopeless wait."""
    end = time.monotonic() + deadline
    pause = 0.005
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Timeout(f"waited {deadline:.0f} s in vain for {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Process:
    """A program in a process group of its own, its output in a file (or its errors where `errors` says). Ended by
    stop() or kill()."""

    def __init__(self, arguments, output: pathlib.Path, environment=None, directory=None, errors=None):
        self.output = output
        self._arguments = [str(a) for a in arguments]
        with open(output, "ab") as stream:
            self._child = subprocess.Popen(
                self._arguments, stdin=subprocess.DEVNULL, stdout=stream, stderr=errors or stream,
                cwd=directory, env={**os.environ, **(environment or {})}, start_new_session=True,
                preexec_fn=_die_with_parent)

    @property
    def pid(self):
        return self._child.pid

    @property
    def exit_code(self):
        """None while it runs; negative: the signal that ended it."""
        return self._child.poll()

    @property
    def running(self):
        return self.exit_code is None

    def text(self):
        return self.output.read_text(errors="replace")

    def require_running(self):
        if not self.running:
            raise AssertionError(f"{self._arguments[0]} ended with {self.exit_code}:\n{self.text()[-4000:]}")

    def wait_for(self, condition, what, deadline=60.0):
        """As wait_for(), but gives up at once when the program has ended."""
        def check():
            value = condition()
            if not value:
                self.require_running()
            return value
        return wait_for(check, what, deadline)

    def send_signal(self, number):
        self._child.send_signal(number)

    def wait(self, deadline=60.0):
        """Waits for the end and returns the exit code."""
        try:
            return self._child.wait(deadline)
        except subprocess.TimeoutExpired:
            raise Timeout(f"{self._arguments[0]} did not end:\n{self.text()[-4000:]}") from None

    def kill(self):
        """SIGKILL to the whole group."""
        try:
            os.killpg(self._child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._child.wait()

    def stop(self, number=signal.SIGTERM, deadline=60.0):
        """Asks it to end, then makes sure that nothing of its group is left. Returns the exit code."""
        if self.running:
            self.send_signal(number)
            try:
                self.wait(deadline)
            finally:
                self.kill()
        else:
            self.kill()
        return self.exit_code
