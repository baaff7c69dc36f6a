"""A private Exim that receives mail for any domain into one maildir."""
import socket

import unpacked
from maildir import Maildir
from process import Process
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


class Exim:
    def __init__(self, workspace, name, host, certificate=None):
        unpacked.demand(_PROGRAM)
        self.address = workspace.host(host)
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
        self._process = Process(unpacked.inside(workspace, [_PROGRAM, "-C", configuration, "-bdf", "-q1m"], [_ACCOUNT]),
                                folder / "output")
        try:
            self._process.wait_for(self._greets, "Exim's greeting")
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
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def wait_for_mail(self, count, deadline=60.0):
        self._process.wait_for(lambda: self._box.count() >= count, f"{count} messages in Exim's maildir", deadline)
        return self._box.mails()

    def close(self):
        self._process.stop()
