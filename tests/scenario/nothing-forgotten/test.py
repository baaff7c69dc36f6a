"""Whatever waits is called when its time comes: after a restart, however much it is, whoever it waited for."""
import os
import threading

import samples
import scenario
import smtp_client
from scripted_receiver import Stall


class NothingForgotten(scenario.Scenario):
    A = 31

    def zones(self):
        return super().zones() | {"slow.example": ["@ MX 10 mx1", f"mx1 A {self.workspace.host(scenario.SECOND_RECEIVER)}"],
                                  "a.example": [f"gw A {self.workspace.host(self.A)}"]}

    def _fill(self, gateway, count, *recipients):
        def fill(numbers):
            with smtp_client.Client(gateway.address) as client:
                client.greet()
                for n in numbers:
                    to = [f"u{n}@{domain}" for domain in recipients]
                    self.assertEqual(client.message("alice@company.example", to, samples.simple()).code, 250)
        threads = [threading.Thread(target=fill, args=(range(at, count, 8),)) for at in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _all_arrive(self, gateway, receiver, count):
        gateway.wait_until_empty()
        self.assertEqual(len({r for m in receiver.messages for r in m.recipients}), count)
        self.assertEqual(len(receiver.messages), count)

    def test_recipients_that_were_not_tried_before_a_restart(self):
        count = 800
        down = self.receiver()
        down.stop_listening()
        slow = self.receiver(scenario.SECOND_RECEIVER, on={"RCPT": Stall})
        gateway = self.gateway(queue={"retry_first": "2s", "retry_max": "2s"})
        self._fill(gateway, count, "dest.example", "slow.example")
        gateway.process.wait_for(lambda: len(gateway.events("deferred")) >= count, "the deferred half")
        gateway.kill()
        slow.on.clear()
        gateway.start()
        gateway.process.wait_for(lambda: len(slow.messages) >= count, "the half that was not tried")
        down.start()
        self._all_arrive(gateway, down, count)

    def test_a_backlog_for_a_destination_that_is_down_at_the_start(self):
        count = int(os.environ.get("BACKLOG", "300"))
        receiver = self.receiver()
        receiver.stop_listening()
        gateway = self.gateway(queue={"retry_first": "1s", "retry_max": "3s"})
        self._fill(gateway, count, "dest.example")
        gateway.process.wait_for(lambda: len(gateway.events("deferred")) >= count, "a backlog")
        first = {}
        for event in gateway.events():
            first.setdefault(event.get("id"), event["event"])
        self.assertEqual({name for id, name in first.items() if id}, {"accepted"})
        gateway.stop()
        gateway.start()
        gateway.wait_for_event("deferred")
        receiver.start()
        self._all_arrive(gateway, receiver, count)

    def _wait_for_gateway(self, **settings):
        exchanger = self.receiver()
        gateway = self.gateway(gateway=[{"name": "a", "address": f"{self.workspace.host(self.A)}:2525",
                                         "type": "round-robin"}], **settings)
        self._fill(gateway, 10, "dest.example")
        gateway.process.wait_for(lambda: len(gateway.events("deferred")) >= 10, "mail that waits for the gateway")
        return gateway, exchanger

    def test_a_restart_without_the_gateways_that_took_turns(self):
        for change in ({"gateway": []}, {"type": "specified"}, {"status": "disabled"}):
            with self.each(change=change):
                gateway, exchanger = self._wait_for_gateway()
                gateway.stop()
                one = {"name": "a", "address": f"{self.workspace.host(self.A)}:2525", "type": "round-robin"}
                gateway.configure(gateway=change.get("gateway", [{**one, **change}]))
                gateway.start()
                self._all_arrive(gateway, exchanger, 10)

    def test_a_gateway_is_disabled_just_before_a_kill(self):
        gateway, exchanger = self._wait_for_gateway()
        gateway.command("gateway", "disable", "a")
        gateway.kill()
        gateway.start()
        self._all_arrive(gateway, exchanger, 10)

    def test_a_name_server_that_is_silent_for_a_moment(self):
        a = self.receiver(self.A)
        gateway = self.gateway(gateway=[{"name": "a", "address": "gw.a.example:2525", "type": "round-robin"}],
                               dns={"timeout": "1s"})
        self.name_server.fall_silent()
        self._fill(gateway, 20, "dest.example")
        gateway.process.wait_for(lambda: len(gateway.events("deferred")) >= 20, "failed look-ups")
        self.name_server.speak()
        self._all_arrive(gateway, a, 20)


if __name__ == "__main__":
    scenario.main()
