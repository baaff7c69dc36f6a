"""What the mail servers of the tests have in common: an address, a process that greets, a log, and what came."""
import socket

from process import Process
from workspace import SMTP_PORT


class MailServer:
    """`product` is its name in messages. Whoever inherits calls run(), and says what a log and a mailbox are."""
    product = ""

    def __init__(self, workspace, host):
        self.address = workspace.host(host)
        self._process = None

    def run(self, command, output):
        """Starts the command, whose output goes to that file, and waits for its greeting; closes what does not greet."""
        self._process = Process(command, output)
        try:
            self._process.wait_for(self._greets, f"{self.product}'s greeting")
        except BaseException:
            self.close()
            raise

    def _greets(self):
        try:
            with socket.create_connection((self.address, SMTP_PORT), 5) as s:
                return s.recv(4) == b"220 "
        except OSError:
            return False

    def log(self):
        return self._process.text()

    def count(self):
        """How many messages came so far."""
        raise NotImplementedError

    def mails(self):
        """All of them."""
        raise NotImplementedError

    def wait_for_mail(self, count, deadline=60.0):
        """Waits until at least `count` messages are there and returns all of them."""
        self._process.wait_for(lambda: self.count() >= count, f"{count} messages at {self.product}", deadline)
        return self.mails()

    def close(self):
        if self._process:
            self._process.stop()
