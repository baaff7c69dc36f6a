"""Messages for the tests: the samples of Debian's libpython3.X-testsuite, and some made to measure."""
import pathlib
import re
import sys

_FOLDER = pathlib.Path(f"/usr/lib/python3.{sys.version_info.minor}/test/test_email/data")


def to_crlf(content: bytes) -> bytes:
    """Every line end, bare CR or LF too, as CRLF."""
    return re.sub(rb"\r\n|\r|\n", b"\r\n", content)


def samples():
    """{name: content with CRLF line ends}: multipart, 8-bit, odd and broken headers, as real mail has."""
    found = {path.stem: to_crlf(path.read_bytes()) for path in sorted(_FOLDER.glob("msg_*.txt"))}
    if len(found) < 40:
        raise RuntimeError(f"the mail samples of libpython3.{sys.version_info.minor}-testsuite are missing from {_FOLDER}")
    return found


def simple(subject="a test", body="Hello.\r\n", sender="alice@company.example", recipient="bob@dest.example"):
    return (f"From: <{sender}>\r\nTo: <{recipient}>\r\nSubject: {subject}\r\n"
            f"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{subject.replace(' ', '.')}@company.example>\r\n"
            f"\r\n{body}").encode("latin-1")


def of_size(octets, subject="a large one"):
    """A message of exactly `octets` octets in lines of 76, the last one shorter."""
    line = (b"0123456789abcdef" * 5)[:74] + b"\r\n"
    head = simple(subject, "")
    content = (head + line * ((octets - len(head)) // len(line) + 1))[:octets - 2]
    return content.removesuffix(b"\r").ljust(octets - 2, b"r") + b"\r\n"


def without_trace(data: bytes, fields=1):
    """`data` without the Received fields that were put on top; asserts that they are Received fields."""
    for _ in range(fields):
        match = re.match(rb"Received:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", data)
        if not match:
            raise AssertionError(f"no Received field on top: {data[:200]!r}")
        data = data[match.end():]
    return data
