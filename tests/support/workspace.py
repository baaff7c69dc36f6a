"""A place of its own for one test: a temporary folder and a loopback network 127.a.b.0/24.

Every test process has its own network, so fixed ports never collide and several hosts can share a port, as mail
exchangers do. Ports are below the ephemeral range.
"""
import os
import pathlib
import shutil
import socket
import tempfile

SMTP_PORT = 2525
DNS_PORT = 5353
STATUS_PORT = 8025

def _claim_network():
    """A network nobody else uses; an abstract socket's name holds it for the life of the process."""
    start = os.getpid()
    for attempt in range(200 * 250):
        number = (start + attempt) % (200 * 250)
        network = f"127.{20 + number // 250}.{1 + number % 250}"
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0postern-test-{network}")
            return network, claim
        except OSError:
            claim.close()
    raise RuntimeError("no loopback network is free")


class Workspace:
    """stop() ends what was started, remove() takes the folder away."""

    def __init__(self, name="test"):
        # Sockets in it have names of 107 octets at most; Postfix makes some four folders below.
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=f"postern-{name[:32]}-"))
        self.path.chmod(0o755)  # services that drop root must get in
        self._network, self._claim = _claim_network()
        self._started = []

    def host(self, number):
        """An address of this test's network; 1 is the gateway, 2 the name server."""
        return f"{self._network}.{number}"

    @property
    def own_port(self):
        """For the one address that all tests share, ::1."""
        _, a, b = self._network.split(".")
        return 3000 + ((int(a) - 20) * 250 + int(b)) % 20000

    @property
    def network(self):
        return f"{self._network}.0/24"

    def folder(self, name, owner=None):
        path = self.path / name
        path.mkdir(parents=True, exist_ok=True)
        if owner and os.geteuid() == 0:
            shutil.chown(path, owner)
        return path

    def file(self, name, content, mode=0o644, owner=None):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        if owner and os.geteuid() == 0:
            shutil.chown(path, owner)
        return path

    def add(self, service):
        """`service.close()` is called at the end. Returns the service."""
        self._started.append(service)
        return service

    def stop(self):
        """Ends what was started, last first; raises the first fault after all of them are ended."""
        faults = []
        while self._started:
            try:
                self._started.pop().close()
            except Exception as fault:  # all the others must still be ended
                faults.append(fault)
        if faults:
            raise faults[0]

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)
        self._claim.close()
