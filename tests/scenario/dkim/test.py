"""Outgoing mail is signed (RFC 6376, RFC 8463), and another implementation verifies it: dkimpy."""
import json
import os
import re
import stat
import subprocess

import dkim
import nsd
import samples
import scenario
import smtp_client
from gateway import Gateway

LF = b"\r\n"
# Which the other implementation does not read, as their header is none, or is one only by RFC 5322 §4.5.
NO_MAIL = {"sample msg_19", "sample msg_35", "field, tab before the colon", "field and spaces, tab before the colon"}


def with_author(content, author=b"alice@company.example"):
    """The same with this author and no other."""
    header, separator, body = content.partition(b"\r\n\r\n")
    fields = re.findall(rb"[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", header + LF)
    kept = [f for f in fields if not re.match(rb"(from|dkim-signature)[ \t]*:", f, re.I)]
    return b"From: " + author + LF + b"".join(kept).removesuffix(LF) + separator + body


def odd_messages():
    head = samples.simple(body="")
    bodies = {
        "brackets": b"<>\r\n", "one octet": b"x", "a tab alone": b"\t\r\nx\r\n", "octets": b"\xc3\xa4 \xff\r\n",
        "empty": b"", "one empty line": LF, "many empty lines": LF * 50, "spaces": b" \t \r\n" * 5, "trailing spaces": b"a  \t\r\nb\t\r\n",
        "tabs": b"a\tb\t\tc\r\n", "dots": b".\r\n..\r\n...x\r\n", "long line": b"x" * 900 + LF, "spaces before the end": b"a\r\n \r\n\t\r\n\r\n",
        "leading space": b"  a\r\n\t b\r\n", "no word": b"-- \r\n", "as a field": b"From: mallory@evil.example\r\n\r\n",
        "a megabyte": b"0123456789 abcdef\r\n" * 60000, "some more than a record": (b"y" * 70 + LF) * 4000,
    }
    found = {f"body, {name}": head + body for name, body in bodies.items()}
    for size in (131070, 131071, 131072, 131073, 262143, 262144, 262145, 300001):
        found[f"of {size} octets"] = samples.of_size(size)
    fields = {
        "folded": b"Subject: a\r\n b\r\n\t c\r\n", "empty": b"Subject:\r\n", "spaces": b"Subject:   a    b  \t \r\n", "tab before the colon": b"Subject\t: x\r\n",
        "two": b"Subject: a\r\nSubject: b\r\n", "three": b"To: a@x.example\r\nTo: b@x.example\r\nTo: c@x.example\r\n",
        "long": b"References: " + b" ".join(b"<%d@company.example>" % n for n in range(200)) + LF, "case": b"SUBJECT: X\r\nmessage-ID: <a@b>\r\n",
        "list": b"List-Unsubscribe: <https://x.example/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nList-Id: <l.x.example>\r\n",
        "another's signature": b"DKIM-Signature: v=1; a=rsa-sha256; d=else.example; s=x; h=from; bh=AAAA; b=AAAA\r\n",
        "encoded": b"Subject: =?utf-8?q?gr=C3=BC=C3=9F?=\r\n", "odd": b"X-Odd;: x\r\n", "colon": b"Subject: a: b: c\r\n", "only fold": b"Subject: \r\n \r\n x\r\n",
    }
    for name, field in fields.items():
        found[f"field, {name}"] = b"From: Alice <alice@company.example>\r\n" + field + b"\r\nHello.\r\n"
        found[f"field and spaces, {name}"] = b"From: alice@company.example\r\n" + field + LF + bodies["trailing spaces"]
    for name, author in {"plain": b"alice@company.example", "quoted": b'"Bob <bob@evil.example>" <alice@company.example>',
                         "comment": b"(x@evil.example) alice@company.example", "several": b"alice@company.example, bob@else.example",
                         "case": b"Alice@Company.EXAMPLE", "folded": b"Alice\r\n <alice@company.example>", "beneath": b"alice@news.company.example"}.items():
        found[f"author, {name}"] = b"From: " + author + LF + b"Subject: x\r\n\r\nHello.\r\n"
    for name, content in samples.samples().items():
        found[f"sample {name}"] = with_author(content)
    return {name: content for name, content in found.items() if name not in NO_MAIL}


class Dkim(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.keys = self.workspace.folder("keys")
        os.chmod(self.keys, 0o755)
        self.records = {}

    def zones(self):
        zones = super().zones()
        return zones | {"company.example": zones["company.example"] + list(self.records.values())}

    def _gateway(self, *domains, **settings):
        self.checked = Gateway(self.workspace, None, name="before", dkim={"keys": self.keys}, **settings)
        for domain, *options in domains:
            self._new(self.checked, domain, *options)
        return self.gateway(dkim={"keys": self.keys}, **settings)

    @staticmethod
    def _new(gateway, domain, *options):
        return json.loads(gateway.command("dkim", "new", domain, *options, "--json").stdout)

    def _dns(self, gateway):
        """What dkimpy asks instead of the DNS."""
        keys = json.loads(gateway.command("dkim", "list", "--json").stdout)["keys"]
        records = {f"{key['name']}.".encode(): key["record"].encode() for key in keys}
        return lambda name, timeout=5: records.get(name)

    def _verified(self, data, dns):
        """Of how many signatures of ours, all of them good."""
        count = len(re.findall(rb"^DKIM-Signature:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*?d=company\.example;", data, re.M))
        for index in range(count):
            self.assertTrue(dkim.DKIM(data).verify(idx=index, dnsfunc=dns), data[:3000])
        return count

    @staticmethod
    def _holds(data, dns):
        try:
            return dkim.DKIM(data).verify(dnsfunc=dns)
        except dkim.DKIMException:
            return False

    def test_another_implementation_verifies_odd_messages(self):
        dest = self.receiver(extensions=("PIPELINING", "SIZE 104857600", "8BITMIME"))
        gateway = self._gateway(("company.example", "--selector", "r1"), ("company.example", "--selector", "e1", "--ed25519"),
                                queue={"retry_first": "1s", "retry_max": "2s", "message_size": "20MiB"})
        dns, messages = self._dns(gateway), odd_messages()
        self.assertGreater(len(messages), 100)
        for name, content in messages.items():
            with self.subTest(name):
                known = len(dest.messages)
                self.send(gateway, content=content)
                data = self.wait_for_messages(dest, known + 1)[-1].data
                self.assertEqual(self._verified(data, dns), 2)
                changed = data.replace(b"Subject:", b"Subject: x", 1) if b"Subject:" in data else data + b"x\r\n"
                self.assertFalse(self._holds(changed, dns))
        event = gateway.wait_for_event("delivered")
        self.assertEqual(set(event["dkim"].split()), {"r1._domainkey.company.example", "e1._domainkey.company.example"})

    def test_what_is_converted_is_signed_as_it_leaves(self):
        dest = self.receiver(extensions=("PIPELINING", "SIZE 104857600"))
        gateway = self._gateway(("company.example",))
        content = ("From: alice@company.example\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                   "Content-Transfer-Encoding: 8bit\r\n\r\ngr\u00fc\u00df\r\n").encode()
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            self.assertEqual(client.message("alice@company.example", ["bob@dest.example"], content, " BODY=8BITMIME").code, 250)
        data = self.wait_for_messages(dest, 1)[0].data
        self.assertTrue(data.isascii(), data)
        self.assertEqual(self._verified(data, self._dns(gateway)), 1)

    def test_who_is_signed_for(self):
        dest, primary = self.receiver(), self.receiver(scenario.PRIMARY)
        gateway = self._gateway(("company.example",))
        for author, sender, expected in (("alice@company.example", "alice@company.example", 1), ("x@else.example", "alice@company.example", 1),
                                         ("alice@company.example", "x@dest.example", 0), ("alice@company.example", "", 0)):
            with self.subTest(author=author, sender=sender):
                known = len(dest.messages)
                self.send(gateway, sender=sender, content=samples.simple(sender=author))
                self.assertEqual(self._verified(self.wait_for_messages(dest, known + 1)[-1].data, self._dns(gateway)), expected)
        said = json.loads(gateway.command("explain", "--from", "alice@company.example", "--to", "bob@dest.example", "--json").stdout)
        self.assertRegex(said["dkim"], r"p\d{8}\._domainkey\.company\.example")
        self.assertEqual(primary.messages, [])

    def test_keys_come_and_go_with_a_reload(self):
        dest = self.receiver()
        gateway = self._gateway()
        self.send(gateway)
        self.assertEqual(self._verified(self.wait_for_messages(dest, 1)[0].data, None), 0)
        made = self._new(gateway, "company.example")
        mode = os.stat(made["file"])
        self.assertEqual(stat.S_IMODE(mode.st_mode) & 0o027, 0)
        again = gateway.command("dkim", "new", "company.example", check=False)
        self.assertNotEqual(again.returncode, 0)
        self.assertIn("there already", again.stderr)
        gateway.command("reload")
        self.send(gateway)
        self.assertEqual(self._verified(self.wait_for_messages(dest, 2)[1].data, self._dns(gateway)), 1)
        junk = self.workspace.file("keys/company.example/junk.pem", "no key\n")
        refused = gateway.command("reload", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("junk.pem", refused.stderr)
        self.assertIn("junk.pem", gateway.command("check", check=False).stderr)
        os.unlink(junk)
        self.send(gateway)
        self.assertEqual(self._verified(self.wait_for_messages(dest, 3)[2].data, self._dns(gateway)), 1)

    def test_check_online_looks_for_the_record(self):
        gateway = Gateway(self.workspace, None, name="before", dkim={"keys": self.keys})
        made = {name: self._new(gateway, "company.example", "--selector", name) for name in ("right", "other", "missing", "revoked")}
        for name, key in made.items():
            record = {"right": key["record"], "other": made["right"]["record"], "revoked": "v=DKIM1; p="}.get(name)
            if record:
                text = " ".join(f'"{record[at:at + 200]}"' for at in range(0, len(record), 200))
                self.records[name] = f"{name}._domainkey TXT {text}"
        name_server = self.workspace.add(nsd.NameServer(self.workspace, self.zones()))
        gateway = Gateway(self.workspace, name_server, dkim={"keys": self.keys})
        findings = json.loads(gateway.command("check", "--online", "--json", check=False).stdout)["findings"]
        found = {f["text"].split(".")[0]: f for f in findings if f["what"] == "dkim company.example"}
        self.assertEqual({name: f["result"] for name, f in found.items()},
                         {"right": "ok", "other": "failed", "missing": "failed", "revoked": "failed"})
        self.assertIn("another key", found["other"]["text"])
        self.assertIn("revoked", found["revoked"]["text"])

    def test_a_key_that_is_too_weak(self):
        gateway = Gateway(self.workspace, None, name="before", dkim={"keys": self.keys})
        self.workspace.file("keys/company.example/weak.pem", self.openssl_key(768))
        said = gateway.command("check", check=False)
        self.assertNotEqual(said.returncode, 0)
        self.assertRegex(said.stderr, r"dkim\.keys: .*weak\.pem\" holds an RSA key of 768 bits")

    @staticmethod
    def openssl_key(bits):
        return subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}"], check=True,
                              capture_output=True, text=True).stdout


if __name__ == "__main__":
    scenario.main()
