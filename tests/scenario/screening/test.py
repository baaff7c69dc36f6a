"""Mail goes out through a screening gateway and comes back, whole, without a loop; what does not come back is told."""
import email
import json
import re
import threading
import time
import unittest

import postfix
import samples
import scenario
import smtp_client
from certificates import Authority
from workspace import SMTP_PORT

FILTER = 40
FIELD = re.compile(rb"(?im)^X-Postern-Screening:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")


class Screening(scenario.Scenario):
    def _gateway(self, returns=None, extensions=("PIPELINING", "8BITMIME"), **settings):
        """`returns`: what the filter hands back of a message, as (sender, recipients, content) each; by default the same."""
        self.dest, self.primary = self.receiver(), self.receiver(scenario.PRIMARY)
        self.returns = returns or (lambda m: [(m.sender, m.recipients, m.data)])
        self.filter = self.receiver(FILTER, extensions=extensions, on={".": self._screen})
        self.filter_address = self.workspace.host(FILTER)
        return self.gateway(**{"screening": {"gateway": "dlp", "addresses": [self.filter_address]},
                               "gateway": [{"name": "dlp", "address": f"{self.filter_address}:{SMTP_PORT}", "tls": "off"}], **settings})

    def _screen(self, session, data):
        """Takes it and gives it back behind its answer."""
        message = self.filter.offered[-1]
        threading.Thread(target=self._give_back, args=(message,), daemon=True).start()
        return None

    def _give_back(self, message):
        for sender, recipients, content in self.returns(message):
            reply = smtp_client.send(self.workspace.host(1), sender, recipients, content, source=self.filter_address)
            assert reply.code == 250, reply

    def _counts(self, gateway):
        return json.loads(gateway.command("screening", "--json").stdout)

    def test_it_goes_out_through_the_filter_and_comes_back_as_it_was(self):
        gateway = self._gateway()
        for name, content in sorted(samples.samples().items()):
            with self.subTest(sample=name):
                before = len(self.dest.messages)
                self.send(gateway, content=content)
                self.wait_for_messages(self.dest, before + 1)
                self.assertEqual(samples.without_trace(self.dest.messages[-1].data, 2), content)
                self.assertRegex(self.filter.messages[-1].data, FIELD)
        gateway.wait_until_empty()
        count = len(samples.samples())
        self.assertEqual((len(self.filter.messages), len(self.dest.messages)), (count, count))
        first, back = gateway.events("accepted")[:2]
        self.assertEqual((back["screened"], back["primary"], back["client"]), (first["id"], "main", self.filter_address))
        counts = self._counts(gateway)
        self.assertEqual((counts["went"], counts["came_back"], counts["away"], counts["came_again"]), (count, count, 0, 0))

    def test_a_large_message_too(self):
        gateway = self._gateway()
        content = samples.of_size(2_000_000)
        self.send(gateway, content=content)
        self.assertEqual(samples.without_trace(self.wait_for_messages(self.dest, 1)[0].data, 2), content)

    def test_options_of_the_envelope_come_back(self):
        gateway = self._gateway()
        self.dest.extensions.append("DSN")
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            client.say("MAIL FROM:<alice@company.example> RET=HDRS ENVID=QQ314159")
            client.say("RCPT TO:<bob@dest.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;robert@dest.example")
            client.say("RCPT TO:<eve@dest.example> NOTIFY=NEVER")
            client.say("RCPT TO:<zoe@dest.example>")
            self.assertEqual(client.data(samples.simple()).code, 250)
        message = self.wait_for_messages(self.dest, 1)[0]
        self.assertEqual(re.sub(r"SIZE=\d+ ", "", message.sender_parameters), "RET=HDRS ENVID=QQ314159")
        self.assertEqual(dict(zip(message.recipients, message.recipient_parameters)),
                         {"bob@dest.example": "NOTIFY=SUCCESS,DELAY ORCPT=rfc822;robert@dest.example", "eve@dest.example": "NOTIFY=NEVER",
                          "zoe@dest.example": ""})
        self.assertEqual(set(self.filter.messages[0].recipient_parameters), {""})
        gateway.wait_until_empty()
        self.assertEqual(self.primary.messages, [])  # that the filter took it is no success

    def test_success_is_told_once_it_has_come_back_and_gone_on(self):
        gateway = self._gateway()
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            client.say("MAIL FROM:<alice@company.example>")
            client.say("RCPT TO:<bob@dest.example> NOTIFY=SUCCESS")
            self.assertEqual(client.data(samples.simple()).code, 250)
        report = email.message_from_bytes(self.wait_for_messages(self.primary, 1)[0].data)
        self.assertIn("Action: relayed", str(report))
        self.assertIn("mx1.dest.example", str(report))
        gateway.wait_until_empty()
        self.assertEqual(len(self.primary.messages), 1)

    def test_tls_that_was_required_is_required_behind_it(self):
        authority = Authority(self.workspace)
        own, theirs = authority.issue("gw1.company.example"), authority.issue("mx1.dest.example")
        gateway = self._gateway(tls={"certificate": own.certificate, "private_key": own.key, "ca_file": authority.certificate},
                                destination=[{"domain": "dest.example", "tls": "verify"}])
        for known in (False, True):
            with smtp_client.Client(gateway.address) as client:
                client.greet()
                client.start_tls(authority.client_context(), "gw1.company.example")
                client.say("EHLO primary.company.example")
                reply = client.message("alice@company.example", ["bob@dest.example"], samples.simple(), " REQUIRETLS")
                self.assertEqual(reply.code, 250, reply)
            if not known:  # the host in clear text: the sender hears of it, and the filter had it all the same
                gateway.process.wait_for(lambda: gateway.events("deferred"), "an attempt")
                self.assertEqual((len(self.filter.messages), len(self.dest.offered)), (1, 0))
                self.dest.tls = theirs.server_context()
                self.dest.extensions.append("REQUIRETLS")
        for message in self.wait_for_messages(self.dest, 2):
            self.assertTrue(message.tls)
            self.assertIn("REQUIRETLS", message.sender_parameters.split())

    def test_a_filter_that_strips_our_field_goes_on_by_its_address(self):
        gateway = self._gateway(returns=lambda m: [(m.sender, m.recipients, FIELD.sub(b"", m.data))])
        self.send(gateway)
        self.wait_for_messages(self.dest, 1)
        gateway.wait_until_empty()
        self.assertEqual(gateway.wait_for_event("accepted", client=self.filter_address)["screened"], "unknown")
        self.assertEqual(self._counts(gateway)["away"], 1)

    def test_a_field_that_was_changed_is_not_believed_and_goes(self):
        swap = bytes.maketrans(b"ABCDabcd", b"BADCbadc")

        def changed(message):
            found = FIELD.search(message.data)
            name, value = found.group().split(b":", 1)
            return [(message.sender, message.recipients, message.data.replace(found.group(), name + b":" + value.translate(swap)))]
        gateway = self._gateway(returns=changed)
        self.send(gateway)
        self.assertNotRegex(self.wait_for_messages(self.dest, 1)[0].data, FIELD)
        self.assertEqual(gateway.wait_for_event("accepted", client=self.filter_address)["screened"], "unknown")

    def test_a_field_that_was_folded_anew_is(self):
        def folded(message):
            found = FIELD.search(message.data)
            value = re.sub(rb"\s", b"", found.group().partition(b":")[2])
            field = b"x-postern-SCREENING:\r\n\t" + b"\r\n ".join(value[at:at + 30] for at in range(0, len(value), 30)) + b"\r\n"
            return [(message.sender, message.recipients, b"X-Scanned: yes\r\n" + message.data.replace(found.group(), field))]
        gateway = self._gateway(returns=folded)
        self.send(gateway)
        data = self.wait_for_messages(self.dest, 1)[0].data
        self.assertNotRegex(data, FIELD)
        self.assertIn(b"X-Scanned: yes", data)
        self.assertEqual(gateway.wait_for_event("accepted", client=self.filter_address)["screened"], gateway.events("accepted")[0]["id"])

    def test_one_that_a_primary_puts_in_goes_and_is_not_believed(self):
        gateway = self._gateway()
        self.send(gateway)
        self.wait_for_messages(self.dest, 1)
        stolen = FIELD.search(self.filter.messages[0].data).group()
        self.send(gateway, content=stolen + samples.simple("sly"))
        self.wait_for_messages(self.dest, 2)
        self.assertEqual(len(self.filter.messages), 2)
        self.assertEqual(len(FIELD.findall(self.filter.messages[1].data)), 1)
        self.assertNotIn(stolen, self.filter.messages[1].data)

    def test_one_copy_for_each_recipient(self):
        gateway = self._gateway(returns=lambda m: [(m.sender, [one], m.data) for one in m.recipients])
        self.send(gateway, recipients=["a@dest.example", "b@dest.example", "c@dest.example"])
        self.wait_for_messages(self.dest, 3)
        gateway.wait_until_empty()
        counts = self._counts(gateway)
        self.assertEqual((counts["went"], counts["came_back"], counts["away"], counts["came_again"]), (1, 1, 0, 0))

    def test_twice_is_delivered_twice_and_told(self):
        gateway = self._gateway(returns=lambda m: 2 * [(m.sender, m.recipients, m.data)])
        self.send(gateway)
        self.wait_for_messages(self.dest, 2)
        gateway.process.wait_for(lambda: self._counts(gateway)["came_again"] == 1, "the second return")

    def test_what_does_not_come_back_is_counted_and_told_over_a_restart(self):
        gateway = self._gateway(returns=lambda m: [] if b"secret" in m.data else [(m.sender, m.recipients, m.data)],
                                screening={"gateway": "dlp", "addresses": [self.workspace.host(FILTER)], "expected_within": "10s"})
        for subject in ["secret"] + 3 * ["fine"]:
            self.send(gateway, content=samples.simple(subject))
        self.wait_for_messages(self.dest, 3)
        gateway.wait_until_empty()
        self.assertEqual((self._counts(gateway)["away"], self._counts(gateway)["missing"]), (1, 0))
        gateway.stop()
        gateway.start()
        self.assertEqual(self._counts(gateway)["away"], 1)
        told = gateway.wait_for_event("not-back", deadline=120.0)
        self.assertEqual((told["gateway"], told["messages"], told["from"]), ("dlp", 1, "alice@company.example"))
        self.assertIn("1 message has not come back from the screening gateway dlp", gateway.http("/readyz")[1])
        shown = gateway.command("screening").stdout
        self.assertIn("4 messages went, 3 came back, 1 are there now", shown)
        self.assertIn(told["example"], shown)

    def test_no_route_leads_there(self):
        gateway = self._gateway()
        gateway.configure(route=[{"sender": "*", "gateway": "dlp"}])
        done = gateway.command("check", check=False)
        self.assertEqual(done.returncode, 78)
        self.assertIn("screening.of", done.stdout + done.stderr)
        gateway.command("route", "set", "--sender", "*", "dlp", check=False)
        self.send(gateway)
        self.wait_for_messages(self.dest, 1)
        gateway.wait_until_empty()
        self.assertEqual(len(self.filter.messages), 1)

    def test_nobody_elses_mail_comes_back_from_there(self):
        gateway = self._gateway()
        reply = smtp_client.send(gateway.address, "a@b.example", "c@dest.example", samples.simple(), source=self.workspace.host(scenario.STRANGER))
        self.assertEqual((reply.code, reply.enhanced), (550, "5.7.1"))

    def test_mail_waits_while_the_filter_is_down_or_disabled(self):
        gateway = self._gateway()
        self.filter.stop_listening()
        self.send(gateway)
        gateway.wait_for_event("deferred", route="gateway:dlp")
        gateway.command("gateway", "disable", "dlp")
        self.send(gateway)
        time.sleep(3)
        self.assertEqual((len(self.dest.messages), gateway.queued()), (0, 2))
        self.filter.start()
        time.sleep(2)
        self.assertEqual((len(self.filter.messages), gateway.queued()), (0, 2))
        gateway.command("gateway", "enable", "dlp")
        self.wait_for_messages(self.dest, 2)

    def test_the_chosen_senders_only_and_bounces_come_home(self):
        gateway = self._gateway(screening={"gateway": "dlp", "addresses": [self.workspace.host(FILTER)], "of": ["company.example"]})
        self.dest.on["RCPT"] = lambda session, path: "550 5.1.1 nobody" if path.startswith("no") else None
        self.send(gateway, recipients="no@dest.example")
        self.wait_for_messages(self.primary, 1)
        self.send(gateway, sender="x@other.example")
        self.wait_for_messages(self.dest, 1)
        gateway.wait_until_empty()
        self.assertEqual(len(self.filter.messages), 1)
        said = gateway.command("explain", "--from", "alice@company.example", "--to", "bob@dest.example").stdout
        self.assertIn("it goes through screening.gateway first, and comes back", said)

    @unittest.skipIf(postfix.required(), postfix.required() or "")
    def test_postfix_as_the_filter(self):
        self.dest, self.primary = self.receiver(extensions=("PIPELINING", "DSN", "8BITMIME")), self.receiver(scenario.PRIMARY)
        address = self.workspace.host(FILTER)
        self.workspace.add(postfix.Postfix(self.workspace, "dlp", FILTER, relayhost=self.workspace.host(1),
                                           header_checks="regexp:{{/^Subject:/ PREPEND X-Scanned: yes}}"))
        gateway = self.gateway(screening={"gateway": "dlp", "addresses": [address]},
                               gateway=[{"name": "dlp", "address": f"{address}:{SMTP_PORT}", "tls": "off"}])
        for at in range(20):
            with smtp_client.Client(gateway.address) as client:
                client.greet()
                client.say("MAIL FROM:<alice@company.example> ENVID=QQ")
                client.say(f"RCPT TO:<bob{at}@dest.example> NOTIFY=SUCCESS ORCPT=rfc822;b@x.example")
                client.say(f"RCPT TO:<eve{at}@dest.example>")
                self.assertEqual(client.data(samples.simple()).code, 250)
        messages = self.wait_for_messages(self.dest, 20)
        gateway.wait_until_empty()
        for message in messages:
            self.assertNotRegex(message.data, FIELD)
            self.assertIn(b"X-Scanned: yes", message.data)
            self.assertIn("ENVID=QQ", message.sender_parameters)
            self.assertEqual(sorted(message.recipient_parameters), ["", "NOTIFY=SUCCESS ORCPT=rfc822;b@x.example"])
        self.assertEqual((len(messages), self.primary.messages), (20, []))
        counts = self._counts(gateway)
        self.assertEqual((counts["went"], counts["came_back"], counts["away"]), (20, 20, 0))


if __name__ == "__main__":
    scenario.main()
