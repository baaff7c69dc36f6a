"""A private Haraka that receives mail for any domain into one maildir."""
import json
import pathlib
import shutil

import unpacked
from mail_server import MailServer
from maildir import Maildir
from workspace import SMTP_PORT

_MODULES = unpacked.program("haraka", "node_modules")
_PROGRAM = _MODULES / "Haraka" / "bin" / "haraka"
_PLUGIN = pathlib.Path(__file__).parent / "haraka" / "into_folder.js"


class Haraka(MailServer):
    product = "Haraka"

    def __init__(self, workspace, name, host, certificate=None):
        unpacked.demand(_PROGRAM)
        super().__init__(workspace, host)
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
        self.run(["node", _PROGRAM, "-c", self._folder], self._folder / "output")

    def envelopes(self):
        """Of every message so far: whether it came by TLS, "from", "to"."""
        return [json.loads(path.read_text()) for path in sorted((self._folder / "mail" / "envelopes").glob("*"))]

    def count(self):
        return self._box.count()

    def mails(self):
        return self._box.mails()
