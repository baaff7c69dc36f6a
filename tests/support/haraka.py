"""A private Haraka that receives mail for any domain into one maildir."""
import json
import pathlib
import shutil
import socket

import unpacked
from maildir import Maildir
from process import Process
from workspace import SMTP_PORT

_MODULES = unpacked.program("haraka", "node_modules")
_PROGRAM = _MODULES / "Haraka" / "bin" / "haraka"
_PLUGIN = pathlib.Path(__file__).parent / "haraka" / "into_folder.js"


class Haraka:
    def __init__(self, workspace, name, host, certificate=None):
        unpacked.demand(_PROGRAM)
        self.address = workspace.host(host)
        self._folder = workspace.folder(f"haraka-{name}")
        for part in ("new", "tmp", "envelopes"):
            workspace.folder(f"haraka-{name}/mail/{part}")
        shutil.copytree(_MODULES / "Haraka" / "config", self._folder / "config")
        workspace.folder(f"haraka-{name}/plugins")
        shutil.copy(_PLUGIN, self._folder / "plugins" / _PLUGIN.name)
        files = {"smtp.ini": f"listen={self.address}:{SMTP_PORT}\n[headers]\n", "me": f"{name}\n", "loglevel": "INFO\n",
                 "databytes": "0\n", "into_folder": f"{self._folder}/mail\n",
                 "plugins": ("tls\n" if certificate else "") + "into_folder\n"}
        if certificate:
            shutil.copy(certificate.certificate, self._folder / "config" / "tls_cert.pem")
            shutil.copy(certificate.key, self._folder / "config" / "tls_key.pem")
        for file, text in files.items():
            (self._folder / "config" / file).write_text(text)
        (self._folder / "package.json").write_text('{"name":"receiver","version":"1.0.0"}')
        self._box = Maildir(self._folder / "mail")
        self._process = Process(["node", _PROGRAM, "-c", self._folder], self._folder / "output")
        try:
            self._process.wait_for(self._greets, "Haraka's greeting")
        except BaseException:
            self.close()
            raise

    def _greets(self):
        try:
            with socket.create_connection((self.address, SMTP_PORT), 5) as s:
                return s.recv(4) == b"220 "
        except OSError:
            return False

    def log(self):
        return self._process.text()

    def envelopes(self):
        """Of every message so far: whether it came by TLS, "from", "to"."""
        return [json.loads(path.read_text()) for path in sorted((self._folder / "mail" / "envelopes").glob("*"))]

    def wait_for_mail(self, count, deadline=60.0):
        self._process.wait_for(lambda: self._box.count() >= count, f"{count} messages in Haraka's maildir", deadline)
        return self._box.mails()

    def close(self):
        self._process.stop()
