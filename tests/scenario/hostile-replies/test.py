"""What receivers say may be endless, broken or dangerous: it ends in a retry or a bounce with their words, escaped."""
import email

import samples
import scenario
from scripted_receiver import Close, Drip, Raw, Stall


class HostileReplies(scenario.Scenario):
    IMPATIENT = {"connect_timeout": "2s", "command_timeout": "1s", "data_timeout": "1s"}

    def _once(self, stage, answer, offered=1, **settings):
        """The first connection misbehaves; the mail arrives by a later one, once."""
        receiver = self.receiver()
        receiver.on[stage] = lambda session, _: answer if session.number == 0 else None
        gateway = self.gateway(delivery=self.IMPATIENT, **settings)
        self.send(gateway)
        gateway.wait_until_empty()
        self.assertEqual(gateway.events("bounced"), [])
        self.assertEqual([m.recipients for m in receiver.messages], [("bob@dest.example",)])
        self.assertEqual(len(receiver.offered), offered)
        return gateway

    def _each(self, cases):
        for stage, answer, *offered in cases:
            with self.each(stage=stage, answer=type(answer).__name__):
                self._once(stage, answer, *offered)

    def test_replies_without_end(self):
        endless = Raw(b"250-more\r\n" * 200000)
        self._each([("MAIL", endless), ("RCPT", endless), ("DATA", Raw(b"354-more\r\n" * 200000)), (".", endless, 2)])

    def test_megabytes_in_one_line(self):
        line = Raw(b"250 " + b"x" * (2 << 20))
        self._each([("MAIL", line), ("RCPT", line), (".", line, 2)])

    def test_replies_that_never_come_or_come_octet_by_octet(self):
        self._each([("DATA", Stall), ("RCPT", Drip("250 " + "x" * 400, 0.2)), (".", Drip("250 " + "x" * 400, 0.2), 2)])

    def test_codes_out_of_place(self):
        self._each([("banner", "354 go"), ("EHLO", "354 go"), ("MAIL", "354 go"), ("RCPT", "334 go"), (".", "354 more", 2),
                    ("DATA", "250 ok"), ("RCPT", Raw(b"\r\n")), ("MAIL", Raw(b"25\r\n")), (".", Raw(b"000 ok\r\n"), 2)])

    def test_a_yes_of_the_wrong_kind(self):
        """221 to MAIL and 235 to RCPT are a yes by their first digit; the server then contradicts itself."""
        for stage, answer, words in (("MAIL", "221 bye", b"MAIL first"), ("RCPT", "235 hello", b"no recipients")):
            with self.each(stage=stage):
                receiver = self.receiver(on={stage: lambda session, _, answer=answer: answer if session.number == 0 else None})
                primary = self.receiver(scenario.PRIMARY)
                gateway = self.gateway()
                self.send(gateway)
                gateway.wait_until_empty()
                self.assertEqual(len(receiver.messages) + len(primary.messages), 1)
                self.assertTrue(all(words in report.data for report in primary.messages))

    def test_one_reply_too_many(self):
        """Whatever it is behind, nobody is told what was said of another; and it goes by the next session."""
        extensions = Raw(b"250-mx.dest.example\r\n250 PIPELINING\r\n250 again\r\n")
        for stage, answer in (("banner", Raw(b"220 mx.dest.example\r\n220 again\r\n")), ("EHLO", extensions), ("MAIL", Raw(b"250 ok\r\n250 ok\r\n")),
                              ("RCPT", Raw(b"250 ok\r\n450 not now\r\n")), ("DATA", Raw(b"550 5.1.1 not here\r\n354 go on\r\n")),
                              ("DATA", Raw(b"354 go on\r\n250 ok\r\n"))):
            with self.each(stage=stage, answer=answer.octets):
                receiver, primary = self.receiver(), self.receiver(scenario.PRIMARY)
                receiver.on["RCPT"] = lambda session, path: "550 5.1.1 not here" if path.startswith("u1@") else None
                refuse = receiver.on["RCPT"]
                receiver.on[stage] = lambda session, what, stage=stage, answer=answer: (
                    answer if session.number == 0 and (stage != "RCPT" or what.startswith("u0@")) else refuse(session, what) if stage == "RCPT" else None)
                gateway = self.gateway(delivery=self.IMPATIENT)
                self.send(gateway, recipients=[f"u{n}@dest.example" for n in range(4)])
                gateway.wait_until_empty()
                self.assertEqual([event["to"] for event in gateway.events("bounced")], ["u1@dest.example"])
                self.assertEqual([m.recipients for m in receiver.messages], [tuple(f"u{n}@dest.example" for n in (0, 2, 3))])
                self.wait_for_messages(primary, 1)

    def test_a_second_reply_behind_the_dot(self):
        """Success counts, and is not asked for again; a refusal counts when it is told twice."""
        for octets, offered, bounced in ((b"250 taken\r\n550 no\r\n", 1, 0), (b"250 taken\r\n250 twice\r\n", 1, 0),
                                         (b"550 no\r\n250 taken\r\n", 2, 0), (b"550 no\r\n554 no\r\n", 1, 1)):
            with self.each(octets=octets):
                receiver, primary = self.receiver(), self.receiver(scenario.PRIMARY)
                receiver.on["."] = lambda session, _, octets=octets: Raw(octets) if session.number == 0 else None
                gateway = self.gateway(delivery=self.IMPATIENT)
                self.send(gateway)
                gateway.wait_until_empty()
                self.assertEqual((len(receiver.offered), len(gateway.events("bounced"))), (offered, bounced))
                self.send(gateway, recipients="next@dest.example")
                gateway.wait_until_empty()
                self.assertEqual(receiver.messages[-1].recipients, ("next@dest.example",))
                self.assertEqual(len(primary.messages), bounced)

    def test_421_in_the_middle_of_pipelining(self):
        receiver = self.receiver()

        def answer(session, path):
            if session.number == 0 and len(session.recipients) == 3:
                return "421 4.3.2 going down"
            return None
        receiver.on["RCPT"] = answer
        gateway = self.gateway()
        self.send(gateway, recipients=[f"u{n}@dest.example" for n in range(10)])
        gateway.wait_until_empty()
        got = sorted(r for m in receiver.messages for r in m.recipients)
        self.assertEqual(got, sorted(f"u{n}@dest.example" for n in range(10)))

    def test_closing_in_the_middle_of_pipelining(self):
        receiver = self.receiver()
        receiver.on["RCPT"] = lambda session, _: Close if session.number == 0 and len(session.recipients) == 3 else None
        gateway = self.gateway()
        self.send(gateway, recipients=[f"u{n}@dest.example" for n in range(10)])
        gateway.wait_until_empty()
        got = sorted(r for m in receiver.messages for r in m.recipients)
        self.assertEqual(got, sorted(f"u{n}@dest.example" for n in range(10)))

    def test_a_lost_250_means_one_more_copy_and_no_more(self):
        self._once(".", Close, 2)

    def test_half_of_the_recipients(self):
        receiver, primary = self.receiver(), self.receiver(scenario.PRIMARY)
        seen = set()

        def answer(session, path):
            number = int(path[1:].split("@")[0])
            if number % 3 == 0:
                return "550 5.1.1 not here"
            if number % 3 == 1 and path not in seen:
                seen.add(path)
                return "450 4.2.1 not now"
            return None
        receiver.on["RCPT"] = answer
        gateway = self.gateway()
        self.send(gateway, recipients=[f"u{n}@dest.example" for n in range(30)])
        gateway.wait_until_empty()
        got = [r for m in receiver.messages for r in m.recipients]
        self.assertEqual(sorted(got), sorted(f"u{n}@dest.example" for n in range(30) if n % 3))
        report = primary.messages[0].data.decode()
        self.assertEqual([n for n in range(30) if f"; u{n}@dest.example" in report], list(range(0, 30, 3)))

    def test_control_characters_are_escaped_wherever_they_are_shown(self):
        receiver, primary = self.receiver(), self.receiver(scenario.PRIMARY)
        receiver.on["RCPT"] = Raw(b"550-5.1.1 a\x1b[2Jb\x00c\rd%s%n\x9b31m\r\n550 5.1.1 \xff\xfe\"<b>\ttab\r\n")
        gateway = self.gateway()
        self.send(gateway)
        report = self.wait_for_messages(primary, 1)[0].data
        gateway.wait_until_empty()
        for octets in (report, gateway.log_file.read_bytes()):
            self.assertNotRegex(octets, rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
            self.assertIn(b"%s%n", octets)
        self.assertNotIn(b"\r", report.replace(b"\r\n", b""))
        self.assertTrue(report.isascii())
        status = email.message_from_bytes(report).get_payload()[1].get_payload()
        self.assertEqual(len(status), 2)
        self.assertEqual(status[1]["Action"], "failed")

    def test_a_reply_cannot_add_fields_to_the_report(self):
        receiver, primary = self.receiver(), self.receiver(scenario.PRIMARY)
        receiver.on["RCPT"] = "550-5.1.1 no\n550-\n550-Action: delivered\n550-Final-Recipient: rfc822; eve@dest.example\n550 end"
        gateway = self.gateway()
        self.send(gateway)
        report = email.message_from_bytes(self.wait_for_messages(primary, 1)[0].data)
        blocks = report.get_payload()[1].get_payload()
        self.assertEqual(len(blocks), 2)
        self.assertEqual(blocks[1].get_all("Action"), ["failed"])
        self.assertEqual(len(blocks[1].get_all("Final-Recipient")), 1)

    def test_extensions_without_sense(self):
        receiver = self.receiver(extensions=["PIPELINING", "SIZE", "SIZE 99999999999999999999", "AUTH " + "X" * 400, "8BITMIME junk",
                                             "\x01\x02", "LIMITS RCPTMAX=0 MAILMAX=-1", *(f"X-{n}" for n in range(90))])
        gateway = self.gateway()
        self.send(gateway)
        self.assertEqual(len(self.wait_for_messages(receiver, 1)), 1)

    def test_a_message_larger_than_the_receiver_takes(self):
        receiver, primary = self.receiver(extensions=["SIZE 10000"]), self.receiver(scenario.PRIMARY)
        gateway = self.gateway()
        self.send(gateway, content=samples.of_size(50_000))
        report = self.wait_for_messages(primary, 1)[0].data
        self.assertIn(b"5.3.4", report)
        self.assertEqual(receiver.offered, [])

    def test_a_receiver_that_takes_fewer_recipients_a_time(self):
        """The rest goes by another transaction at once (RFC 5321 §4.5.3.1.10): with pauses that grow, a message for a thousand
        would expire before its last recipient's turn."""
        receiver = self.receiver(extensions=["PIPELINING", "ENHANCEDSTATUSCODES"])
        receiver.on["RCPT"] = lambda session, _: "452 4.5.3 too many recipients" if len(session.recipients) >= 5 else None
        gateway = self.gateway(queue={"retry_first": "1h", "retry_max": "4h"})
        self.send(gateway, recipients=[f"u{n}@dest.example" for n in range(23)])
        gateway.wait_until_empty()
        got = sorted(r for m in receiver.messages for r in m.recipients)
        self.assertEqual(got, sorted(f"u{n}@dest.example" for n in range(23)))

    def test_a_receiver_of_the_old_school(self):
        """HELO only, no extension at all."""
        receiver = self.receiver(on={"EHLO": "502 5.5.2 what?"})
        gateway = self.gateway()
        self.send(gateway)
        self.assertEqual(self.wait_for_messages(receiver, 1)[0].sender_parameters, "")


if __name__ == "__main__":
    scenario.main()
