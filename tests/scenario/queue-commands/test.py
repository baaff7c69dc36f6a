"""postern queue list, show, retry, delete, and status."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))

import datetime
import json

import samples
import scenario
import smtp_client


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
        self.postern.command("queue", "release", "--held")
        self.assertEqual(self.postern.command("queue", "delete", "0" * len(one), check=False).returncode, 66)
        self.assertEqual(self.postern.command("queue", "delete", one, other).returncode, 0)
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
        self.assertIn("3", text)
        self.assertEqual(json.loads(self.postern.command("status", "--json").stdout)["queue"]["messages"], 3)

    def test_a_gateway_that_does_not_run_is_said_so(self):
        self.postern.stop()
        done = self.postern.command("queue", "list", check=False)
        self.assertEqual(done.returncode, 69)
        self.assertIn("running", done.stderr)


if __name__ == "__main__":
    scenario.main()
