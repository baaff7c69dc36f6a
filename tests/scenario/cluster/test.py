"""Three gateways for one primary are one policy; whatever becomes of what they share through, mail goes on."""
import json
import re
import signal
import threading

import certificates
import samples
import scenario
import smtp_client
from cluster import NAMES, ClusterScenario
from process import wait_for
from redis_server import RedisServer

HOURLY = 300


class Cluster(ClusterScenario):
    def _flood(self, gateway, sender, stop=15):
        """One recipient after the other, in one message each, until that many in a row are refused. How many were taken."""
        taken, refused = 0, 0
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            while refused < stop:
                reply = client.message(sender, [f"r{taken}@dest.example"], samples.simple())
                if reply.code == 250:
                    taken, refused = taken + 1, 0
                else:
                    self.assertEqual(reply.code, 450, reply)
                    refused += 1
                    client.say("RSET")
        return taken

    def _flood_all(self, gateways, sender="alice@company.example"):
        """All at once: how many each took."""
        taken = [0] * len(gateways)

        def one(at):
            taken[at] = self._flood(gateways[at], sender)
        threads = [threading.Thread(target=one, args=(at,)) for at in range(len(gateways))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return taken

    @staticmethod
    def _explained(gateway, sender="alice@company.example"):
        return gateway.command("explain", "--from", sender, "--to", "x@dest.example", check=False).stdout

    LIMITS = {"user": [f"{HOURLY} recipients/1h"]}

    def test_a_limit_holds_in_sum(self):
        gateways = self._gateways(limits=self.LIMITS)
        taken = self._flood_all(gateways)
        self.assertLessEqual(sum(taken), HOURLY * 1.05, taken)
        self.assertGreaterEqual(sum(taken), HOURLY * 0.95, taken)
        self.assertTrue(all(taken), taken)
        self.assertRegex(self._explained(gateways[0]), r"\d+ through other gateways")
        self.assertIn("limits and histories are shared with mx2, mx3", self._explained(gateways[0], "bob@company.example"))
        # Nobody else is concerned.
        for gateway in gateways:
            self.send(gateway, sender="bob@company.example")

    def test_one_alone_may_take_all_of_it(self):
        gateways = self._gateways(limits=self.LIMITS)
        taken = self._flood(gateways[1], "alice@company.example")
        self.assertEqual(taken, HOURLY)
        self.assertLessEqual(self._flood(gateways[2], "alice@company.example"), HOURLY * 0.05)

    def test_many_recipients_of_one_message_wait_for_nobody_in_vain(self):
        """A message with more recipients than may be taken without a word to the others: none is refused."""
        gateways = self._gateways(limits={"user": ["200 recipients/1h"], "domain": ["40 messages/1h"]})
        recipients = [f"r{n}@dest.example" for n in range(150)]
        with smtp_client.Client(gateways[0].address) as client:
            client.greet()
            self.assertEqual(client.message("alice@company.example", recipients, samples.simple()).code, 250)
            self.assertEqual(client.refused, {})
            client.message("alice@company.example", recipients, samples.simple())
            self.assertEqual(len(client.refused), 100)

    def test_without_the_server_each_goes_by_its_share_and_gives_back_what_it_counted(self):
        gateways = self._gateways(limits=self.LIMITS)
        self.redis.kill()
        for gateway in gateways:
            gateway.wait_for_event("cluster", reached="False")
            status, body = gateway.http("/readyz")
            self.assertEqual(status, 200, body)
            self.assertIn("other gateways cannot be asked since", body)
        taken = self._flood_all(gateways)
        self.assertLessEqual(sum(taken), HOURLY * 1.05, taken)
        self.assertGreaterEqual(sum(taken), HOURLY * 0.9, taken)
        self.assertIn("this one's share of what is left is used", self._explained(gateways[0]))
        self.assertIn("one goes by a share of each limit (one of 3)", self._explained(gateways[0], "bob@company.example"))
        self.assertIn("a share of each limit (one of 3)", gateways[1].command("cluster").stdout)
        self.redis.start()  # with nothing in it
        self._wait_for_all(gateways)
        for gateway in gateways:
            self.assertNotIn("other gateways", gateway.http("/readyz")[1])
            self.assertLessEqual(self._flood(gateway, "alice@company.example"), HOURLY * 0.1)
        for gateway in gateways:
            gateway.wait_until_empty()

    def test_what_the_server_forgets_it_is_told_again(self):
        gateways = self._gateways(limits=self.LIMITS)
        self.assertEqual(self._flood(gateways[0], "alice@company.example"), HOURLY)
        key = "postern:1:count:1r0alice@company.example"
        wait_for(lambda: self.redis.cli("HGETALL", key), "what was counted")
        self.redis.cli("FLUSHALL")
        wait_for(lambda: self.redis.cli("HGETALL", key), "what was counted, once more")
        self.assertLessEqual(self._flood(gateways[1], "alice@company.example"), HOURLY * 0.05)

    def test_an_old_copy_of_what_was_shared_changes_nothing(self):
        gateways = self._gateways(limits=self.LIMITS)
        self._flood(gateways[0], "early@company.example")
        self.redis.cli("SAVE")
        self._flood(gateways[0], "late@company.example")
        self.redis.kill()
        for gateway in gateways:
            gateway.wait_for_event("cluster", reached="False")
        self.redis.start()
        self._wait_for_all(gateways)
        wait_for(lambda: self.redis.cli("HGETALL", "postern:1:count:1r0late@company.example"), "what was counted after that copy")
        for sender in ("early@company.example", "late@company.example"):
            self.assertLessEqual(self._flood(gateways[1], sender), HOURLY * 0.1)

    def test_what_a_killed_one_had_told_still_counts(self):
        gateways = self._gateways(limits=self.LIMITS)
        self.assertEqual(self._flood(gateways[0], "alice@company.example"), HOURLY)
        gateways[0].kill()
        gateways[0].start()
        self._wait_for_all(gateways)
        self.assertLessEqual(self._flood(gateways[0], "alice@company.example"), HOURLY * 0.05)

    def test_what_is_given_back_can_be_taken_elsewhere(self):
        gateways = self._gateways(limits=self.LIMITS)
        key = "postern:1:count:1r0alice@company.example"
        with smtp_client.Client(gateways[0].address) as client:
            client.greet()
            client.say("MAIL FROM:<alice@company.example>")
            for n in range(HOURLY):
                self.assertEqual(client.say(f"RCPT TO:<r{n}@dest.example>").code, 250)
            wait_for(lambda: self.redis.cli("HGETALL", key), "what is taken to be told")
            self.assertEqual(client.say("RSET").code, 250)
        wait_for(lambda: not self.redis.cli("HGETALL", key), "what was given back to be told")
        self.assertEqual(self._flood(gateways[1], "alice@company.example"), HOURLY)

    def test_a_release_is_not_undone_by_one_that_was_away(self):
        gateways = self._gateways(unusual={"mode": "enforce", "learn": "0s"})
        for at in range(6):
            self.send(gateways[0], recipients=[f"s{at}x{n}@dest.example" for n in range(25)])
        for gateway in gateways:
            gateway.wait_for_event("unusual-volume", level="slowed")
        gateways[2].stop()
        gateways[0].command("senders", "release", "alice@company.example")
        unusual = lambda gateway: json.loads(gateway.command("senders", "--json").stdout)["unusual"]
        gateways[1].process.wait_for(lambda: not unusual(gateways[1]), "what was released elsewhere")
        self.redis.cli("FLUSHALL")
        gateways[2].start()
        self._wait_for_all(gateways)
        gateways[2].process.wait_for(lambda: not unusual(gateways[2]), "what was released while it was away")
        for gateway in gateways:
            self.assertEqual(unusual(gateway), [])

    def test_whatever_is_told_keeps_nobody_from_his_turn_nor_from_his_end(self):
        """Each of these has to be on the disk before the next one is heard."""
        gateways = self._gateways(2)
        overrides = json.dumps({"version": 1, "routes": [], "gateways_enabled": {}, "egress_suspended": {}})
        for n in range(20):
            facts = [word for at in range(100) for word in ("operator.overrides", overrides.replace(
                '"egress_suspended": {}', f'"egress_suspended": {{}}, "changed": {{"gateway\\n{n}x{at}": {at + 1}}}'))]
            self.redis.cli("XADD", "postern:1:facts", "*", "from", "stranger", "instance", "i", "number", n + 1, "to", "", *facts)
        for gateway in gateways:
            gateway.process.wait_for(lambda: self._cluster(gateway)["heard"] > 0, "it to be heard")
            beat = [one for one in self._cluster(gateway)["gateways"] if one["this"]][0]["heard_seconds_ago"]
            self.assertLess(beat, 12)
            self.assertEqual(self._cluster(gateway)["state"], "reached")
            self.assertEqual(gateway.stop(), 0)

    def test_a_server_that_stands_still_keeps_no_mail_waiting(self):
        gateways = self._gateways(limits={"user": ["30 recipients/1m"]})
        self.redis.send_signal(signal.SIGSTOP)
        for gateway in gateways:
            self.send(gateway, recipients=[f"r{n}@dest.example" for n in range(8)])
            gateway.wait_for_event("cluster", reached="False")
        self.redis.send_signal(signal.SIGCONT)
        self._wait_for_all(gateways)
        self.wait_for_messages(self.dest, 3)

    def test_somebody_elses_keys_are_told_and_left_alone(self):
        self.redis.cli("SET", "postern:1:gateways", "precious")
        self.redis.cli("SET", "other:1:facts", "precious too")
        gateway = self._gateways(1, started=False)[0]
        gateway.start()
        told = gateway.wait_for_event("cluster", reached="False")
        self.assertRegex(told["reason"], r"WRONGTYPE.*keys that begin with \"postern:1:\" are somebody else's; give another cluster.prefix")
        self.send(gateway)
        gateway.stop()
        gateway.configure(cluster={"prefix": "other"})
        gateway.start()
        gateway.process.wait_for(lambda: "WRONGTYPE" in self._cluster(gateway)["reason"], "the other one's stream to be told")
        gateway.stop()
        gateway.configure(cluster={"prefix": "mail"})
        gateway.start()
        self._wait_for_all([gateway])
        self.assertEqual(self.redis.cli("GET", "postern:1:gateways"), "precious")
        self.assertEqual(self.redis.cli("GET", "other:1:facts"), "precious too")

    def test_what_an_operator_sets_holds_at_all(self):
        gateways = self._gateways(gateway=[{"name": "g", "address": f"{self.workspace.host(31)}:2525"}], limits=self.LIMITS)
        gateways[0].command("route", "set", "--sender", "alice@company.example", "g")
        gateways[1].command("gateway", "disable", "g")
        for gateway in gateways:
            gateway.process.wait_for(lambda: "alice@company.example" in gateway.command("route", "list").stdout
                                     and "disabled" in gateway.command("gateway", "list").stdout, "what was set elsewhere")
        # It counts for all of them together, and what one sends of it the others know.
        gateways[0].command("expect", "alice@company.example", "1000", "1h")
        for gateway in gateways[1:]:
            gateway.process.wait_for(lambda: "1000" in gateway.command("senders").stdout, "what was announced elsewhere")
        # One that was away hears of it when it is back, and so does one that is new.
        gateways[2].stop()
        gateways[0].command("route", "set", "--sender", "bob@company.example", "g")
        gateways[2].start()
        gateways[2].process.wait_for(lambda: "bob@company.example" in gateways[2].command("route", "list").stdout, "a route")
        gateways[0].command("route", "unset", "--sender", "alice@company.example")
        for gateway in gateways:
            gateway.process.wait_for(lambda: "alice@company.example" not in gateway.command("route", "list").stdout, "its end")

    def test_what_one_learns_of_a_sender_all_know(self):
        gateways = self._gateways(unusual={"mode": "enforce", "learn": "0s"})
        for at in range(6):  # 20 each: nothing that one of them alone would mind
            self.send(gateways[at % 3], recipients=[f"s{at}x{n}@dest.example" for n in range(20)])
        for gateway in gateways:
            gateway.process.wait_for(lambda: "120 recipients in the last hour" in
                                     self._explained(gateway), "all that was sent, at each of them")
        self.send(gateways[0], recipients=[f"t{n}@dest.example" for n in range(30)])
        self.assertEqual(gateways[0].wait_for_event("unusual-volume", level="slowed")["sender"], "alice@company.example")
        for gateway in gateways[1:]:
            told = gateway.wait_for_event("unusual-volume", level="slowed")
            self.assertIn("(seen by gateway mx1)", told["why"])
            self.send(gateway, recipients=["later@dest.example"])
            gateway.wait_for_event("throttled")
        gateways[2].command("senders", "release", "alice@company.example")
        for gateway in gateways:
            gateway.wait_until_empty()

    def test_tls_and_a_password(self):
        authority = certificates.Authority(self.workspace)
        certificate = authority.issue(self.workspace.host(61))
        certificate.ca = authority.certificate
        self.redis = self.workspace.add(RedisServer(self.workspace, 61, password="open sesame", tls=certificate))
        secret = self.workspace.file("redis-password", "open sesame\n", 0o644)
        wrong = self.workspace.file("wrong-password", "closed sesame\n", 0o644)
        gateway = self._gateways(1, started=False, cluster={"password_file": wrong, "ca_file": authority.certificate})[0]
        gateway.start()
        told = gateway.wait_for_event("cluster", reached="False")
        self.assertRegex(told["reason"], r"refuses AUTH: WRONGPASS")
        gateway.stop()
        gateway.configure(cluster={"password_file": str(secret), "ca_file": ""})
        gateway.start()
        gateway.process.wait_for(lambda: "certificate" in self._cluster(gateway)["reason"], "the certificate to be refused")
        gateway.stop()
        gateway.configure(cluster={"ca_file": str(authority.certificate)})
        gateway.start()
        self._wait_for_all([gateway])
        self.assertNotIn("sesame", gateway.log_file.read_text())

    def test_two_of_one_name_are_told(self):
        gateways = self._gateways(2, started=False)
        gateways[1].configure(cluster={"name": "mx1"})
        for gateway in gateways:
            gateway.start()
        for gateway in gateways:
            gateway.process.wait_for(lambda: "another gateway is called mx1 too" in gateway.http("/readyz")[1], "its double to be told")

    def test_what_is_shown(self):
        gateways = self._gateways()
        wait_for(lambda: self._cluster(gateways[0])["polls"], "whose turn it is")
        shown = gateways[0].command("cluster").stdout
        self.assertRegex(shown, r"(?s)mx1 through 127\S+:6379: reached since .*mx[123] polls the primaries \(turn \d+\)")
        for name in NAMES:
            self.assertRegex(shown, rf"(?m)^{name} ")
        gateways[1].stop()
        gateways[0].process.wait_for(lambda: re.search(r"(?m)^mx2 .*gone", gateways[0].command("cluster").stdout), "mx2 to be missed")
        metrics = gateways[0].http("/metrics")[1]
        self.assertIn("postern_cluster_reached 1", metrics)
        self.assertIn("postern_cluster_gateways 2", metrics)
        answer = json.loads(gateways[0].command("cluster", "--json").stdout)
        self.assertEqual({one["name"]: one["live"] for one in answer["gateways"]}, {"mx1": True, "mx2": False, "mx3": True})


if __name__ == "__main__":
    scenario.main()
