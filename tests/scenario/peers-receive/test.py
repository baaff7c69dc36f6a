"""Real mail servers as mail exchangers: Postfix, Exim, OpenSMTPD, Haraka take what postern hands over, unharmed."""
import exim
import haraka
import opensmtpd
import postfix
import samples
import scenario
import smtp_client
from certificates import Authority
from maildir import Mail
from process import wait_for

EIGHT_BIT = samples.simple("eight bits", "Gr\xc3\xbc\xc3\x9fe aus K\xc3\xb6ln\r\n..\r\n.\r\n").replace(
    b"\r\n\r\n", b"\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", 1)
LARGE = samples.of_size(3 << 20)


class PeersReceive(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.certificate = Authority(self.workspace).issue("mx1.dest.example")

    def _exchange(self, peer, mails, reached):
        """Four messages, one of them by a transaction that asks for reports; `mails` gives what has arrived."""
        gateway = self.gateway()
        sent = [samples.simple("plain"), EIGHT_BIT, LARGE, samples.samples()["msg_02"]]
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            for content in sent:
                reply = client.message("alice@company.example", ["bob@dest.example", "eve@dest.example"], content,
                                       " BODY=8BITMIME RET=HDRS ENVID=QQ314159")
                self.assertEqual(reply.code, 250, reply)
        gateway.wait_until_empty()
        got = [mail.behind("gw1.company.example") for mail in mails(len(sent))]
        for content in sent:
            self.assertIn(content, got)
        self.assertEqual(gateway.events("bounced"), [])
        for event in gateway.events("delivered"):
            self.assertIn(reached, event["tls"])
        return gateway

    def _ask_for_success(self, gateway):
        """A report of success: the receiver knows DSN, so it makes one and we make none."""
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            client.say("MAIL FROM:<alice@company.example> ENVID=QQ7")
            client.say("RCPT TO:<bob@dest.example> NOTIFY=SUCCESS ORCPT=rfc822;robert@dest.example")
            self.assertEqual(client.data(samples.simple("with a report")).code, 250)
        gateway.wait_until_empty()
        self.assertEqual(gateway.events("reported"), [])

    def test_postfix(self):
        if postfix.required():
            self.skipTest(postfix.required())
        peer = self.workspace.add(postfix.Postfix(self.workspace, "mx1.dest.example", scenario.RECEIVER, ["dest.example"],
                                                  certificate=self.certificate,
                                                  local_header_rewrite_clients=""))
        gateway = self._exchange(peer, lambda count: [Mail(d.octets) for d in peer.wait_for_mail(2 * count)], "TLSv1.3")
        self._ask_for_success(gateway)
        wait_for(lambda: "sender delivery status notification" in peer.log(), "Postfix's own report of success")

    def test_exim(self):
        peer = self.workspace.add(exim.Exim(self.workspace, "mx1.dest.example", scenario.RECEIVER, self.certificate))
        gateway = self._exchange(peer, peer.wait_for_mail, "TLSv1.3")
        self.assertIn("X=TLS1.3", peer.log())
        self._ask_for_success(gateway)
        wait_for(lambda: [m for m in peer.wait_for_mail(1) if b"Original-Envelope-ID: QQ7" in m.octets
                          and b"Action: delivered" in m.octets], "Exim's own report of success")

    def test_haraka(self):
        peer = self.workspace.add(haraka.Haraka(self.workspace, "mx1.dest.example", scenario.RECEIVER, self.certificate))
        self._exchange(peer, peer.wait_for_mail, "TLSv1.3")
        for envelope in peer.envelopes():
            self.assertTrue(envelope["tls"])
            self.assertEqual(sorted(envelope["to"]), ["bob@dest.example", "eve@dest.example"])

    def test_opensmtpd(self):
        peer = self.workspace.add(opensmtpd.OpenSmtpd(self.workspace, "mx1.dest.example", scenario.RECEIVER))
        self._exchange(peer, peer.wait_for_mail, "clear text")
        for message in peer.behind.messages:
            self.assertIn("RET=HDRS", message.sender_parameters)
            self.assertIn("ENVID=QQ314159", message.sender_parameters)

    def test_opensmtpd_whose_tls_is_broken(self):
        """It offers STARTTLS and fails the handshake; the policy is opportunistic, so the mail goes in clear text."""
        peer = self.workspace.add(opensmtpd.OpenSmtpd(self.workspace, "mx1.dest.example", scenario.RECEIVER, self.certificate))
        self._exchange(peer, peer.wait_for_mail, "clear text")


if __name__ == "__main__":
    scenario.main()
