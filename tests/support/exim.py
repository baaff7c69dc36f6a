"""A private Exim that receives mail for any domain into one maildir."""
import unpacked
from mail_server import MailServer
from maildir import Maildir
from workspace import SMTP_PORT

_PROGRAM = unpacked.program("exim", "usr/sbin/exim4")
_ACCOUNT = "Debian-exim"

_CONFIGURATION = """exim_path = {program}
primary_hostname = {name}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/spool/pid
local_interfaces = {address}
daemon_smtp_ports = {port}
deliver_drop_privilege
host_lookup =
acl_smtp_rcpt = accept
accept_8bitmime = true
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
smtp_accept_max = 100
smtp_connect_backlog = 100
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
message_size_limit = 100M
never_users =
keep_environment =
log_selector = +tls_cipher +received_recipients
{tls}
begin acl
accept:
  accept
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  maildir_format
  create_directory
  create_file = anywhere
  directory = {folder}/mail
  envelope_to_add
  batch_max = 1000
"""


class Exim(MailServer):
    product = "Exim"

    def __init__(self, workspace, name, host, certificate=None):
        unpacked.demand(_PROGRAM)
        super().__init__(workspace, host)
        folder = workspace.folder(f"exim-{name}")
        owner = unpacked.account_numbers(workspace, _ACCOUNT)
        for part in ("spool", "log", "mail"):
            unpacked.give(folder / part, owner)
        tls = "tls_advertise_hosts ="
        if certificate:
            tls = f"tls_advertise_hosts = *\ntls_certificate = {certificate.certificate}\ntls_privatekey = {certificate.key}"
        configuration = workspace.file(f"exim-{name}/exim.conf", _CONFIGURATION.format(
            program=_PROGRAM, name=name, folder=folder, address=self.address, port=SMTP_PORT, tls=tls))
        self._log = folder / "log" / "mainlog"
        self._box = Maildir(folder / "mail")
        self.run(unpacked.inside(workspace, [_PROGRAM, "-C", configuration, "-bdf", "-q1m"], [_ACCOUNT]), folder / "output")

    def log(self):
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def count(self):
        return self._box.count()

    def mails(self):
        return self._box.mails()
