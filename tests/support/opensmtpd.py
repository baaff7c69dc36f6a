"""A private OpenSMTPD that receives mail for any domain and passes it on, unchanged, to a receiver of the test.

Its own local delivery wants accounts and programs on the machine; what it passes on shows as well what it was given.
With a certificate, Debian 12's build offers STARTTLS and then fails every handshake (OpenSMTPD issue 1171: its key process
and OpenSSL 3 do not go together): a real receiver with broken TLS.
"""
import unpacked
from mail_server import MailServer
from maildir import Mail
from scripted_receiver import Receiver
from workspace import SMTP_PORT

_PROGRAM = unpacked.program("opensmtpd", "usr/sbin/smtpd")
_ACCOUNTS = ("opensmtpd", "opensmtpq")
_BEHIND_PORT = 2526

_CONFIGURATION = """{pki}smtp max-message-size 100M
listen on {address} port {port} hostname {name} {tls}
action "on" relay host "smtp+notls://{address}:{behind}"
match from any for any action "on"
"""


class OpenSmtpd(MailServer):
    product = "OpenSMTPD"

    def __init__(self, workspace, name, host, certificate=None):
        unpacked.demand(_PROGRAM)
        super().__init__(workspace, host)
        self.behind = Receiver(self.address, _BEHIND_PORT, name=f"behind.{name}",
                               extensions=("PIPELINING", "8BITMIME", "SIZE 104857600", "DSN"))
        folder = workspace.folder(f"opensmtpd-{name}")
        pki = tls = ""
        if certificate:
            own = [workspace.file(f"opensmtpd-{name}/{source.name}", source.read_bytes(), 0o600)
                   for source in (certificate.certificate, certificate.key)]
            pki = f'pki own cert "{own[0]}"\npki own key "{own[1]}"\n'
            tls = "tls pki own"
        configuration = workspace.file(f"opensmtpd-{name}/smtpd.conf", _CONFIGURATION.format(
            pki=pki, tls=tls, address=self.address, port=SMTP_PORT, name=name, behind=_BEHIND_PORT), 0o600)
        resolver = workspace.file(f"opensmtpd-{name}/resolv.conf", "lookup file\nnameserver 127.0.0.1\n")
        hosts = workspace.file(f"opensmtpd-{name}/hosts",
                               "".join(f"{workspace.host(n)} host{n}.example\n" for n in range(1, 255)))
        self.run(unpacked.inside(workspace, [_PROGRAM, "-d", "-v", "-f", configuration], _ACCOUNTS,
                                 files=[(resolver, "/etc/resolv.conf"), (hosts, "/etc/hosts")],
                                 folders=["/var/spool:smtpd", "/var/lib:opensmtpd/empty", "/run"]), folder / "output")

    def count(self):
        return len(self.behind.messages)

    def mails(self):
        return [Mail(message.data) for message in self.behind.messages]

    def close(self):
        super().close()
        self.behind.close()
