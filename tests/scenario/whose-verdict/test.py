"""A reply is a verdict about a message only when it is one: what is said of a session, of TLS or of parameters costs a new
attempt at once, not a bounce and not an hour's wait.

Each row is a receiver of its own with a domain of its own; one gateway serves all rows of a test at the same time. Pauses are
an hour, so whatever is put off shows.
"""
import collections
import random
import ssl
import threading

import samples
import scenario
import smtp_client
from certificates import Authority
from process import wait_for
from scripted_receiver import Close, Raw

Row = collections.namedtuple("Row", "on count fates options sender parameters", defaults=(1, None, None, None, ("", "")))
Row.__doc__ = """on: as of a Receiver, or a function that makes one; count: messages, one recipient each; fates: what becomes of
them when not all are delivered, by recipient; options: of the Receiver; parameters: of MAIL and RCPT"""


def later(answer, after=1):
    """For `on`: this once the session has carried `after` messages."""
    return lambda session, _: answer if session.transactions >= after else None


def ending(answer):
    """A reply after which the session is closed."""
    def say(session, _):
        session._send(answer)
        return Close
    return say


def keeps_the_envelope(reply):
    """Refuses u1's content and holds on to its envelope until RSET."""
    def dot(session, data):
        if b"<u1@" not in data and b"number 1\r\n" not in data:
            return None
        session.held = True
        return reply

    def reset(session, _):
        session.held = False
    return {".": dot, "RSET": reset, "MAIL": lambda session, _: "503 5.5.1 sender already given" if getattr(session, "held", False) else None}


def refuses_u1(**on):
    """Refuses u1's recipient, so that the next transaction of the session begins with RSET."""
    return {"RCPT": lambda session, path: "550 5.1.1 no such user" if path.startswith("u1@") else None, **on}


def last_word_while_resting(session, _):
    """Two writes, so that the second is a TLS record of its own."""
    session._send("250 2.0.0 taken")
    session.over = True
    return "421 4.4.2 idle too long"


def at_most(recipients, reply):
    return {"RCPT": lambda session, _: reply if len(session.recipients) >= recipients else None}


def in_mid_content(reply):
    def say(session, _):
        session._send("354 go on")
        for _ in range(8):
            session._more()
        if reply:
            session._send(reply)
        return Close
    return say


def in_tls(answer):
    return lambda session, _: answer if session.tls else None


def in_clear(answer):
    return lambda session, _: None if session.tls else answer


class WhoseVerdict(scenario.Scenario):
    FIRST = 30

    def setUp(self):
        super().setUp()
        self.rows = {}

    def zones(self):
        rows = {f"{name}.example": ["@ MX 10 mx", f"mx A {self.workspace.host(self.FIRST + n)}"]
                for n, name in enumerate(self.rows)}
        return super().zones() | rows

    def _receiver(self, n, name, row, gate):
        on = dict(row.on)
        dot = on.get(".")

        def hold(session, data):
            gate.wait(60)
            return dot(session, data) if callable(dot) else dot
        if row.count > 1:
            on["."] = hold
        return self.receiver(self.FIRST + n, name=f"mx.{name}.example", on=on, **(row.options or {}))

    def _play(self, rows, **settings):
        """All rows at once; checks the fates and gives gateway and receivers."""
        self.rows = rows
        self.receiver(scenario.PRIMARY)
        gate = threading.Event()
        receivers = {name: self._receiver(n, name, row, gate) for n, (name, row) in enumerate(rows.items())}
        gateway = self.gateway(queue={"retry_first": "1h", "retry_max": "4h"},
                               **{"delivery": {"per_destination": 1}, **settings})
        expected = {}
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            for name, row in rows.items():
                for n in range(row.count):
                    to = f"u{n}@{name}.example"
                    fate = (row.fates or {}).get(f"u{n}", "delivered")
                    expected[to] = fate
                    self._hand_in(client, row, to, n)
        gate.set()

        def fates():
            found = {}
            for event in gateway.events():
                if event.get("event") in ("delivered", "deferred", "bounced") and event.get("to") in expected:
                    found.setdefault(event["to"], event)
            return found
        wait_for(lambda: len(fates()) == len(expected), "a fate for everyone")
        found = fates()
        wrong = {to: found[to] for to, fate in expected.items() if found[to]["event"] != fate}
        self.assertEqual({}, wrong, f"{len(wrong)} of {len(expected)}: {sorted(wrong)}")
        return gateway, receivers, found

    def _hand_in(self, client, row, to, n):
        mail, rcpt = row.parameters
        self.assertEqual(client.say(f"MAIL FROM:<{row.sender or 'alice@company.example'}>{mail}").code, 250)
        self.assertEqual(client.say(f"RCPT TO:<{to}>{rcpt}").code, 250)
        self.assertEqual(client.data(samples.simple(f"number {n}")).code, 250)

    def test_a_session_that_is_over_costs_its_message_a_new_one(self):
        rows = {}
        for code in (554, 452):
            rows[f"kept-{code}"] = Row(keeps_the_envelope(f"{code} 5.7.1 no"[:4] + ("5.7.1 no" if code == 554 else "4.3.1 no")), 4,
                                       {"u1": "bounced" if code == 554 else "deferred"})
        for code in (503, 500, 530, 452, 451, 550, 421):
            rows[f"mail-{code}"] = Row({"MAIL": later(f"{code} that was all")}, 4)
        rows["mail-421-closed"] = Row({"MAIL": lambda session, _: ending("421 4.7.0 enough")(session, _) if session.transactions >= 2 else None}, 6)
        for code in (503, 500, 502, 421):
            rows[f"rset-{code}"] = Row(refuses_u1(RSET=f"{code} what"), 4, {"u1": "bounced"})
        rows["rset-closed"] = Row(refuses_u1(RSET=Close), 4, {"u1": "bounced"})
        rows["rcpt-503"] = Row({"RCPT": later("503 5.5.1 MAIL first")}, 4)
        rows["rcpt-421"] = Row({"RCPT": later("421 4.3.2 enough")}, 4)
        rows["data-503"] = Row({"DATA": later("503 5.5.1 RCPT first")}, 4)
        for stage in ("MAIL", "RCPT", "DATA"):
            rows[f"{stage.lower()}-closed"] = Row({stage: later(Close)}, 4)
        self._play(rows)

    def test_a_last_word_to_a_connection_that_rests(self):
        context = Authority(self.workspace).issue("mx.example").server_context()

        def gone(session, _):
            return Close if getattr(session, "over", False) else None
        # The second message finds the 421 waiting.
        on = {".": last_word_while_resting, "RSET": gone, "MAIL": gone}
        gateway, receivers, _ = self._play({"tls": Row(on, 3, None, {"tls": context}), "clear": Row(on, 3)})
        self.assertEqual({name: len(r.offered) for name, r in receivers.items()}, {"tls": 3, "clear": 3})

    def test_success_behind_the_dot_is_success_however_it_is_written(self):
        yes = {"mixed": b"250-2.0.0 queued\r\n251 forwarded\r\n", "other": b"250-\r\n220 fine\r\n",
               "no-code": b"250-first\r\ntext without code\r\n250 ok\r\n", "tab": b"250\tok\r\n", "long": b"250 " + b"x" * 5000 + b"\r\n",
               "colon": b"250:ok\r\n", "glued": b"250ok\r\n", "empty": b"250-ok\r\n\r\n250 ok\r\n"}
        gateway, receivers, _ = self._play({name: Row({".": Raw(octets)}) for name, octets in yes.items()})
        self.assertEqual({name: len(r.offered) for name, r in receivers.items()}, dict.fromkeys(yes, 1))

    def test_a_refusal_is_a_refusal_however_it_is_written(self):
        no = {"mixed": b"550-a\r\n551 b\r\n", "turned": b"450-a\r\n550 b\r\n", "no-code": b"550-first\r\nno code\r\n550 5.1.1 last\r\n",
              "tab": b"550\ttext\r\n", "colon": b"550:5.1.1 text\r\n", "digits": b"5501 text\r\n", "six": b"601 no\r\n",
              "long": b"550 " + b"x" * 5000 + b"\r\n"}
        rows = {name: Row({"RCPT": Raw(octets)}, 1, {"u0": "bounced"}) for name, octets in no.items()}
        rows["dot"] = Row({".": Raw(b"554-a\r\n550 b\r\n")}, 1, {"u0": "bounced"})
        rows["no-reply"] = Row({"EHLO": Raw(b"nothing like it\r\n")}, 1, {"u0": "deferred"})
        _, _, found = self._play(rows)
        self.assertIn("cannot be understood", str(found["u0@no-reply.example"]))

    def test_full_is_not_too_many_and_nobody_is_misquoted(self):
        words = ("552 5.2.2 mailbox full", "552 5.3.4 too big", "552 5.7.0 not from you", "552 mailbox full")
        rows = {f"full-{n}": Row({"RCPT": text}, 1, {"u0": "bounced"}) for n, text in enumerate(words)}
        _, _, found = self._play(rows)
        for n, text in enumerate(words):
            self.assertIn(text, str(found[f"u0@full-{n}.example"]))

    def test_the_recipients_that_are_too_many_go_at_once(self):
        replies = ("450 4.5.3", "451 4.5.3", "455 4.5.3", "452 4.5.3", "552 5.5.3", "550 5.5.3", "452", "552", "421 4.5.3")
        self.rows = {f"many-{n}": Row({}) for n in range(len(replies))}
        receivers = []
        for n, reply in enumerate(replies):
            on = at_most(3, f"{reply} too many recipients")
            if reply.startswith("421"):
                on["RCPT"] = lambda session, _: ending("421 4.5.3 too many recipients")(session, _) if len(session.recipients) >= 3 else None
            receivers.append(self.receiver(self.FIRST + n, on=on, extensions=["PIPELINING"] if n % 2 else []))
        gateway = self.gateway(queue={"retry_first": "1h", "retry_max": "4h"})
        everybody = [f"u{r}@many-{n}.example" for n in range(len(replies)) for r in range(10)]
        self.send(gateway, recipients=everybody)
        wait_for(lambda: len({e["to"] for name in ("delivered", "deferred", "bounced") for e in gateway.events(name)}) == len(everybody),
                 "a fate for everyone")
        self.assertEqual([e for name in ("deferred", "bounced") for e in gateway.events(name)], [])
        for receiver in receivers:
            self.assertEqual(sorted(r for m in receiver.messages for r in m.recipients), sorted(set(r for m in receiver.messages for r in m.recipients)))

    def test_tls_that_does_not_work(self):
        authority = Authority(self.workspace)
        certificate = authority.issue("mx.example")
        picky = certificate.server_context()
        picky.verify_mode = ssl.CERT_REQUIRED
        picky.load_verify_locations(authority.certificate)
        plain = {"tls": certificate.server_context()}
        later_fate = {"u0": "deferred"}
        rows = {"client-certificate": Row({}, 2, None, {"tls": picky}),
                "ehlo-closed": Row({"EHLO": in_tls(Close)}, 2, None, plain),
                "mail-closed": Row({"MAIL": in_tls(Close)}, 2, None, plain),
                "not-now": Row({"STARTTLS": "454 4.7.0 not now", "MAIL": in_clear("530 5.7.0 Must issue a STARTTLS command first")}, 1, later_fate, plain),
                "refused": Row({"STARTTLS": Close, "RCPT": in_clear("554 5.7.1 encryption required")}, 1, later_fate, plain),
                "ehlo-and-clear": Row({"EHLO": in_tls(Close), "MAIL": in_clear("554 5.7.0 TLS is required here")}, 1, later_fate, plain),
                "both-closed": Row({"EHLO": in_tls(Close), "banner": lambda session, _: Close if session.number else None}, 1, later_fate, plain),
                "never-offered": Row({"MAIL": "530 5.7.0 Must issue a STARTTLS command first"}, 1, {"u0": "bounced"})}
        _, receivers, found = self._play(rows)
        self.assertIn("closed the connection, in clear text, because TLS failed", found["u0@both-closed.example"]["reason"])
        for name in ("client-certificate", "ehlo-closed", "mail-closed"):
            self.assertEqual([m.tls for m in receivers[name].messages], [False, False], name)

    def test_tls_that_works_is_not_given_up(self):
        """A session closed at MAIL, begun before another had shown that TLS works with the host."""
        self.rows = {"hiccup": Row({})}
        both, proven = threading.Barrier(2), threading.Event()

        def mail(session, path):
            if session.number > 1:
                return None
            both.wait(60)
            return proven.wait(60) and Close if path.startswith("s1") else None
        receiver = self.receiver(self.FIRST, tls=Authority(self.workspace).issue("mx.example").server_context(), on={"MAIL": mail})
        gateway = self.gateway(queue={"retry_first": "1h", "retry_max": "4h"}, delivery={"per_destination": 2, "idle": "0s"})
        for n in range(2):
            self.send(gateway, f"s{n}@company.example", f"u{n}@hiccup.example")
        gateway.wait_for_event("delivered", to="u0@hiccup.example")
        proven.set()
        gateway.wait_until_empty()
        self.assertEqual([m.tls for m in receiver.messages], [True, True])

    def test_tls_that_is_required_is_never_given_up(self):
        plain = {"tls": Authority(self.workspace).issue("mx.example").server_context()}
        rows = {"ehlo-closed": Row({"EHLO": in_tls(Close)}, 1, {"u0": "deferred"}, plain),
                "mail-closed": Row({"MAIL": in_tls(Close)}, 1, {"u0": "deferred"}, plain)}
        _, receivers, _ = self._play(rows, delivery={"tls": "required"})
        for receiver in receivers.values():
            self.assertNotIn("MAIL", " ".join(c for s in receiver.sessions if not s.tls for c in s.commands))

    def test_a_host_that_takes_no_mail(self):
        words = "550 5.7.1 we do not know you"
        rows = {"banner": Row({"banner": "521 5.3.2 does not accept mail"}, 1, {"u0": "bounced"}),
                "ehlo": Row({"EHLO": "521 5.3.2 no mail here"}, 1, {"u0": "bounced"}),
                "both": Row({"EHLO": words, "HELO": words}, 1, {"u0": "bounced"}),
                "greeting": Row({"banner": "554 5.7.1 not now"}, 1, {"u0": "deferred"}),
                # What EHLO was told stands where HELO is told nothing.
                "then-closed": Row({"EHLO": words, "HELO": Close}, 1, {"u0": "deferred"})}
        _, _, found = self._play(rows)
        for name in ("both", "then-closed"):
            self.assertIn("we do not know you", str(found[f"u0@{name}.example"]))

    def test_parameters_that_are_not_taken_are_left_out(self):
        dsn = {"extensions": ["PIPELINING", "DSN", "SIZE 1000000"]}
        asked = (" RET=HDRS ENVID=e1", " NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x@dest.example")

        def mail(reply):
            return lambda session, _: reply if "RET=" in session.commands[-1] else None

        def rcpt(reply):
            return lambda session, _: reply if "NOTIFY=" in session.commands[-1] else None
        rows = {f"mail-{code}": Row({"MAIL": mail(f"{code} 5.5.4 RET?")}, 2, None, dsn, None, asked) for code in (555, 501, 504)}
        rows |= {f"rcpt-{code}": Row({"RCPT": rcpt(f"{code} 5.5.4 NOTIFY?")}, 2, None, dsn, None, asked) for code in (555, 501)}
        rows["size"] = Row({"MAIL": lambda session, _: "555 5.5.4 SIZE?" if "SIZE=" in session.commands[-1] else None}, 2, None, dsn)
        rows["verdict"] = Row({"RCPT": "501 5.1.3 bad address"}, 1, {"u0": "bounced"}, dsn, None, asked)
        self._play(rows)

    def test_closed_at_mail_is_about_the_message_until_another_fares_alike(self):
        self.rows = {"policy": Row({})}
        gate = threading.Event()
        receiver = self.receiver(self.FIRST, on={"MAIL": lambda session, path: Close if path.startswith("bad") else None,
                                                 ".": lambda session, _: gate.wait(60) and None})
        gateway = self.gateway(queue={"retry_first": "1h", "retry_max": "4h"}, delivery={"per_destination": 1})
        for n in range(12):
            self.send(gateway, "bad@company.example" if n % 4 == 1 else "alice@company.example", f"u{n}@policy.example")
        gate.set()
        wait_for(lambda: len({e["to"] for name in ("delivered", "deferred") for e in gateway.events(name)}) == 12, "a fate for everyone")
        self.assertEqual({e["from"] for e in gateway.events("deferred")}, {"bad@company.example"})
        self.assertEqual(len(receiver.messages), 9)

    def test_a_site_that_closes_at_every_sender_is_down(self):
        self.rows = {"all": Row({}), "one": Row({})}
        gate = threading.Event()
        receivers = [self.receiver(self.FIRST + n, on={"MAIL": lambda session, _: gate.wait(60) and Close}) for n in range(2)]
        gateway = self.gateway(queue={"retry_first": "1h", "retry_max": "4h"}, delivery={"per_destination": 1})
        for n in range(10):
            self.send(gateway, f"s{n}@company.example", f"u{n}@all.example")
            self.send(gateway, "same@company.example", f"u{n}@one.example")
        gate.set()
        wait_for(lambda: len({e["to"] for e in gateway.events("deferred")}) == 20, "a fate for everyone")
        # Two senders found out, or one for all that it had in line.
        self.assertLessEqual(len(receivers[0].sessions), 4)
        self.assertLessEqual(len(receivers[1].sessions), 2)

    def test_a_refusal_in_mid_content(self):
        context = Authority(self.workspace).issue("mx.example").server_context()
        self.rows = {"clear": Row({}), "tls": Row({})}
        self.receiver(scenario.PRIMARY)
        for n, options in enumerate(({}, {"tls": context})):
            self.receiver(self.FIRST + n, on={"DATA": in_mid_content("552 5.3.4 larger than we take")}, extensions=["PIPELINING"], **options)
        gateway = self.gateway(queue={"retry_first": "1h", "retry_max": "4h"})
        self.send(gateway, recipients=["u0@clear.example", "u0@tls.example"], content=samples.of_size(12 << 20))
        wait_for(lambda: len({e["to"] for name in ("bounced", "deferred") for e in gateway.events(name)}) == 2, "a fate for everyone")
        self.assertEqual([], gateway.events("deferred"))
        for event in gateway.events("bounced"):
            self.assertIn("larger than we take", str(event))

    def test_nobody_has_taken_what_was_not_sent_whole(self):
        """Taken in the middle of the content, and refused behind it: the final dot is not sent, and the mail waits."""
        def early(session, _):
            session._send("354 go on")
            session._more()  # and the rest of it cannot be on its way yet
            session._send("250 2.0.0 taken already")
            session._body()
            session._send("554 5.6.0 not this")
            return Close
        context = Authority(self.workspace).issue("mx.example").server_context()
        self.rows = {"clear": Row({}), "tls": Row({})}
        self.receiver(scenario.PRIMARY)
        for n, options in enumerate(({}, {"tls": context})):
            self.receiver(self.FIRST + n, on={"DATA": early}, **options)
        gateway = self.gateway(queue={"retry_first": "1h", "retry_max": "4h"})
        self.send(gateway, recipients=["u0@clear.example", "u0@tls.example"], content=samples.of_size(12 << 20))
        wait_for(lambda: len([e for name in ("delivered", "bounced", "deferred") for e in gateway.events(name)]) == 2, "a fate for everyone")
        self.assertEqual(len(gateway.events("deferred")), 2)

    def test_a_session_that_ends_in_mid_content(self):
        """The large message meets a session that has carried one: it goes again at once. A fresh one that ends alike puts it off."""
        self.rows = {"used": Row({}), "fresh": Row({})}
        gate = threading.Event()
        cut = in_mid_content("")
        used = self.receiver(self.FIRST, on={".": lambda session, _: gate.wait(60) and None,
                                             "DATA": lambda session, _: cut(session, _) if session.transactions else None})
        self.receiver(self.FIRST + 1, on={"DATA": cut})
        gateway = self.gateway(queue={"retry_first": "1h", "retry_max": "4h"}, delivery={"per_destination": 1})
        self.send(gateway, recipients="u0@used.example")
        self.send(gateway, recipients=["u1@used.example", "u1@fresh.example"], content=samples.of_size(12 << 20))
        gate.set()
        wait_for(lambda: len({e["to"] for name in ("delivered", "deferred") for e in gateway.events(name)}) == 3, "a fate for everyone")
        self.assertEqual([e["to"] for e in gateway.events("deferred")], ["u1@fresh.example"])
        self.assertEqual([session.transactions for session in used.sessions], [1, 1])

    def test_any_mixture_of_faults_comes_to_an_end(self):
        """Whatever is said and in whatever order: nobody is lost, and nothing goes round for ever."""
        chance, lock, left = random.Random(8), threading.Lock(), [40]
        answers = ("421 4.4.2 bye", "421 4.5.3 many", "450 4.7.1 later", "452 4.5.3 many", "452 full", "503 5.5.1 what", "500 what",
                   "530 sign in", "555 what", "501 what", "354 go", "250 ok", Close, Raw(b"nonsense\r\n"), Raw(b"250-a\r\n450 b\r\n"),
                   Raw(b"250 ok\r\n421 bye\r\n"))

        def fault(session, _):
            with lock:
                if left[0] == 0 or chance.random() > 0.25:
                    return None
                left[0] -= 1
                return chance.choice(answers)
        stages = ("MAIL", "RCPT", "DATA", ".", "RSET")
        receiver = self.receiver(on=dict.fromkeys(stages, fault), tls=Authority(self.workspace).issue("mx.example").server_context(),
                                 extensions=["PIPELINING", "DSN", "SIZE 1000000"])
        self.receiver(scenario.PRIMARY)
        gateway = self.gateway(queue={"retry_first": "1s", "retry_max": "1s"},
                               delivery={"per_destination": 5, "command_timeout": "1s", "data_timeout": "1s"})
        everybody = {f"u{n}-{m}@dest.example" for n in range(20) for m in range(1 + n % 4)}
        for n in range(20):
            self.send(gateway, f"s{n % 7}@company.example", [f"u{n}-{m}@dest.example" for m in range(1 + n % 4)])
        gateway.wait_until_empty()
        told = {e["to"] for name in ("delivered", "bounced") for e in gateway.events(name)}
        self.assertEqual(everybody - told, set())
        self.assertLess(len(receiver.sessions), 200)

    def test_a_recipient_named_twice_gets_it_once(self):
        receiver = self.receiver()
        gateway = self.gateway()
        self.send(gateway, recipients=["bob@dest.example", "carol@dest.example", "bob@DEST.example", "Bob@dest.example"])
        gateway.wait_until_empty()
        self.assertEqual([m.recipients for m in receiver.messages], [("bob@dest.example", "carol@dest.example", "Bob@dest.example")])

    def test_a_listing_is_seen_in_any_greeting(self):
        """The address rotates whether the refusal is one line, or its lines do not agree, or only EHLO got it."""
        words = "Client host [{client}] blocked using zen.spamhaus.org"
        pool = [self.workspace.host(n) for n in (91, 92)]

        def refused(answer):
            return lambda session, _: answer(session) if session.client == pool[0] else None
        mixed = Raw(b"220-mx.example\r\n554 5.7.1 Service unavailable; " + words.replace("{client}", pool[0]).encode() + b"\r\n")
        rows = {"mixed": Row({"banner": refused(lambda session: mixed)}),
                "helo": Row({"EHLO": refused(lambda session: "550 5.7.1 " + words.replace("{client}", session.client)),
                             "HELO": refused(lambda session: Close)})}
        _, receivers, _ = self._play(rows, egress=[{"address": a, "hostname": f"out{n}.company.example"} for n, a in enumerate(pool)])
        for receiver in receivers.values():
            self.assertEqual([m.client for m in receiver.messages], [pool[1]])

    def test_a_second_opinion_is_for_that_message_alone(self):
        self.rows = {"first": Row({}), "backup": Row({})}
        zones = self.zones
        self.zones = lambda: zones() | {"two.example": ["@ MX 10 a", "@ MX 20 b", f"a A {self.workspace.host(30)}", f"b A {self.workspace.host(31)}"]}
        gate = threading.Event()
        first = self.receiver(30, on={"RCPT": lambda session, path: "450 4.2.0 not now" if path.startswith("u3@") else None,
                                      ".": lambda session, _: gate.wait(60) and None})
        backup = self.receiver(31)
        gateway = self.gateway(delivery={"per_destination": 1})
        for n in range(20):
            self.send(gateway, recipients=f"u{n}@two.example")
        gate.set()
        gateway.wait_until_empty()
        self.assertEqual([m.recipients for m in backup.messages], [("u3@two.example",)])
        self.assertEqual(len(first.messages), 19)


if __name__ == "__main__":
    scenario.main()
