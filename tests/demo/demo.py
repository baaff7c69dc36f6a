"""The main job on real mail between real mail servers: run it, watch it, look around, press Ctrl-C.

The double of the primary's web services, a Postfix as the primary's mail transport, postern as its outgoing
gateway, and another Postfix as the recipients' server. Nothing leaves 127.0.0.0/8.

    demo.py [--once]      --once: end after the demonstration; the exit code tells whether all went well
"""
import argparse
import contextlib
import signal
import sys
import time

import postfix
import samples
import smtp_client
from certificates import Authority
from gateway import BINARY, Gateway
from nsd import NameServer
from primary import Primary
from workspace import Workspace

MESSAGES = 100
SENDERS = ["alice@company.example", "sales@company.example", "ceo@company.example", "alice@company-alias.example"]
UNKNOWN = "nobody@company.example"
DOMAINS = ["customer.example", "partner.example", "friend.example"]


class Demonstration:
    def __init__(self):
        self.workspace = Workspace("demo")
        self.faults = []

    def start(self):
        workspace, host = self.workspace, self.workspace.host
        exchanger, down = host(20), host(99)
        web = workspace.add(Primary(workspace))
        names = workspace.add(NameServer(workspace, {
            **{domain: ["@ MX 10 mx", f"mx A {exchanger}"] for domain in DOMAINS},
            "asleep.example": ["@ MX 10 mx", f"mx A {down}"]}))
        authority = Authority(workspace)
        own = authority.issue("gw1.company.example")
        self.recipients = workspace.add(postfix.Postfix(
            workspace, "recipients", 20, DOMAINS, certificate=authority.issue("mx.customer.example"),
            myhostname="mx.customer.example"))
        self.postern = workspace.add(Gateway(
            workspace, names,
            tls={"certificate": own.certificate, "private_key": own.key, "ca_file": authority.certificate},
            primary=[{"name": "main", "addresses": [host(10)], "deliver_to": f"{host(10)}:2525"} | web.settings()],
            accept={"sender": "user"}, log={"format": "text"},
            queue={"retry_first": "30s", "retry_max": "5m"})).start()
        self.primary = workspace.add(postfix.Postfix(
            workspace, "primary", 10, ["company.example", "company-alias.example"], relayhost=self.postern.address,
            myhostname="mail.company.example"))
        directory = self.postern.json("/v1/directory")["domains"]
        print(f"postern stands between two Postfix servers and has read the primary's directory over its web services: "
              f"{len(directory)} domains, {sum(d['users'] + d['aliases'] + d['lists'] for d in directory)} addresses.",
              flush=True)

    def run(self):
        mails = samples.samples()
        began = time.monotonic()
        sent = {}
        for n, (name, content) in zip(range(MESSAGES), list(mails.items()) * (MESSAGES // len(mails) + 1)):
            recipient = f"reader{n}@{DOMAINS[n % len(DOMAINS)]}"
            reply = smtp_client.send(self.primary.address, SENDERS[n % len(SENDERS)], recipient, content)
            self._expect(reply.code == 250, f"the primary's Postfix refused {name}: {reply}")
            sent[recipient] = content
        arrived = self.recipients.wait_for_mail(MESSAGES)
        took = time.monotonic() - began
        unchanged = sum(self._body_arrived(sent.pop(mail.recipient, b"\0"), mail) for mail in arrived)
        encrypted = sum("using TLSv1.3" in mail.parsed.get_all("Received")[0] for mail in arrived)
        self._expect(not sent and len(arrived) == MESSAGES, f"{len(arrived)} arrived, missing: {sorted(sent)}")
        self._expect(unchanged == MESSAGES, f"{MESSAGES - unchanged} messages were changed on the way")
        print(f"{MESSAGES} messages of users of the primary ({len(mails)} real samples: multipart, 8-bit, odd headers): "
              f"{len(arrived)} arrived in {took:.1f} s, {unchanged} unchanged, {encrypted} of them over TLS 1.3.", flush=True)

        smtp_client.send(self.primary.address, UNKNOWN, "reader@customer.example", samples.simple("from nobody", sender=UNKNOWN))
        refusal = self._log_line("refused ", UNKNOWN)
        self._expect("550 5.1.8" in refusal, f"not the refusal that is due: {refusal}")
        print(f"1 message of {UNKNOWN}, whom the primary does not know, was refused:\n    {refusal}", flush=True)
        self._expect(all(mail.parsed["Return-Path"] != f"<{UNKNOWN}>" for mail in self.recipients.delivered()),
                     "mail of the unknown sender arrived")

        smtp_client.send(self.primary.address, SENDERS[0], "reader@asleep.example", samples.simple("to a server that is down"))
        print(f"1 message waits, because its recipient's server is down:\n    {self._log_line('deferred ', 'asleep.example')}",
              flush=True)

    @staticmethod
    def _body_arrived(content, mail):
        body = content.partition(b"\r\n\r\n")[2].strip(b"\r\n")
        return body in mail.octets

    def _log_line(self, *words):
        def find():
            lines = self.postern.log_file.read_text(errors="replace").splitlines()
            return next((line for line in lines if all(word in line for word in words)), None)
        return self.postern.process.wait_for(find, f"a log line with {words}")

    def _expect(self, condition, fault):
        if not condition:
            self.faults.append(fault)
            print(f"FAULT: {fault}", flush=True)

    def where_to_look(self):
        configuration = self.postern.configuration_file
        print(f"""
Look around:
    state          {BINARY} status --config {configuration}
    log            {self.postern.log_file}
    queue          {BINARY} queue list --config {configuration}
    why            {BINARY} explain --from {UNKNOWN} --to reader@customer.example --config {configuration}
    programs       curl http://{self.postern.status_address}/       lists what they can read, /metrics among it
    send           swaks --server {self.primary.address}:2525 --from {SENDERS[0]} --to you@{DOMAINS[0]}
""", flush=True)


def say(text):
    """Where the terminal is gone there is nobody to tell."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--once", action="store_true")
    options = parser.parse_args()
    if postfix.required():
        sys.exit(postfix.required())
    for ending in (signal.SIGTERM, signal.SIGHUP):  # the latter comes when the terminal is closed
        signal.signal(ending, signal.default_int_handler)
    demonstration = Demonstration()
    try:
        demonstration.start()
        demonstration.run()
        demonstration.where_to_look()
        if not options.once:
            print("Everything stays up until Ctrl-C.", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        say("\nCleaning up.")
    finally:
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ending, signal.SIG_IGN)
        demonstration.workspace.stop()
        demonstration.workspace.remove()
        say("What was installed stays, and so does the build; everything else is gone.")
    sys.exit(1 if demonstration.faults else 0)


if __name__ == "__main__":
    main()
