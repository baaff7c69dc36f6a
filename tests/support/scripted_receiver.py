"""A receiving mail server that does what the test tells it, line by line.

`on` maps a stage to an answer, or to a function of (session, argument) that gives one. Stages: "banner", "EHLO",
"HELO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "." (after the final dot), "RSET", "QUIT". An answer is the text of a
reply, several joined by "\\n" for a multi-line one, or one of the actions below; None stands for the usual answer.
"""
import collections
import re
import socket
import threading
import time

import authentication
from workspace import SMTP_PORT


class Close:
    """Closes the connection without a reply."""


class Stall:
    """Never answers, and keeps the connection until the peer or the test ends it."""


class Raw:
    """Sends these octets as they are and goes on."""

    def __init__(self, octets):
        self.octets = octets


class Drip:
    """Sends a reply octet by octet with a pause between."""

    def __init__(self, text, pause):
        self.text, self.pause = text, pause


Message = collections.namedtuple("Message", "sender sender_parameters recipients recipient_parameters data raw time opened connection tls helo "
                                 "client user")
Message.__doc__ = """data: dots removed; raw: as on the wire up to and with the final dot; time: monotonic, just before the 250 was sent; opened: when the connection was; client: the peer's address; user: who signed in, "" for nobody"""


def refuse(addresses, reply):
    """For `on`: this reply to connections from these addresses of ours, `{client}` in it being the address."""
    return lambda session, _: reply.replace("{client}", session.client) if session.client in addresses else None


_PATH = re.compile(r'[^<]*<((?:"(?:\\.|[^"\\])*"|[^>])*)>(.*)')


class _Ended(Exception):
    pass


class Session:
    """One connection; what a function of `on` is given."""

    def __init__(self, receiver, stream, number, client):
        self.receiver, self.number, self.client = receiver, number, client
        self.opened = time.monotonic()
        self.helo, self.tls, self.user, self.transactions = "", False, "", 0
        self.commands = []
        self._stream, self._buffer = stream, b""
        self._reset()

    def _reset(self):
        self.sender, self.sender_parameters, self.recipients, self.recipient_parameters = None, "", [], []

    def abort(self):
        try:
            self._stream.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # closed already

    def close(self):
        self._stream.close()

    def _more(self, most=262144):
        octets = self._stream.recv(most)
        if not octets:
            raise _Ended
        return octets

    def _line(self):
        while b"\r\n" not in self._buffer:
            self._buffer += self._more()
        line, self._buffer = self._buffer.split(b"\r\n", 1)
        return line.decode("latin-1")

    def _body(self):
        """The octets up to and with CRLF.CRLF, and nothing else, as RFC 5321 §4.1.1.4 wants."""
        body, searched = bytearray(b"\r\n" + self._buffer), 0  # the CRLF of DATA counts
        most, pause = self.receiver.reads
        while True:
            end = body.find(b"\r\n.\r\n", searched)
            if end >= 0:
                self._buffer = bytes(body[end + 5:])
                return bytes(body[2:end + 5])
            searched = max(0, len(body) - 4)
            body += self._more(most)
            self.receiver.reading(self)
            time.sleep(pause)

    def _choose(self, stage, argument, usual):
        chosen = self.receiver.on.get(stage)
        if callable(chosen) and not isinstance(chosen, type):
            chosen = chosen(self, argument)
        return usual if chosen is None else chosen

    def _send(self, answer):
        """Gives the code of the (first) reply that was sent, 0 for octets that are none."""
        if answer is Close:
            raise _Ended
        if answer is Stall:
            self.receiver.stalled += 1
            while self._more():
                pass
        if isinstance(answer, Raw):
            self._stream.sendall(answer.octets)
            return int(answer.octets[:3]) if re.match(rb"\d{3}[ -]", answer.octets) else 0
        text = answer.text if isinstance(answer, Drip) else answer
        lines = text.split("\n")
        octets = "".join(line[:3] + ("-" if i + 1 < len(lines) else " ") + line[4:] + "\r\n"
                         for i, line in enumerate(lines)).encode("latin-1")
        if isinstance(answer, Drip):
            for octet in octets:
                self._stream.sendall(bytes([octet]))
                time.sleep(answer.pause)
        else:
            self._stream.sendall(octets)
        return int(text[:3])

    def _answer(self, stage, argument, usual):
        return self._send(self._choose(stage, argument, usual))

    def _extensions(self):
        lines = [f"250-{self.receiver.name}", *self.receiver.extensions]
        if self.receiver.tls and not self.tls:
            lines.append("STARTTLS")
        if self.receiver.accounts:
            lines.append("AUTH " + " ".join(self.receiver.mechanisms))
        return "\n".join(lines[:1] + ["250-" + line for line in lines[1:]])

    def run(self):
        if self.receiver.implicit_tls:
            self._stream, self.tls = self.receiver.tls.wrap_socket(self._stream, server_side=True), True
        if self._answer("banner", "", f"220 {self.receiver.name} ESMTP") != 220:
            pass  # the client is expected to leave; RFC 5321 §3.1 lets it say QUIT
        while True:
            line = self._line()
            self.commands.append(line)
            verb, _, argument = line.partition(" ")
            verb = verb.upper()
            handler = self._handlers.get(verb)
            if handler is None:
                self._answer(verb, argument, "502 5.5.2 not understood")
            elif handler(self, argument) is False:
                return

    def _ehlo(self, argument):
        self.helo = argument
        self._answer("EHLO", argument, self._extensions())
        self._reset()

    def _helo(self, argument):
        self.helo = argument
        self._answer("HELO", argument, f"250 {self.receiver.name}")
        self._reset()

    def _starttls(self, argument):
        if self._answer("STARTTLS", argument, "220 go on" if self.receiver.tls else "502 not here") == 220:
            self._stream = self.receiver.tls.wrap_socket(self._stream, server_side=True)
            self.tls, self._buffer = True, b""

    def _auth(self, argument):
        mechanism, _, initial = argument.partition(" ")

        def ask(challenge):
            self._send(f"334 {challenge}")
            return self._line()
        if mechanism.upper() not in self.receiver.mechanisms:
            self._answer("AUTH", argument, "504 5.5.4 no such mechanism")
            return
        user = authentication.exchange(mechanism.upper(), self.receiver.accounts, initial, ask,
                                       **self.receiver.sasl)
        usual = "235 2.7.0 welcome" if user else "535 5.7.8 wrong user or password"
        if self._answer("AUTH", argument, usual) == 235:
            self.user = user

    def _mail(self, argument):
        path, _, parameters = argument.partition("<")[2].partition(">")
        if self.receiver.accounts and not self.user:
            self._answer("MAIL without AUTH", path, "530 5.7.0 sign in first")
            return
        if self._answer("MAIL", path, "250 2.1.0 ok") == 250:
            self.sender, self.sender_parameters = path, parameters.strip()

    def _rcpt(self, argument):
        path, parameters = _PATH.match(argument).groups() if _PATH.match(argument) else ("", "")
        if self.sender is None:
            self._answer("RCPT without MAIL", path, "503 5.5.1 MAIL first")
        elif self._answer("RCPT", path, "250 2.1.5 ok") in (250, 251):
            self.recipients.append(path)
            self.recipient_parameters.append(parameters.strip())

    def _data(self, argument):
        usual = "354 go on" if self.recipients else "554 5.5.1 no recipients"
        if self._answer("DATA", argument, usual) != 354:
            return
        raw = self._body()
        data = raw[:-3].replace(b"\r\n.", b"\r\n")
        data = data[1:] if data.startswith(b".") else data
        self.transactions += 1
        message = Message(self.sender, self.sender_parameters, tuple(self.recipients),
                          tuple(self.recipient_parameters), data, raw, 0.0, self.opened, self.number, self.tls,
                          self.helo, self.client, self.user)
        self.receiver.seen(message)
        answer = self._choose(".", data, "250 2.0.0 taken")
        if isinstance(answer, str) and answer.startswith("250"):
            # Noted before the peer can know, so that nobody who waits for the peer's reaction misses it.
            message = message._replace(time=time.monotonic())
            self.receiver.taken(message)
            try:
                self._send(answer)
            except OSError:
                self.receiver.not_taken(message)
                raise
            self.receiver.answered(message)
        else:
            self._send(answer)
        self._reset()

    def _rset(self, argument):
        self._answer("RSET", argument, "250 2.0.0 ok")
        self._reset()

    def _noop(self, argument):
        self._answer("NOOP", argument, "250 2.0.0 ok")

    def _quit(self, argument):
        self._answer("QUIT", argument, "221 2.0.0 bye")
        return False

    _handlers = {"EHLO": _ehlo, "HELO": _helo, "STARTTLS": _starttls, "AUTH": _auth, "MAIL": _mail, "RCPT": _rcpt,
                 "DATA": _data, "RSET": _rset, "NOOP": _noop, "QUIT": _quit}


class Receiver:
    """`messages`: those answered 250; `offered`: all whose final dot arrived. Thread-safe to read while running.

    With `accounts` ({user: password}) mail needs AUTH by one of `mechanisms`; `sasl` are options of the
    server's side. `reads`: octets of content that are read at once, at most, and seconds until the next are.
    """

    def __init__(self, address, port=SMTP_PORT, name="mx.dest.example", tls=None, on=None, implicit_tls=False,
                 extensions=("PIPELINING", "SIZE 104857600", "8BITMIME", "ENHANCEDSTATUSCODES"), accounts=None,
                 mechanisms=authentication.MECHANISMS, sasl=None, reads=(262144, 0)):
        self.address, self.port, self.name, self.tls, self.implicit_tls = address, port, name, tls, implicit_tls
        self.accounts, self.mechanisms, self.sasl = accounts or {}, list(mechanisms), sasl or {}
        self.on, self.extensions, self.reads = on or {}, list(extensions), reads
        self.messages, self.offered, self.sessions = [], [], []
        self.answers = []  # (message that was taken, when its 250 had been sent)
        self.stalled, self.begun = 0, set()
        self._lock = threading.Lock()
        self._open = set()
        self._listener = None
        self.start()

    def start(self):
        """Listens (again)."""
        listener = socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.reads[1]:  # the system does not read for us
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        listener.bind((self.address, self.port))
        listener.listen(512)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def stop_listening(self):
        """New connections are refused; open ones stay."""
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def close(self):
        self.stop_listening()
        with self._lock:
            sessions = list(self._open)
        for session in sessions:
            session.abort()

    @property
    def connections(self):
        with self._lock:
            return len(self._open)

    def reading(self, session):
        """Of these, content came in."""
        self.begun.add(session.number)

    def seen(self, message):
        with self._lock:
            self.offered.append(message)

    def taken(self, message):
        with self._lock:
            self.messages.append(message)

    def answered(self, message):
        with self._lock:
            self.answers.append((message, time.monotonic()))

    def not_taken(self, message):
        with self._lock:
            self.messages.remove(message)

    def _accept(self, listener):
        while True:
            try:
                stream, client = listener.accept()
            except OSError:
                return
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                session = Session(self, stream, len(self.sessions), client[0])
                self.sessions.append(session)
                self._open.add(session)
            threading.Thread(target=self._serve, args=(session,), daemon=True).start()

    def _serve(self, session):
        try:
            session.run()
        except (_Ended, OSError):  # ssl.SSLError is an OSError
            pass
        finally:
            with self._lock:
                self._open.discard(session)
            session.close()
