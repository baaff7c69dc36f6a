"""A name server that answers as a function says, or not at all."""
import socket
import struct
import threading
import time

from workspace import DNS_PORT

A, MX, TXT, AAAA = 1, 15, 16, 28
TYPES = {A: "A", MX: "MX", AAAA: "AAAA", TXT: "TXT", 52: "TLSA", 12: "PTR"}


def _wire(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


class ScriptedNames:
    """`answer(name, type)` gives None for silence, a number for an error code, or a list of records: addresses for A
    and AAAA, (preference, host) for MX, texts for TXT. `asked` has what was asked, in order."""

    def __init__(self, address, answer, delay=0.0, ttl=1):
        self.server = f"{address}@{DNS_PORT}"
        self.asked, self.answer, self._delay, self._ttl = [], answer, delay, ttl
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind((address, DNS_PORT))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            try:
                question, peer = self._socket.recvfrom(4096)
            except OSError:
                return
            if not question:
                self._socket.close()
                return
            labels, at = [], 12
            while question[at]:
                labels.append(question[at + 1:at + 1 + question[at]].decode())
                at += 1 + question[at]
            name, kind = ".".join(labels).lower(), struct.unpack("!H", question[at + 1:at + 3])[0]
            self.asked.append((name, TYPES.get(kind, kind)))
            answer = self.answer(name, TYPES.get(kind, kind))
            if answer is None:
                continue
            reply = self._reply(question[:2], question[12:at + 5], kind, answer)
            if self._delay:
                threading.Timer(self._delay, self._send, (reply, peer)).start()
            else:
                self._send(reply, peer)

    def _send(self, reply, peer):
        try:
            self._socket.sendto(reply, peer)
        except OSError:
            pass  # it is over

    def _reply(self, identity, question, kind, answer):
        code, records = (answer, []) if isinstance(answer, int) else (0, answer)
        out = []
        for record in records:
            if kind == MX:
                data = struct.pack("!H", record[0]) + _wire(record[1])
            elif kind == TXT:
                data = bytes([len(record)]) + record.encode()
            elif kind == AAAA:
                data = socket.inet_pton(socket.AF_INET6, record)
            else:
                data = socket.inet_aton(record)
            out.append(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, self._ttl, len(data)) + data)
        start = b"\0\0" + struct.pack("!5I", 1, 3600, 600, 86400, 1)
        denial = b"" if out or code == 2 else b"\0" + struct.pack("!HHIH", 6, 1, 1, len(start)) + start
        return (identity + struct.pack("!BB4H", 0x85, 0x80 | code, 1, len(out), bool(denial), 0) + question +
                b"".join(out) + denial)

    def close(self):
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
