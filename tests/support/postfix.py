"""Private Postfix instances: a primary that sends through a gateway, and a mail server that receives.

Nothing of the system's own Postfix configuration is read or changed.
"""
import email
import os
import pathlib
import pwd
import shutil
import subprocess

from mail_server import MailServer
from workspace import SMTP_PORT

_PROGRAMS = pathlib.Path("/usr/lib/postfix/sbin")
_ACCOUNT = "nobody"  # owner of delivered mail: virtual(8) refuses root

_SERVICES = """
smtp-in    inet  n - n - - smtpd
pickup     unix  n - n 60 1 pickup
cleanup    unix  n - n - 0 cleanup
qmgr       unix  n - n 1 1 qmgr
tlsmgr     unix  - - n 1000? 1 tlsmgr
rewrite    unix  - - n - - trivial-rewrite
bounce     unix  - - n - 0 bounce
defer      unix  - - n - 0 bounce
trace      unix  - - n - 0 bounce
verify     unix  - - n - 1 verify
flush      unix  n - n 1000? 0 flush
proxymap   unix  - - n - - proxymap
smtp       unix  - - n - - smtp
relay      unix  - - n - - smtp
showq      unix  n - n - - showq
error      unix  - - n - - error
retry      unix  - - n - - error
discard    unix  - - n - - discard
virtual    unix  - n n - - virtual
anvil      unix  - - n - 1 anvil
scache     unix  - - n - 1 scache
postlog    unix-dgram n - n - 1 postlogd
"""


class Delivered:
    """One message in a mailbox: what Postfix wrote, in network form."""

    def __init__(self, path):
        octets = path.read_bytes()
        self.octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        self.parsed = email.message_from_bytes(octets)
        self.recipient = self.parsed["Delivered-To"]

    @property
    def transmitted(self):
        """Without the fields that virtual(8) and smtpd(8) put on top: as it came over the wire."""
        data = self.octets
        while not data.startswith(b"Received:"):
            data = data[data.index(b"\r\n") + 2:]
        lines = data.split(b"\r\n")
        rest = 1
        while lines[rest][:1] in (b" ", b"\t"):
            rest += 1
        return b"\r\n".join(lines[rest:])


class Postfix(MailServer):
    """`domains` are delivered into one maildir, any user; everything else goes to `relayhost` if there is one."""
    product = "Postfix"

    def __init__(self, workspace, name, host, domains=(), relayhost=None, certificate=None, **parameters):
        super().__init__(workspace, host)
        self._folder = workspace.folder(f"postfix-{name}")
        configuration = workspace.folder(f"postfix-{name}/etc")
        self._mailbox = workspace.folder(f"postfix-{name}/mail", owner=_ACCOUNT)
        queue = workspace.folder(f"postfix-{name}/queue")
        data = workspace.folder(f"postfix-{name}/data", owner="postfix")
        self._log = self._folder / "maillog"
        self._configuration = configuration
        account = pwd.getpwnam(_ACCOUNT)
        main = {
            "compatibility_level": "3.6",
            "queue_directory": queue,
            "data_directory": data,
            "daemon_directory": _PROGRAMS,
            "command_directory": "/usr/sbin",
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "myhostname": f"{name}.example" if "." not in name else name,
            "mydestination": "",
            "inet_interfaces": "loopback-only",
            "inet_protocols": "ipv4",
            "smtp_bind_address": self.address,
            "mynetworks": "127.0.0.0/8",
            "alias_maps": "",
            "alias_database": "",
            "local_recipient_maps": "",
            "maillog_file": self._log,
            "maillog_file_prefixes": self._folder,
            "virtual_mailbox_domains": " ".join(domains),
            "virtual_mailbox_base": self._mailbox,
            "virtual_mailbox_maps": "static:box/",
            "virtual_uid_maps": f"static:{account.pw_uid}",
            "virtual_gid_maps": f"static:{account.pw_gid}",
            "virtual_minimum_uid": 1,
            "virtual_mailbox_limit": 0,
            "mailbox_size_limit": 0,
            "message_size_limit": 100 << 20,
            "smtpd_recipient_limit": 5000,
            "smtpd_client_connection_count_limit": 0,
            "smtpd_relay_restrictions": "permit_mynetworks, reject",
            "smtpd_peername_lookup": "no",
            "smtp_dns_support_level": "disabled",
            "smtp_host_lookup": "native",
            "relayhost": f"[{relayhost}]:{SMTP_PORT}" if relayhost else "",
            "default_transport": "smtp" if relayhost else "error:this test has no such destination",
            "relay_domains": "",
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "2s",
            "queue_run_delay": "1s",
            "smtp_tls_security_level": "may",
            "in_flow_delay": "0",
        }
        if certificate:
            main |= {"smtpd_tls_security_level": "may", "smtpd_tls_cert_file": certificate.certificate,
                     "smtpd_tls_key_file": certificate.key, "smtpd_tls_received_header": "yes"}
        main |= parameters
        (configuration / "main.cf").write_text("".join(f"{key} = {value}\n" for key, value in main.items()))
        (configuration / "master.cf").write_text(_SERVICES.replace("smtp-in ", f"{self.address}:{SMTP_PORT} ", 1).lstrip())
        self.start()

    def start(self):
        self.run(["postfix", "-c", self._configuration, "start-fg"], self._folder / "output")

    def log(self):
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def stop(self):
        """Ends the master, which ends its children."""
        if self._process and self._process.running:
            subprocess.run(["postfix", "-c", self._configuration, "stop"], capture_output=True, timeout=60)
            self._process.stop()

    close = stop

    def delivered(self):
        """Every message in the mailbox so far."""
        folder = self._mailbox / "box" / "new"
        return [Delivered(path) for path in sorted(folder.glob("*"))] if folder.exists() else []

    def count(self):
        folder = self._mailbox / "box" / "new"
        return len(os.listdir(folder)) if folder.exists() else 0

    mails = delivered

    def wait_for_mail(self, count, deadline=120.0):
        return super().wait_for_mail(count, deadline)

    def queue(self):
        """The queue in Postfix's own words; empty text when nothing waits."""
        done = subprocess.run(["postqueue", "-c", self._configuration, "-j"], capture_output=True, text=True, timeout=60)
        return done.stdout.strip()


def required():
    """The reason why Postfix cannot be used here, or None."""
    if os.geteuid() != 0:
        return "Postfix instances need root"
    return None if shutil.which("postfix") else "postfix is not installed"
