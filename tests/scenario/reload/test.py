"""SIGHUP takes a changed file without dropping a session; a faulty one is refused and the old one stays."""
import samples
import scenario
import smtp_client
from certificates import Authority


class Reload(scenario.Scenario):
    def _size(self, gateway):
        with smtp_client.Client(gateway.address) as client:
            return next(line for line in client.greet().text.split("\n") if line.startswith("SIZE"))

    def test_a_changed_file_is_taken(self):
        receiver = self.receiver()
        gateway = self.gateway(queue={"message_size": "1MiB"})
        with smtp_client.Client(gateway.address) as client:
            client.greet()
            self.assertEqual(client.say("MAIL FROM:<alice@company.example>").code, 250)
            gateway.reload(queue={"message_size": "2MiB"})
            gateway.process.wait_for(lambda: self._size(gateway) == f"SIZE {2 << 20}", "the new limit")
            self.assertEqual(client.say("RCPT TO:<bob@dest.example>").code, 250)
            self.assertEqual(client.data(samples.simple()).code, 250)
        self.wait_for_messages(receiver, 1)

    def test_by_command(self):
        gateway = self.gateway(queue={"message_size": "1MiB"})
        gateway.configure(queue={"message_size": "3MiB"})
        gateway.command("reload")
        gateway.process.wait_for(lambda: self._size(gateway) == f"SIZE {3 << 20}", "the new limit")

    def test_a_faulty_file_is_refused(self):
        receiver = self.receiver()
        gateway = self.gateway(queue={"message_size": "1MiB"})
        good = gateway.configuration_file.read_text()
        before = gateway.log_file.stat().st_size
        gateway.reload(queue={"message_size": "many", "retry_frist": "1s"})
        gateway.process.wait_for(lambda: "retry_frist" in gateway.log_file.read_text()[before:], "the faults in the log")
        text = gateway.log_file.read_text()[before:]
        self.assertIn("queue.message_size", text)
        self.assertIn("retry_first", text)
        self.assertEqual(self._size(gateway), f"SIZE {1 << 20}")
        self.assertEqual(smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example",
                                          samples.simple()).code, 250)
        self.wait_for_messages(receiver, 1)
        gateway.configuration_file.write_text(good)

    def test_what_a_start_would_refuse_is_refused(self):
        authority = Authority(self.workspace)
        one, other = authority.issue("gw1.company.example"), authority.issue("gw2.company.example")
        gateway = self.gateway(tls={"certificate": one.certificate, "private_key": one.key})
        gateway.configure(tls={"private_key": other.key})
        for command in ("check", "reload"):
            done = gateway.command(command, check=False)
            self.assertEqual(done.returncode, 78, done.stdout + done.stderr)
            self.assertIn("tls.private_key", done.stdout + done.stderr)
        gateway.stop()
        done = gateway.command("run", check=False)
        self.assertEqual(done.returncode, 78, done.stdout + done.stderr)

    def test_what_only_a_restart_changes_is_said_each_time(self):
        gateway = self.gateway()
        former = gateway.settings["listener"]
        gateway.configure(listener=[{"address": f"{self.workspace.host(5)}:2525"}])
        for _ in range(2):
            self.assertRegex(gateway.command("reload").stdout, "only a restart.*listener")
        gateway.configure(listener=former)
        self.assertNotIn("restart", gateway.command("reload").stdout)
        gateway.configure(listener=[{"address": "192.0.2.99:2525"}])
        done = gateway.command("reload", check=False)
        self.assertEqual(done.returncode, 78)
        self.assertIn("192.0.2.99", done.stderr)

    def test_routes_change_for_the_mail_that_waits(self):
        receiver = self.receiver()
        gateway = self.gateway(gateway=[{"name": "smarthost", "address": f"{self.workspace.host(77)}:2525"}],
                               route=[{"sender": "*", "gateway": "smarthost"}])
        smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example", samples.simple())
        gateway.wait_for_event("deferred", to="bob@dest.example")
        gateway.reload(gateway=[], route=[])
        self.wait_for_messages(receiver, 1)

    def test_a_gateway_taken_away_frees_its_mail(self):
        """Also what would have waited there for an hour, and what the round-robin gateways had."""
        receiver, smarthost = self.receiver(), self.receiver(77, on={"RCPT": "450 4.2.0 not yet"})
        for kind, route in (("specified", [{"sender": "*", "gateway": "smarthost"}]), ("round-robin", [])):
            with self.subTest(kind):
                gateway = self.gateway(gateway=[{"name": "smarthost", "address": f"{self.workspace.host(77)}:2525", "type": kind}],
                                       route=route, queue={"retry_first": "1h", "retry_max": "2h"})
                before, deferred = len(receiver.messages), len(gateway.events("deferred"))
                for n in range(3):
                    smtp_client.send(gateway.address, "alice@company.example", f"bob{n}@dest.example", samples.simple())
                gateway.process.wait_for(lambda: len(gateway.events("deferred")) == deferred + 3, "three deferrals")
                gateway.reload(gateway=[], route=[])
                self.wait_for_messages(receiver, before + 3)
                gateway.wait_until_empty()
                gateway.stop()
        self.assertEqual(smarthost.messages, [])


if __name__ == "__main__":
    scenario.main()
