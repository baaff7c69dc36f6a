"""Which hosts are tried, in which order, and when there is none (RFC 5321 §5.1, RFC 7505)."""
import email

import samples
import scenario
import smtp_client


class MailExchangers(scenario.Scenario):
    def zones(self):
        first, second = self.workspace.host(scenario.RECEIVER), self.workspace.host(scenario.SECOND_RECEIVER)
        dead = self.workspace.host(99)
        many = [f"@ MX {n} m{n}" for n in range(1, 60)] + [f"m{n} A {dead}" for n in range(1, 59)] + [f"m59 A {second}"]
        return super().zones() | {
            "two.example": ["@ MX 10 first", "@ MX 20 second", f"first A {first}", f"second A {second}"],
            "equal.example": ["@ MX 10 a", "@ MX 10 b", f"a A {first}", f"b A {second}"],
            "dead-first.example": ["@ MX 10 dead", "@ MX 20 alive", f"dead A {dead}", f"alive A {first}"],
            "addresses.example": ["@ MX 10 mx", f"mx A {dead}", f"mx A {first}"],
            "implicit.example": [f"@ A {first}"],
            "alias.example": ["@ MX 10 mx", "mx CNAME real", f"real A {first}"],
            "null.example": ["@ MX 0 .", f"@ A {first}"],
            "no-address.example": ["@ MX 10 nowhere"],
            "nothing.example": ["www A 127.0.0.1"],
            "six.example": ["@ MX 10 mx", "mx AAAA ::1", f"mx A {first}"],
            "many.example": many,
            "late.example": [f"@ MX {n} no{n}" for n in range(1, 12)] + ["@ MX 12 good", f"good A {first}"],
            "local.example": ["@ MX 10 localhost", "@ MX 20 good", f"localhost A {first}", f"good A {second}"],
            "all-local.example": ["@ MX 10 localhost", f"localhost A {first}", "localhost AAAA ::1"],
            "mapped.example": ["@ MX 10 gw", f"gw AAAA ::ffff:{self.workspace.host(1)}"],
            "alias-domain.example": ["www CNAME dest.example.", "a CNAME b", "b CNAME a"],
            "ours.example": ["@ MX 10 first", "@ MX 20 gw", "@ MX 30 second", f"first A {first}", f"second A {second}",
                             f"gw A {self.workspace.host(1)}"],
        }

    def _to(self, domain, **settings):
        gateway = self.gateway(**settings)
        reply = smtp_client.send(gateway.address, "alice@company.example", f"bob@{domain}", samples.simple(f"to {domain}"))
        self.assertEqual(reply.code, 250)
        return gateway

    def _bounced(self, domain, status, **settings):
        primary = self.receiver(scenario.PRIMARY)
        gateway = self._to(domain, **settings)
        report = email.message_from_bytes(self.wait_for_messages(primary, 1)[0].data)
        self.assertIn(f"Status: {status}", report.as_string())
        gateway.wait_until_empty()
        self.assertEqual(len(gateway.events("bounced")), 1)
        return gateway

    def test_the_preferred_first(self):
        first, second = self.receiver(), self.receiver(scenario.SECOND_RECEIVER)
        self._to("two.example")
        self.wait_for_messages(first, 1)
        self.assertEqual(second.sessions, [])

    def test_the_last_when_the_names_of_all_others_do_not_exist(self):
        receiver = self.receiver()
        self._to("late.example")
        self.wait_for_messages(receiver, 1)

    def test_no_exchanger_is_this_machine(self):
        first, second = self.receiver(), self.receiver(scenario.SECOND_RECEIVER)
        self._to("local.example", delivery={"ignore_addresses": [self.workspace.host(scenario.RECEIVER) + "/32"]})
        self.wait_for_messages(second, 1)
        self.assertEqual(first.sessions, [])

    def test_a_domain_that_leads_to_this_machine_only(self):
        first = self.receiver()
        self._bounced("all-local.example", "5.4.6", delivery={"ignore_addresses": ["127.0.0.0/8", "::1/128"]})
        self.assertEqual(first.sessions, [])

    def test_address_literals_do_not_lead_to_this_machine(self):
        defaults = ["0.0.0.0/8", "127.0.0.0/8", "::/128", "::1/128"]
        for literal in ("[127.9.9.9]", "[0.0.0.0]", "[IPv6:::]", f"[IPv6:::ffff:{self.workspace.host(scenario.RECEIVER)}]"):
            with self.each(literal=literal):
                self._bounced(literal, "5.4.6", delivery={"ignore_addresses": defaults})

    def test_our_own_address_in_another_form(self):
        gateway = self._bounced("mapped.example", "5.4.6")
        self.assertEqual(len(gateway.events("accepted")), 1)  # it did not go round

    def test_the_second_when_the_first_is_down(self):
        second = self.receiver(scenario.SECOND_RECEIVER)
        self._to("two.example")
        self.wait_for_messages(second, 1)

    def test_the_second_when_the_first_refuses_the_session(self):
        first, second = self.receiver(on={"banner": "554 5.3.2 no service here"}), self.receiver(scenario.SECOND_RECEIVER)
        self._to("two.example")
        self.wait_for_messages(second, 1)
        self.assertEqual(first.offered, [])

    def test_the_second_when_the_first_refuses_for_now(self):
        self.receiver(on={"RCPT": "450 4.2.0 not here, not now"})
        second = self.receiver(scenario.SECOND_RECEIVER)
        self._to("two.example")
        self.wait_for_messages(second, 1)

    def test_no_second_opinion_on_a_permanent_refusal(self):
        self.receiver(on={"RCPT": "550 5.1.1 no such user"})
        second, primary = self.receiver(scenario.SECOND_RECEIVER), self.receiver(scenario.PRIMARY)
        self._to("two.example")
        self.wait_for_messages(primary, 1)
        self.assertEqual(second.offered, [])

    def test_equal_preferences_share(self):
        a, b = self.receiver(), self.receiver(scenario.SECOND_RECEIVER)
        gateway = self.gateway(delivery={"idle": "0s", "per_destination": 1})
        for n in range(40):
            smtp_client.send(gateway.address, "alice@company.example", f"u{n}@equal.example", samples.simple())
            gateway.wait_until_empty()
        self.assertEqual(len(a.messages) + len(b.messages), 40)
        self.assertGreater(min(len(a.messages), len(b.messages)), 0)

    def test_another_address_of_the_same_host(self):
        receiver = self.receiver()
        self._to("addresses.example")
        self.wait_for_messages(receiver, 1)

    def test_a_dead_host_first(self):
        receiver = self.receiver()
        self._to("dead-first.example")
        self.wait_for_messages(receiver, 1)

    def test_the_domain_itself_when_it_has_only_an_address(self):
        receiver = self.receiver()
        self._to("implicit.example")
        self.wait_for_messages(receiver, 1)

    def test_an_exchanger_that_is_an_alias(self):
        receiver = self.receiver()
        self._to("alias.example")
        self.wait_for_messages(receiver, 1)

    def test_a_domain_that_is_an_alias(self):
        receiver = self.receiver()
        self._to("www.alias-domain.example")
        self.wait_for_messages(receiver, 1)

    def test_aliases_that_go_round_in_circles_end(self):
        primary = self.receiver(scenario.PRIMARY)
        gateway = self._to("a.alias-domain.example")
        gateway.process.wait_for(lambda: primary.messages or gateway.events("deferred"), "an outcome")

    def test_no_ipv6_there(self):
        receiver = self.receiver()
        self._to("six.example")
        self.wait_for_messages(receiver, 1)

    def test_more_exchangers_than_anyone_needs_end_in_delivery_or_delay_not_in_loss(self):
        second = self.receiver(scenario.SECOND_RECEIVER)
        gateway = self._to("many.example")
        gateway.process.wait_for(lambda: second.messages or gateway.events("deferred"), "an outcome")
        self.assertEqual(gateway.events("bounced"), [])

    def test_where_we_are_an_exchanger_ourselves_only_better_ones_are_tried(self):
        """RFC 5321 §5.1: going to one behind ourselves would be going in circles."""
        second = self.receiver(scenario.SECOND_RECEIVER)
        gateway = self._to("ours.example", queue={"retry_first": "1s", "retry_max": "1s"})
        gateway.process.wait_for(lambda: len(gateway.events("deferred")) >= 3, "three deferrals")
        self.assertEqual((second.sessions, len(gateway.events("accepted"))), ([], 1))
        first = self.receiver()
        self.wait_for_messages(first, 1)

    def test_null_mx_is_returned(self):
        receiver = self.receiver()
        self._bounced("null.example", "5.1.10")
        self.assertEqual(receiver.sessions, [])

    def test_no_such_domain_is_returned(self):
        self._bounced("missing.dest.example", "5.1.2")

    def test_neither_exchanger_nor_address_is_returned(self):
        self._bounced("nothing.example", "5.1.2")

    def test_an_exchanger_without_address_is_not_replaced_by_the_domain(self):
        receiver, primary = self.receiver(), self.receiver(scenario.PRIMARY)
        gateway = self._to("no-address.example")
        gateway.process.wait_for(lambda: primary.messages or gateway.events("deferred"), "an outcome")
        self.assertEqual(receiver.sessions, [])

    def test_a_name_server_that_does_not_answer_means_later(self):
        receiver = self.receiver()
        gateway = self.gateway(dns={"stub": {"dest.example": f"{self.workspace.host(98)}@5353"}, "timeout": "1s"})
        smtp_client.send(gateway.address, "alice@company.example", "bob@dest.example", samples.simple())
        deferred = gateway.wait_for_event("deferred", to="bob@dest.example")
        self.assertEqual(deferred["stage"], "dns")
        self.assertEqual((receiver.sessions, gateway.events("bounced")), ([], []))


if __name__ == "__main__":
    scenario.main()
