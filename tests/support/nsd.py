"""NSD as the name server of the test's zones."""
import socket
import struct

from process import Process
from workspace import DNS_PORT


def _query(name):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.rstrip(".").split("."))
    return struct.pack("!6H", 0x4242, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 6, 1)


class NameServer:
    """`zones` is {"dest.example": ["@ MX 10 mx1", "mx1 A 127.20.1.7"]}; serial and NS records are added."""

    def __init__(self, workspace, zones, host=2):
        self.address = workspace.host(host)
        self._zones = sorted(zones)
        folder = workspace.folder("nsd")
        lines = ["server:", f"  ip-address: {self.address}@{DNS_PORT}", "  server-count: 1", '  username: ""',
                 f'  zonesdir: "{folder}"', '  database: ""', f'  pidfile: "{folder}/nsd.pid"',
                 f'  xfrdfile: "{folder}/xfrd.state"', f'  zonelistfile: "{folder}/zone.list"',
                 f'  xfrdir: "{folder}"', "  hide-version: yes", "remote-control:", "  control-enable: no"]
        for zone, records in zones.items():
            (folder / zone).write_text("\n".join(
                [f"$ORIGIN {zone}.", "$TTL 60", f"@ SOA ns.{zone}. hostmaster.{zone}. 1 3600 600 86400 1",
                 f"@ NS ns.{zone}.", f"ns A {self.address}", *records]) + "\n")
            lines += ["zone:", f'  name: "{zone}"', f'  zonefile: "{zone}"']
        configuration = folder / "nsd.conf"
        configuration.write_text("\n".join(lines) + "\n")
        self._process = Process(["nsd", "-d", "-c", configuration], folder / "log")
        try:
            self._process.wait_for(self._answers, "the name server's answer")
        except BaseException:
            self.close()
            raise

    def _answers(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            try:
                s.sendto(_query(self._zones[0]), (self.address, DNS_PORT))
                reply = s.recv(512)
                return reply[3] & 0x0F == 0 and reply[7] > 0
            except OSError:
                return False

    @property
    def stub(self):
        """For [dns] stub: every zone with this server."""
        return {zone: f"{self.address}@{DNS_PORT}" for zone in self._zones}

    def close(self):
        self._process.stop()
