"""postern queue list, show, retry, delete, and status."""
import datetime
import json
import os
import subprocess

import samples
import scenario
import smtp_client
from gateway import BINARY


class QueueCommands(scenario.Scenario):
    def setUp(self):
        super().setUp()
        self.destination = self.receiver(on={"RCPT": "450 4.7.1 greylisted"})
        self.postern = self.gateway(queue={"retry_first": "1h", "retry_max": "4h"})
        for n in range(3):
            smtp_client.send(self.postern.address, f"user{n}@company.example",
                             [f"bob{n}@dest.example", f"eve{n}@dest.example"], samples.simple(f"number {n}"))
        self.postern.process.wait_for(lambda: len(self.postern.events("deferred")) >= 6, "six deferrals")
        self.postern.process.wait_for(lambda: all(r["state"] == "waiting" for m in self.postern.messages()
                                                  for r in m["recipients"]), "waiting recipients")

    def _ids(self):
        return {message["from"]: message["id"] for message in self.postern.messages()}

    def test_list_and_show_say_why(self):
        ids = self._ids()
        self.assertEqual(set(ids), {f"user{n}@company.example" for n in range(3)})
        text = self.postern.command("queue", "list").stdout
        for sender, id in ids.items():
            self.assertIn(id, text)
            self.assertIn(sender, text)
        shown = self.postern.command("queue", "show", ids["user1@company.example"]).stdout
        for word in ("bob1@dest.example", "eve1@dest.example", "greylisted", "mx:dest.example"):
            self.assertIn(word, shown)
        self.assertNotEqual(self.postern.command("queue", "show", "0" * 16, check=False).returncode, 0)

    def test_the_next_attempt_lies_ahead(self):
        """Also when the whole destination is down, and tried again before the message's own time."""
        self.destination.close()
        smtp_client.send(self.postern.address, "late@company.example", "bob@dest.example", samples.simple())
        self.postern.wait_for_event("deferred", **{"from": "late@company.example"})
        now = datetime.datetime.now(datetime.timezone.utc)
        for message in self.postern.messages():
            for recipient in message["recipients"]:
                self.assertGreater(datetime.datetime.fromisoformat(recipient["next"]), now, message)

    def test_sorted_chosen_by_age_and_counted(self):
        ids = self._ids()
        smtp_client.send(self.postern.address, "big@company.example", "bob@dest.example", samples.of_size(20_000))
        self.postern.wait_for_event("deferred", **{"from": "big@company.example"})

        def senders(*options):
            done = self.postern.command("queue", "list", "--json", *options)
            return [m["from"].split("@")[0] for m in json.loads(done.stdout)["messages"]]
        oldest_first = ["user0", "user1", "user2", "big"]
        self.assertEqual(senders(), oldest_first)
        self.assertEqual(senders("--sort", "newest"), oldest_first[::-1])
        self.assertEqual(senders("--sort", "newest", "--offset", "1", "--limit", "2"), ["user2", "user1"])
        self.assertEqual(senders("--sort", "size")[0], "big")
        self.assertEqual(len(senders("--sort", "next")), 4)
        self.assertEqual(self.postern.command("queue", "list", "--older", "1d", check=False).returncode, 66)
        self.assertEqual(self.postern.command("queue", "delete", "--older", "1d", check=False).returncode, 66)
        self.assertEqual(senders("--older", "1ms"), oldest_first)

        counted = json.loads(self.postern.command("queue", "summary", "--json").stdout)
        self.assertEqual((counted["messages"], counted["recipients"]), (4, 7))
        self.assertEqual([(d["route"], d["messages"]) for d in counted["destinations"]], [("mx:dest.example", 4)])
        self.assertEqual(sum(s["messages"] for s in counted["senders"]), 4)
        self.assertIn("greylisted", counted["reasons"][0]["reason"])
        self.postern.command("queue", "hold", ids["user0@company.example"])
        counted = json.loads(self.postern.command("queue", "summary", "--held", "--json").stdout)
        self.assertEqual((counted["messages"], counted["held"]), (1, 2))
        text = self.postern.command("queue", "summary").stdout
        for word in ("DESTINATION", "mx:dest.example", "SENDER", "<big@company.example>", "WHY", "2 recipients held"):
            self.assertIn(word, text)
        self.assertEqual(self.postern.command("queue", "summary", "--sender", "nobody.example", check=False).returncode, 66)
        status = self.postern.json("/v1/status")["queue"]
        self.assertEqual(status["held"], 1)
        oldest = next(m["arrived"] for m in self.postern.messages() if m["from"].startswith("user0@"))
        self.assertEqual(status["oldest"][:19], oldest[:19])
        self.assertIn("postern_queue_held_messages 1\n", self.postern.http("/metrics")[1])
        self.assertIn("1 held", self.postern.command("status").stdout)

    def test_every_queue_command_says_that_nothing_matched(self):
        nobody = ["--sender", "nobody.example"]
        for command in (["list", *nobody], ["summary", *nobody], ["retry", *nobody], ["hold", *nobody], ["release", *nobody],
                        ["bounce", *nobody], ["delete", *nobody], ["move", *nobody, "--rules"], ["show", "0" * 13]):
            with self.subTest(command=command):
                self.assertEqual(self.postern.command("queue", *command, check=False).returncode, 66)

    def test_times_are_local(self):
        os.environ["TZ"] = "Pacific/Kiritimati"
        self.addCleanup(os.environ.pop, "TZ")
        text = self.postern.command("queue", "list").stdout
        self.assertRegex(text, r"\d\d:\d\d:\d\d \+14 \(")
        self.assertNotRegex(text, r"\d\dZ")
        self.assertRegex(self.postern.command("queue", "list", "--json").stdout, r'T\d\d:\d\d:\d\d\.\d{3}Z"')
        self.assertIn(" +14 (", self.postern.command("status").stdout)

    def test_retry_now(self):
        self.destination.on.clear()
        self.postern.command("queue", "retry", self._ids()["user0@company.example"])
        self.wait_for_messages(self.destination, 1)
        self.postern.command("queue", "retry", "--sender", "user1@company.example")
        self.wait_for_messages(self.destination, 2)
        self.postern.command("queue", "retry", "--recipient", "dest.example")
        self.wait_for_messages(self.destination, 3)
        self.postern.wait_until_empty()

    def test_what_is_held_is_found_and_several_are_named_at_once(self):
        ids = self._ids()
        one, other = ids["user0@company.example"], ids["user1@company.example"]
        self.assertEqual(self.postern.command("queue", "list", "--held", check=False).returncode, 66)
        self.postern.command("queue", "hold", one, other)
        listed = self.postern.command("queue", "list", "--held").stdout
        self.assertIn(one, listed)
        self.assertNotIn(ids["user2@company.example"], listed)
        page = json.loads(self.postern.command("queue", "list", "--held", "--offset", "1", "--json").stdout)
        self.assertEqual([m["id"] for m in page["messages"]], [max(one, other)])
        self.assertEqual(self.postern.wait_for_event("held", id=one)["to"], "bob0@dest.example, eve0@dest.example")
        self.postern.command("queue", "release", "--held")
        self.assertEqual(self.postern.command("queue", "delete", "0" * len(one), check=False).returncode, 66)
        self.assertEqual(self.postern.command("queue", "delete", one, other).returncode, 0)
        self.assertEqual(self.postern.wait_for_event("removed", id=other)["to"], "bob1@dest.example, eve1@dest.example")
        self.assertEqual(len(self.postern.messages()), 1)
        self.assertTrue(self.postern.wait_for_event("changed", what=f"queue delete: id={other}")["by"])

    def test_a_message_is_found_by_what_its_sender_sees(self):
        id = self._ids()["user1@company.example"]
        accepted = self.postern.wait_for_event("accepted", id=id)
        shown = self.postern.command("queue", "show", id).stdout
        self.assertIn("number 1", shown)
        self.assertIn(accepted["message_id"], shown)
        self.assertNotIn("\nSubject:", shown)
        self.assertIn("\nSubject: number 1", self.postern.command("queue", "show", id, "--header").stdout)

    def test_mail_to_very_many_recipients_is_listed_part_by_part(self):
        """A list costs what its recipients cost: it ends behind 20,000 of them, and goes on where it is told to."""
        self.destination.close()
        self.postern.command("queue", "delete", "--all")
        paths = "".join(f"RCPT TO:<user{n}@dest.example>\r\n" for n in range(1000))
        for sender in range(21):
            with smtp_client.Client(self.postern.address) as client:
                client.greet()
                client.send(f"MAIL FROM:<list{sender}@company.example>\r\n{paths}DATA\r\n".encode())
                self.assertEqual([client.reply().code for _ in range(1002)][-1], 354)
                client.send(samples.simple() + b".\r\n")
                self.assertEqual(client.reply().code, 250)

        def page(*arguments):
            listed = json.loads(self.postern.command("queue", "list", "--json", "--limit", "1000", *arguments).stdout)
            return [m["from"] for m in listed["messages"]], listed["more"]
        first, more = page()
        self.assertEqual((len(first), more), (20, True))
        rest, more = page("--offset", "20")
        self.assertEqual((len(rest), more), (1, False))
        self.assertEqual(sorted(first + rest), sorted(f"list{n}@company.example" for n in range(21)))
        self.assertIn("go on with --offset", self.postern.command("queue", "list", "--limit", "1000").stdout)

    def test_retry_by_route(self):
        self.destination.on.clear()
        self.postern.command("queue", "retry", "--route", "mx:dest.example")
        self.wait_for_messages(self.destination, 3)

    def test_delete_sends_no_report(self):
        primary = self.receiver(scenario.PRIMARY)
        ids = self._ids()
        self.postern.command("queue", "delete", ids.pop("user0@company.example"))
        self.assertEqual(self._ids(), ids)
        self.postern.command("queue", "delete", "--sender", "user2@company.example")
        self.assertEqual(set(self._ids()), {"user1@company.example"})
        self.postern.command("queue", "delete", "--recipient", "dest.example")
        self.assertEqual(self.postern.messages(), [])
        self.assertEqual(len(self.postern.events("removed")), 3)
        self.postern.stop()
        self.postern.start()
        self.assertEqual(self.postern.messages(), [])
        self.assertEqual(primary.sessions, [])

    def test_status_in_a_glance(self):
        text = self.postern.command("status").stdout
        self.assertRegex(text, r"(?m)^queue +3 messages, ")
        self.assertRegex(text, r"(?m)^since start +3 messages accepted; ")
        self.assertEqual(json.loads(self.postern.command("status", "--json").stdout)["queue"]["messages"], 3)

    def test_a_gateway_that_does_not_run_is_said_so(self):
        self.postern.stop()
        done = self.postern.command("queue", "list", check=False)
        self.assertEqual(done.returncode, 69)
        self.assertIn("running", done.stderr)
        self.assertIn("What waits stays on disk", done.stderr)
        self.assertNotIn("on disk", self.postern.command("status", check=False).stderr)

    def test_explain_says_what_is_wrong_just_now(self):
        question = ("explain", "--from", "user0@company.example", "--to", "bob@dest.example")
        self.assertNotIn("just now", self.postern.command(*question).stdout)
        self.destination.close()
        smtp_client.send(self.postern.address, "late@company.example", "bob@dest.example", samples.simple())
        self.postern.wait_for_event("deferred", **{"from": "late@company.example"})
        told = self.postern.command(*question)
        self.assertEqual(told.returncode, 0)
        self.assertRegex(told.stdout, r"just now   it cannot be delivered there: .*; next try .* \((in \d+ s|now)\)")

    def test_who_may_not_read_the_configuration_is_told_so(self):
        if os.geteuid() != 0:
            self.skipTest("root gives itself up here")
        self.postern.stop()
        self.postern.configuration_file.chmod(0o600)
        for words, code in ((["status"], 69), (["check"], 78)):
            done = subprocess.run([BINARY, *words, "--config", self.postern.configuration_file], user="nobody", group="nogroup",
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(str(self.postern.configuration_file), done.stderr)
            self.assertIn("sudo", done.stderr)

    def test_where_bounces_go_back_to_is_down(self):
        """That a primary's own server cannot be reached is said where whoever watches looks."""
        self.postern.command("queue", "bounce", "--all")
        self.postern.process.wait_for(lambda: "mail back to primary main waits" in self.postern.http("/readyz")[1],
                                      "the readiness that tells")
        self.assertIn("DEGRADED: mail back to primary main waits", self.postern.command("status").stdout)


if __name__ == "__main__":
    scenario.main()
