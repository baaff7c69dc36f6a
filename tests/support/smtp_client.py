"""An SMTP client that says exactly what it is told, byte for byte."""
import re
import socket

from workspace import SMTP_PORT


class Reply:
    def __init__(self, lines):
        self.lines = lines
        self.code = int(lines[-1][:3])
        self.text = "\n".join(line[4:] for line in lines)

    @property
    def enhanced(self):
        """"5.1.8" of "550 5.1.8 …", "" when there is none."""
        match = re.match(r"([245]\.\d{1,3}\.\d{1,3})(?: |$)", self.lines[-1][4:])
        return match.group(1) if match else ""

    def __str__(self):
        return " / ".join(self.lines)

    __repr__ = __str__


class Closed(Exception):
    """The server closed the connection."""


def stuff_dots(content: bytes) -> bytes:
    """Content whose lines end in CRLF, as sent after DATA, with the final dot."""
    content = re.sub(rb"(^|\r\n)\.", rb"\1..", content)
    return content + (b".\r\n" if not content or content.endswith(b"\r\n") else b"\r\n.\r\n")


class Client:
    def __init__(self, host, port=SMTP_PORT, source=None, timeout=120.0):
        self._socket = socket.create_connection((host, port), timeout, (source, 0) if source else None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._socket.close()

    def send(self, octets: bytes):
        self._socket.sendall(octets)

    def line(self):
        while b"\n" not in self._buffer:
            try:
                octets = self._socket.recv(65536)
            except (ConnectionResetError, BrokenPipeError):
                octets = b""
            if not octets:
                raise Closed(self._buffer)
            self._buffer += octets
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode("latin-1")

    def reply(self):
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return Reply(lines)

    def say(self, command):
        """One command line, its reply."""
        self.send((command.encode("latin-1") if isinstance(command, str) else command) + b"\r\n")
        return self.reply()

    def closed(self):
        """True once the server has closed; whatever it still says is read away."""
        try:
            while True:
                self.line()
        except Closed:
            return True
        except TimeoutError:
            return False

    def greet(self, name="primary.company.example"):
        """Banner and EHLO; returns the reply to EHLO."""
        banner = self.reply()
        if banner.code != 220:
            return banner
        return self.say(f"EHLO {name}")

    def start_tls(self, context, server_name=None):
        reply = self.say("STARTTLS")
        if reply.code == 220:
            self._socket = context.wrap_socket(self._socket, server_hostname=server_name)
        return reply

    def tls_version(self):
        return self._socket.version()

    def data(self, content: bytes):
        """DATA and the content; the reply to whichever ended it."""
        reply = self.say("DATA")
        if reply.code != 354:
            return reply
        self.send(stuff_dots(content))
        return self.reply()

    def message(self, sender, recipients, content: bytes, parameters=""):
        """A whole transaction. Returns the reply that decided it; refused recipients only in `refused`."""
        self.refused = {}
        reply = self.say(f"MAIL FROM:<{sender}>{parameters}")
        if reply.code != 250:
            return reply
        for recipient in recipients:
            reply = self.say(f"RCPT TO:<{recipient}>")
            if reply.code not in (250, 251):
                self.refused[recipient] = reply
        if len(self.refused) == len(recipients):
            return reply
        return self.data(content)


def send(host, sender, recipients, content, source=None, **connection):
    """Connects, sends one message, quits. Returns the deciding reply."""
    with Client(host, source=source, **connection) as client:
        greeting = client.greet()
        if greeting.code != 250:
            return greeting
        reply = client.message(sender, [recipients] if isinstance(recipients, str) else recipients, content)
        client.say("QUIT")
        return reply
