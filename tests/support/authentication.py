"""The server's side of SASL for scripted receivers: PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-256 (RFC 4616, 2195, 5802, 7677).

Each function is a generator: it yields a challenge (octets), is sent the response (octets), and returns the user who
proved to know the password, or None. What it returns with the user is said with the 235.
"""
import base64
import hashlib
import hmac
import os

MECHANISMS = ("SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN")


def _plain(accounts, first, **_):
    response = first if first is not None else (yield b"")
    parts = response.split(b"\0")
    if len(parts) != 3:
        return None
    _, user, password = (part.decode() for part in parts)
    return user if accounts.get(user) == password else None


def _login(accounts, first, **_):
    user = first if first is not None else (yield b"Username:")
    password = yield b"Password:"
    return user.decode() if accounts.get(user.decode()) == password.decode() else None


def _cram_md5(accounts, first, **_):
    if first is not None:
        return None  # RFC 2195 has no initial response
    challenge = b"<" + os.urandom(8).hex().encode() + b"@gateway.example>"
    user, _, digest = (yield challenge).decode().rpartition(" ")
    right = hmac.new(accounts.get(user, "").encode(), challenge, hashlib.md5).hexdigest()
    return user if user in accounts and hmac.compare_digest(right, digest) else None


def _fields(text):
    return dict(part.split("=", 1) for part in text.split(","))


def _scram_sha_256(accounts, first, forged=False, iterations=4096, **_):
    opening = (first if first is not None else (yield b"")).decode()
    if opening[:3] != "n,,":
        return None
    bare = opening[3:]
    user = _fields(bare)["n"].replace("=2C", ",").replace("=3D", "=")
    nonce, salt = _fields(bare)["r"] + os.urandom(9).hex(), os.urandom(16)
    challenge = f"r={nonce},s={base64.b64encode(salt).decode()},i={iterations}"
    final = (yield challenge.encode()).decode()
    if user not in accounts or _fields(final)["r"] != nonce or _fields(final)["c"] != "biws":
        return None
    salted = hashlib.pbkdf2_hmac("sha256", accounts[user].encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    signed = f"{bare},{challenge},{final.rpartition(',p=')[0]}".encode()
    signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
    proof = base64.b64decode(_fields(final)["p"])
    if not hmac.compare_digest(bytes(a ^ b for a, b in zip(client_key, signature)), proof):
        return None
    own = b"\0" * 32 if forged else hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), signed, "sha256")
    yield b"v=" + base64.b64encode(own)
    return user


_STEPS = {"PLAIN": _plain, "LOGIN": _login, "CRAM-MD5": _cram_md5, "SCRAM-SHA-256": _scram_sha_256}


def exchange(mechanism, accounts, initial, ask, **options):
    """`initial`: the initial response as sent, "" for none; `ask` sends a 334's text and gives the line that answers it.
    The user, or None; None too when the client gives up with "*"."""
    steps = _STEPS[mechanism](accounts, None if initial == "" else _decoded(initial), **options)
    try:
        challenge = next(steps)
        while True:
            line = ask(base64.b64encode(challenge).decode())
            if line == "*":
                return None
            challenge = steps.send(base64.b64decode(line))
    except StopIteration as end:
        return end.value


def _decoded(initial):
    return b"" if initial == "=" else base64.b64decode(initial)
