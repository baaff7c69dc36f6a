"""Reports about TLS (RFC 8460): domains that ask for it are told how TLS fared with their hosts, by mail or over HTTPS."""
import datetime
import email
import email.policy
import gzip
import json
import time

import dkim
import scenario
from certificates import Authority, tlsa
from clock import Clock
from gateway import Gateway
from policy_server import PolicyServer, policy
from report_collector import Collector

COLLECTOR, POLICY_HOST, OTHER_POLICY_HOST = 7, 9, 8
FROM = "tls-reports@company.example"
DAY = 86400


class TlsReports(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.workspace)
        self.good = self.authority.issue("mx1.dest.example")
        self.wrong = self.authority.issue("somebody.example")
        self.settings = {"tls": {"ca_file": self.authority.certificate},
                         "tls_reports": {"send": True, "from": FROM, "contact": "admin@company.example",
                                         "organization": "Company of \"tests\""}}
        self.records, self.asks = [], "mailto:tls@reports.example"

    def zones(self):
        host = self.workspace.host
        mx = [f"mx1 A {host(scenario.RECEIVER)}", "@ MX 10 mx1"]
        zones = super().zones()
        return zones | {
            "dest.example": [*mx, f'_smtp._tls TXT "v=TLSRPTv1; rua={self.asks}"', *self.records],
            "silent.example": ["@ MX 10 mx1.dest.example."],
            # Its policy bars its only host, which a report does not care about.
            "reports.example": ["@ MX 10 mx2", f"mx2 A {host(scenario.SECOND_RECEIVER)}", f"mta-sts A {host(OTHER_POLICY_HOST)}",
                                '_mta-sts TXT "v=STSv1; id=1;"', '_smtp._tls TXT "v=TLSRPTv1; rua=mailto:tls@reports.example"'],
            "collector.example": [f"www A {host(COLLECTOR)}"]}

    def signed(self):
        return ["dest.example"] if any("TLSA" in record for record in self.records) else []

    def _with_policy(self, text):
        self.records = [f"mta-sts A {self.workspace.host(POLICY_HOST)}", '_mta-sts TXT "v=STSv1; id=1;"']
        return self.workspace.add(PolicyServer(self.workspace.host(POLICY_HOST), self.authority.issue("mta-sts.dest.example"), text))

    def _reader(self):
        self.workspace.add(PolicyServer(self.workspace.host(OTHER_POLICY_HOST), self.authority.issue("mta-sts.reports.example"),
                                        policy("somewhere.else.example")))
        return self.receiver(scenario.SECOND_RECEIVER)

    @staticmethod
    def _counted(gateway, *options):
        return json.loads(gateway.command("tls-reports", "list", *options, "--json").stdout)["reports"]

    def _mailed(self, gateway, reader, domain="dest.example"):
        """The mail and the report in it."""
        known = len(reader.messages)
        gateway.command("tls-reports", "send", domain)
        event = gateway.wait_for_event("tls-report", domain=domain)
        self.assertTrue(event["sent"], event)
        message = self.wait_for_messages(reader, known + 1)[-1]
        mail = email.message_from_bytes(message.data, policy=email.policy.SMTP)
        return message, mail, self._report(mail)

    @staticmethod
    def _report(mail):
        (part,) = [part for part in mail.iter_parts() if part.get_content_type() == "application/tlsrpt+gzip"]
        return json.loads(gzip.decompress(part.get_content()))

    def _only_policy(self, report):
        self.assertEqual(len(report["policies"]), 1, report)
        return report["policies"][0]

    def test_by_mail(self):
        self._with_policy(policy("mx1.dest.example"))
        reader, receiver = self._reader(), self.receiver(tls=self.good.server_context())
        keys = self.workspace.folder("keys")
        keys.chmod(0o755)
        Gateway(self.workspace, None, name="before", dkim={"keys": keys}).command("dkim", "new", "company.example")
        gateway = self.gateway(dkim={"keys": keys}, **self.settings)
        for n in range(3):
            self.send(gateway, recipients=f"u{n}@dest.example")
            gateway.wait_until_empty()
            time.sleep(2.5)  # for another connection
        receiver.tls = self.wrong.server_context()
        self.send(gateway, recipients="late@dest.example")
        gateway.wait_for_event("deferred", to="late@dest.example")
        (counted,) = self._counted(gateway)
        self.assertEqual((counted["domain"], counted["successful"], counted["state"]), ("dest.example", 3, "counted"))
        self.assertGreaterEqual(counted["failed"], 1)
        self.assertIn("counted", gateway.command("tls-reports").stdout)

        message, mail, report = self._mailed(gateway, reader)
        self.assertEqual((message.sender, message.recipients), (FROM, ("tls@reports.example",)))
        self.assertFalse(message.tls)
        self.assertEqual(mail.get_content_type(), "multipart/report")
        self.assertEqual(mail.get_param("report-type"), "tlsrpt")
        self.assertEqual((mail["From"].addresses[0].addr_spec, mail["To"].addresses[0].addr_spec), (FROM, "tls@reports.example"))
        self.assertEqual((mail["TLS-Report-Domain"], mail["TLS-Report-Submitter"]), ("dest.example", "company.example"))
        self.assertEqual((mail["TLS-Required"], mail["Auto-Submitted"]), ("No", "auto-generated"))
        self.assertEqual(mail["Subject"], f"Report Domain: dest.example Submitter: company.example Report-ID: <{report['report-id']}>")
        file = [part.get_filename() for part in mail.iter_parts()][-1]
        self.assertRegex(file, r"^company\.example!dest\.example!\d+!\d+\.json\.gz$")
        record = json.loads(gateway.command("dkim", "list", "--json").stdout)["keys"][0]
        self.assertTrue(dkim.verify(message.data, dnsfunc=lambda name, timeout=5: record["record"].encode()))

        self.assertEqual((report["organization-name"], report["contact-info"]), ("Company of \"tests\"", "admin@company.example"))
        today = datetime.datetime.fromtimestamp(int(file.split("!")[2]), datetime.timezone.utc)
        self.assertEqual(report["date-range"]["start-datetime"], today.strftime("%Y-%m-%dT00:00:00Z"))
        self.assertRegex(report["date-range"]["end-datetime"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        one = self._only_policy(report)
        self.assertEqual(one["policy"], {"policy-type": "sts", "policy-domain": "dest.example", "mx-host": ["mx1.dest.example"],
                                         "policy-string": ["version: STSv1", "mode: enforce", "mx: mx1.dest.example", "max_age: 86400"]})
        self.assertEqual(one["summary"]["total-successful-session-count"], 3)
        (failure,) = one["failure-details"]
        self.assertEqual(failure["failed-session-count"], one["summary"]["total-failure-session-count"])
        self.assertEqual((failure["result-type"], failure["receiving-mx-hostname"], failure["receiving-ip"]),
                         ("certificate-host-mismatch", "mx1.dest.example", self.workspace.host(scenario.RECEIVER)))
        self.assertRegex(failure["sending-mta-ip"], r"^127\.")
        # Nothing is told of the mail that the report is, and nothing of the same twice.
        self.assertNotIn("reports.example", [one["domain"] for one in self._counted(gateway)])
        states = {one["state"] for one in self._counted(gateway, "--domain", "dest.example")}
        self.assertIn("sent", states)
        self.assertIn('postern_tls_reports_total{result="sent"} 1', gateway.http("/metrics")[1])

    def test_at_the_end_of_the_day_over_https_also_after_a_restart(self):
        self.asks = "https://www.collector.example/v1/report?x=y"
        collector = self.workspace.add(Collector(self.workspace.host(COLLECTOR), self.authority.issue("www.collector.example"), 503))
        self.receiver()
        ahead = -(time.time() - DAY / 2) % DAY  # the next noon
        clock = Clock(self.workspace, ahead / DAY)
        gateway = self.gateway(environment=clock.environment, **self.settings)
        for domain in ("dest.example", "silent.example"):
            self.send(gateway, recipients=f"bob@{domain}")
        gateway.wait_until_empty()
        self.assertEqual({one["domain"]: one["failed"] for one in self._counted(gateway)}, {"dest.example": 1, "silent.example": 1})
        gateway.stop()
        self.assertTrue((gateway.state_dir / "tls-reports.state").exists())
        gateway.start()
        clock.set(ahead / DAY + 16 / 24 + 0.01)  # behind the fourth hour of the next day
        gateway.process.wait_for(lambda: collector.posted, "a report that is refused")
        gateway.process.wait_for(lambda: self._counted(gateway)[0]["trouble"], "that it is known")
        (waits,) = self._counted(gateway)  # and nobody is told who did not ask
        self.assertEqual((waits["domain"], waits["state"], waits["attempts"]), ("dest.example", "waits", 1))
        self.assertIn("503", waits["trouble"])
        self.assertEqual(gateway.events("tls-report"), [])
        collector.status = 201
        clock.set(ahead / DAY + 16 / 24 + 0.03)
        event = gateway.wait_for_event("tls-report")
        self.assertEqual((event["domain"], event["to"], event["failed"]), ("dest.example", self.asks, 1))
        path, header, body = collector.posted[-1]
        self.assertEqual((path, header["Content-Type"]), ("/v1/report?x=y", "application/tlsrpt+gzip"))
        self.assertEqual(collector.posted[0][2], body)
        report = json.loads(gzip.decompress(body))
        begin, end = report["date-range"]["start-datetime"], report["date-range"]["end-datetime"]
        self.assertEqual((begin[10:], end), ("T00:00:00Z", begin[:10] + "T23:59:59Z"))
        one = self._only_policy(report)
        self.assertEqual(one["policy"], {"policy-type": "no-policy-found", "policy-domain": "dest.example"})
        self.assertEqual(one["failure-details"][0]["result-type"], "starttls-not-supported")
        self.assertEqual(self._counted(gateway), [])

    def test_dane(self):
        self.records = [f"_2525._tcp.mx1 {tlsa(self.wrong.certificate)}"]
        reader, receiver = self._reader(), self.receiver(tls=self.wrong.server_context())
        gateway = self.gateway(**self.settings)
        self.send(gateway)
        gateway.wait_until_empty()
        receiver.tls = self.good.server_context()
        time.sleep(2.5)
        self.send(gateway, recipients="late@dest.example")
        gateway.wait_for_event("deferred", to="late@dest.example")
        one = self._only_policy(self._mailed(gateway, reader)[2])
        self.assertEqual((one["policy"]["policy-type"], one["policy"]["policy-domain"]), ("tlsa", "mx1.dest.example"))
        self.assertRegex(one["policy"]["policy-string"][0], r"^3 1 1 [0-9A-F]{64}$")
        self.assertEqual(one["summary"]["total-successful-session-count"], 1)
        self.assertEqual(one["failure-details"][0]["result-type"], "validation-failure")

    def test_what_is_wrong_with_a_policy(self):
        for text, name, result in ((policy("mx2.dest.example"), None, "validation-failure"),
                                   (policy("mx2.dest.example", mode="testing"), None, "validation-failure"),
                                   ("version: STSv1\r\nmode: enforce\r\n", None, "sts-policy-invalid"),
                                   (policy("mx1.dest.example"), "www.dest.example", "sts-webpki-invalid"),
                                   (None, None, "sts-policy-fetch-error")):
            with self.each(result=result, text=text):
                server = self._with_policy(text or "")
                if name:
                    server.close()
                    self.workspace.add(PolicyServer(self.workspace.host(POLICY_HOST), self.authority.issue(name), text))
                elif text is None:
                    server.close()
                reader = self._reader()
                self.receiver(tls=self.good.server_context())
                gateway = self.gateway(**self.settings)
                self.send(gateway)
                gateway.process.wait_for(lambda: self._counted(gateway), "a session that is counted")
                one = self._only_policy(self._mailed(gateway, reader)[2])
                self.assertEqual(one["policy"]["policy-type"], "sts")
                self.assertEqual([failure["result-type"] for failure in one["failure-details"]], [result])

    def test_nobody_asks(self):
        self.receiver()
        gateway = self.gateway(**self.settings)
        self.send(gateway, recipients="bob@silent.example")
        gateway.wait_until_empty()
        gateway.command("tls-reports", "send", "silent.example")
        gateway.process.wait_for(lambda: self._counted(gateway)[0]["state"] == "not wanted", "that nobody asks")
        self.assertIn("has no TXT record", gateway.command("tls-reports").stdout)
        self.assertEqual(gateway.events("tls-report"), [])

    def test_off_unless_it_is_wanted(self):
        self.receiver()
        gateway = self.gateway(tls={"ca_file": self.authority.certificate})
        self.send(gateway)
        gateway.wait_until_empty()
        self.assertEqual(self._counted(gateway), [])
        self.assertEqual(gateway.command("tls-reports", "send", "dest.example", check=False).returncode, 65)
        self.assertIn("nothing is counted", gateway.command("tls-reports").stdout)


if __name__ == "__main__":
    scenario.main()
