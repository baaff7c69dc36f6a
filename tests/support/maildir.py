"""A folder of delivered messages, whoever wrote them."""
import email
import os
import re


class Mail:
    def __init__(self, octets):
        self.octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        self.parsed = email.message_from_bytes(octets)

    def behind(self, host):
        """What follows the Received field that `host` wrote: the content as it was handed to that host."""
        match = re.search(rb"(?:^|\r\n)Received: [^\r\n]*(?:\r\n[ \t][^\r\n]*)*?by " + re.escape(host.encode())
                          + rb"[^\r\n]*(?:\r\n[ \t][^\r\n]*)*\r\n", self.octets)
        if not match:
            raise AssertionError(f"no Received field by {host}: {self.octets[:500]!r}")
        return self.octets[match.end():]


class Maildir:
    def __init__(self, folder):
        self._new = folder / "new"

    def count(self):
        return len(os.listdir(self._new)) if self._new.exists() else 0

    def mails(self):
        """Every message so far."""
        return [Mail(path.read_bytes()) for path in sorted(self._new.glob("*"))] if self._new.exists() else []
