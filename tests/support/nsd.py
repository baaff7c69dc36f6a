"""NSD as the name server of the test's zones, signed by ldnsutils where wanted."""
import ipaddress
import os
import signal
import socket
import struct
import subprocess

from process import Process
from workspace import DNS_PORT


def blocklist(listed=(), code="127.0.0.2", test_points=True):
    """The records of a DNS blocklist (RFC 5782) that answers `code` for the addresses `listed`; short-lived."""
    records = ["$TTL 1"]
    for address in (["127.0.0.2"] if test_points else []) + list(listed):
        name = ipaddress.ip_address(address).reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
        answer = "127.0.0.2" if address == "127.0.0.2" else code
        records += [f"{name} A {answer}", f'{name} TXT "{address} is listed, see https://lists.example/?{address}"']
    return records


def _query(name):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.rstrip(".").split("."))
    return struct.pack("!6H", 0x4242, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 6, 1)


class NameServer:
    """`zones` is {"dest.example": ["@ MX 10 mx1", "mx1 A 127.20.1.7"]}; serial and NS records are added.

    The zones of `signed` are signed; `tampered` is {zone: (text, other)}: `other` is put in the place of `text` after
    signing, so that the zone is bogus there. With `root` there is a signed root above them, whose key is the trust
    anchor: the server is then a resolver for all there is.
    """

    def __init__(self, workspace, zones, host=2, signed=(), tampered=None, root=False):
        self.address = workspace.host(host)
        self._zones = sorted(zones)
        self._signed, self._tampered = set(signed) | set(tampered or {}), tampered or {}
        self._keys, self._serial = {}, 1
        folder = self._folder = workspace.folder("nsd")
        lines = ["server:", f"  ip-address: {self.address}@{DNS_PORT}", "  server-count: 1", '  username: ""',
                 f'  zonesdir: "{folder}"', '  database: ""', f'  pidfile: "{folder}/nsd.pid"',
                 f'  xfrdfile: "{folder}/xfrd.state"', f'  zonelistfile: "{folder}/zone.list"',
                 f'  xfrdir: "{folder}"', "  hide-version: yes", "remote-control:", "  control-enable: no"]
        for zone, records in zones.items():
            self._write(zone, records)
            lines += ["zone:", f'  name: "{zone}"', f'  zonefile: "{zone}"']
        if root:
            self._write_root()
            lines += ["zone:", '  name: "."', '  zonefile: "root"']
        self.trust_anchors = None
        if self._keys:
            self.trust_anchors = workspace.file("trust-anchors", "".join(
                (folder / f"{key}.ds").read_text() for zone, key in self._keys.items() if not root or zone == "."))
        configuration = folder / "nsd.conf"
        configuration.write_text("\n".join(lines) + "\n")
        self._process = Process(["nsd", "-d", "-c", configuration], folder / "log")
        try:
            self._process.wait_for(lambda: self._answered(self._zones[0]), "the name server's answer")
        except BaseException:
            self.close()
            raise

    def _run(self, *arguments):
        return subprocess.run(arguments, cwd=self._folder, check=True, capture_output=True, text=True).stdout.strip()

    def _write(self, zone, records):
        plain = self._folder / zone
        plain.write_text("\n".join(
            [f"$ORIGIN {zone}.", "$TTL 60", f"@ SOA ns.{zone}. hostmaster.{zone}. {self._serial} 3600 600 86400 1",
             f"@ NS ns.{zone}.", f"ns A {self.address}", *records]) + "\n")
        if zone not in self._signed:
            return
        if zone not in self._keys:
            self._keys[zone] = self._run("ldns-keygen", "-r", "/dev/urandom", "-a", "ECDSAP256SHA256", "-k", zone)
        self._run("ldns-signzone", "-f", f"{zone}.signed", zone, self._keys[zone])
        text = (self._folder / f"{zone}.signed").read_text()
        if zone in self._tampered:
            before, after = self._tampered[zone]
            if before not in text:
                raise ValueError(f"{before!r} is not in the zone {zone}:\n{text}")
            text = text.replace(before, after)
        plain.write_text(text)

    def _write_root(self):
        text = "\n".join(["$ORIGIN .", "$TTL 60", "@ SOA ns hostmaster 1 3600 600 86400 1", "@ NS ns", f"ns A {self.address}",
                          *(f"{zone}. NS ns" for zone in self._zones),
                          *((self._folder / f"{key}.ds").read_text() for key in self._keys.values())])
        (self._folder / "root.plain").write_text(text + "\n")
        key = self._keys["."] = self._run("ldns-keygen", "-r", "/dev/urandom", "-a", "ECDSAP256SHA256", "-k", ".")
        self._run("ldns-signzone", "-o", ".", "-f", "root", "root.plain", key)

    def _answered(self, zone):
        """The answer to a question for the zone's SOA, None without one."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            try:
                s.sendto(_query(zone), (self.address, DNS_PORT))
                reply = s.recv(4096)
                return reply if reply[3] & 0x0F == 0 and reply[7] > 0 else None
            except OSError:
                return None

    def change(self, zone, records):
        """Other records for a zone; returns once they are served. Resolvers may keep the old ones for their TTL."""
        self._serial += 1
        self._write(zone, records)
        serial = struct.pack("!I3I", self._serial, 3600, 600, 86400)
        self._process.send_signal(signal.SIGHUP)
        self._process.wait_for(lambda: serial in (self._answered(zone) or b""), f"the new zone {zone}")

    @property
    def stub(self):
        """For [dns] stub: every zone with this server."""
        return {zone: f"{self.address}@{DNS_PORT}" for zone in self._zones}

    @property
    def server(self):
        """For [dns] servers."""
        return f"{self.address}@{DNS_PORT}"

    def fall_silent(self):
        """It answers nothing until speak()."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def speak(self):
        if self._process.running:
            os.killpg(self._process.pid, signal.SIGCONT)

    def close(self):
        self.speak()
        self._process.stop()
