"""A resolver as in small routers: it asks another one, without DNSSEC as long as that is wanted."""
import socket
import struct
import threading

from workspace import DNS_PORT


def _end_of_name(message, at):
    while message[at]:
        if message[at] >= 0xC0:
            return at + 2
        at += 1 + message[at]
    return at + 1


class StrippingResolver:
    """`behind` is (address, port). While `strips`, questions go on without EDNS, so that nothing is signed in what
    comes back."""

    def __init__(self, address, behind, strips=True):
        self.server, self.strips, self._behind = f"{address}@{DNS_PORT}", strips, behind
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, DNS_PORT))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            question, peer = self._socket.recvfrom(4096)
            if not question:
                self._socket.close()
                return
            try:
                self._socket.sendto(self._ask(question), peer)
            except OSError:
                pass  # whoever asked asks again

    def _ask(self, question):
        if self.strips:
            end = _end_of_name(question, 12) + 4
            question = question[:6] + struct.pack("!3H", 0, 0, 0) + question[12:end]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.sendto(question, self._behind)
            answer = bytearray(s.recv(4096))
        answer[2] &= 0xFB  # not authoritative
        answer[3] |= 0x80  # recursion available
        return bytes(answer)

    def close(self):
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
