"""Whom the directory does not know is asked of the primary at once: a poll's age is never why mail is refused."""
import copy
import threading

import scenario
import smtp_client
from primary import WORLD, Primary


class AskedOnTheSpot(scenario.Scenario):
    generation = "rest"

    def setUp(self):
        super().setUp()
        self.web = self.workspace.add(Primary(self.workspace))
        self.web.control("switches", {"rest": self.generation == "rest", "soap": self.generation == "soap"})
        primary = {"name": "main", "addresses": ["127.0.0.1"]} | self.web.settings(poll_every="1d", api=self.generation)
        self.postern = self.gateway(primary=[primary], accept={"sender": "user"})
        self.postern.wait_for_event("synced")

    def _answer(self, sender):
        with smtp_client.Client(self.postern.address) as client:
            client.greet()
            return client.say(f"MAIL FROM:<{sender}>")

    def _requests(self):
        return self.web.control("requests")["count"]

    def _create(self, user):
        world = copy.deepcopy(WORLD)
        world["domains"][0]["users"].append(user)
        self.web.control("world", world)

    def test_a_user_created_just_now_may_send(self):
        self._create("newcomer")
        self.assertEqual(self._answer("newcomer@company.example").code, 250)
        asked = self._requests()
        self.assertEqual(self._answer("newcomer@company.example").code, 250)
        self.assertEqual(self._requests(), asked, "the answer is remembered")

    def test_a_domain_created_just_now_may_send(self):
        world = copy.deepcopy(WORLD)
        world["domains"].append({"name": "brandnew.example", "users": ["first"]})
        self.web.control("world", world)
        self.assertEqual(self._answer("First@brandnew.example").code, 250)
        reply = self._answer("second@brandnew.example")
        self.assertIn((reply.code, reply.enhanced), ((550, "5.7.1"), (550, "5.1.8")), reply)
        asked = self._requests()
        self.assertEqual(self._answer("first@brandnew.example").code, 250)
        self.assertEqual(self._answer("second@brandnew.example").code, 550)
        self.assertEqual(self._requests(), asked, "the answers are remembered")
        self.postern.command("sync")
        self.postern.process.wait_for(lambda: self._answer("second@brandnew.example").enhanced == "5.1.8", "the domain's reading")
        self.assertEqual(self._answer("first@brandnew.example").code, 250)

    def test_who_does_not_exist_is_refused_and_asked_about_once(self):
        reply = self._answer("nobody@company.example")
        self.assertEqual((reply.code, reply.enhanced), (550, "5.1.8"), reply)
        asked = self._requests()
        self.assertEqual(self._answer("nobody@company.example").code, 550)
        self.assertEqual(self._requests(), asked, "the answer is remembered")

    def test_invented_addresses_cost_the_primary_a_trickle(self):
        before, codes = self._requests(), []
        def flood(part):
            for n in range(50):
                codes.append(self._answer(f"invented{part}-{n}@company.example").code)
        threads = [threading.Thread(target=flood, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLessEqual(set(codes), {550, 451}, "451: nobody could be asked")
        self.assertEqual(len(codes), 200)
        self.assertLess(self._requests() - before, 150)
        self.assertEqual(self._answer("alice@company.example").code, 250)

    def test_with_the_primary_down_the_directory_decides(self):
        self.web.stop()
        self.assertEqual(self._answer("alice@company.example").code, 250)
        reply = self._answer("nobody@company.example")
        self.assertEqual((reply.code, reply.enhanced), (451, "4.3.0"), reply)
        self.assertEqual(self._answer("nobody@elsewhere.example").code, 550)
        self.web.start()

    def test_foreign_senders_use_up_nothing_that_our_own_need(self):
        for number in range(30):
            self.assertEqual(self._answer(f"someone@foreign{number}.example").code, 550)
        for number in range(3):
            self._create(f"new{number}")
            self.assertEqual(self._answer(f"new{number}@company.example").code, 250)


class AskedOverSoap(AskedOnTheSpot):
    generation = "soap"


if __name__ == "__main__":
    scenario.main()
