"""Plays every *.dialog of this folder with the real gateway.

    C: MAIL FROM:<a@b.example>   sent with CRLF; consecutive lines in one segment; \\xNN, \\0, \\t, \\r and \\n as in C
    S: 250-SIZE                  one line of the reply that follows begins so
    S: 250 2.1.0                 the reply (its last line) begins so
    S: closed                    the server closes the connection
    # a comment

The gateway knows the client as a primary, takes any sender, and has message_size = "10KiB", recipients = 5,
protocol_errors = 10.
"""
import pathlib

import scenario
import smtp_client

FOLDER = pathlib.Path(__file__).resolve().parent


def parse(text):
    """[("C", octets) | ("S", expectation)], with the number of the line each stands in."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        side, _, rest = line.partition(": ") if ": " in line else (line.rstrip(":"), "", "")
        if side == "C":
            yield number, side, rest.encode("latin-1").decode("unicode_escape").encode("latin-1") + b"\r\n"
        elif side == "S":
            yield number, side, rest
        else:
            raise ValueError(f"line {number}: neither C: nor S:")


class Dialog(scenario.Scenario):
    def test_all(self):
        self.receiver()
        gateway = self.gateway(accept={"sender": "any", "recipients": 5, "protocol_errors": 10},
                               queue={"message_size": "10KiB"})
        files = sorted(FOLDER.glob("*.dialog"))
        self.assertTrue(files)
        for file in files:
            with self.subTest(file.stem), smtp_client.Client(gateway.address) as client:
                self._play(client, file)

    def _play(self, client, file):
        unsent, within = b"", []
        for number, side, content in parse(file.read_text()):
            place = f"{file.name}:{number}"
            if side == "C":
                unsent += content
                continue
            if unsent:
                client.send(unsent)
                unsent = b""
            if content == "closed":
                self.assertTrue(client.closed(), place)
            elif content[3:4] == "-":
                within.append(content[4:])
            else:
                try:
                    reply = client.reply()
                except (smtp_client.Closed, TimeoutError):
                    self.fail(f"{place}: no reply")
                self.assertTrue(reply.lines[-1].startswith(content), f"{place}: got {reply}")
                for line in within:
                    self.assertTrue(any(l[4:].startswith(line) for l in reply.lines), f"{place}: got {reply}")
                within = []


if __name__ == "__main__":
    scenario.main()
