"""Damaged files in state_dir: postern starts, says so, delivers the rest, and never delivers what is damaged."""
import json
import random
import re
import struct
import zlib

import samples
import scenario
import smtp_client


class DamagedSpool(scenario.Scenario):
    COUNT = 60

    def _filled(self, count=COUNT, end="stop"):
        """A gateway that has ended with `count` messages waiting, and what each must look like."""
        receiver = self.receiver()
        receiver.stop_listening()
        gateway = self.gateway()
        contents = {}
        for n in range(count):
            size = 600 << 10 if n % 20 == 0 else 2000 + 700 * n
            contents[f"u{n}@dest.example"] = samples.of_size(size, f"number {n}")
            self.assertEqual(smtp_client.send(gateway.address, "alice@company.example", f"u{n}@dest.example",
                                              contents[f"u{n}@dest.example"]).code, 250)
        getattr(gateway, end)()
        receiver.start()
        return gateway, receiver, contents

    def _segments(self, gateway):
        segments = sorted(gateway.state_dir.glob("spool/*.segment"))
        self.assertTrue(segments, [str(path) for path in gateway.state_dir.rglob("*")])
        return segments

    @staticmethod
    def _records(segment, octets):
        """(where it begins, where it ends, id, body) of each record; the format is told in relay/README.md."""
        mark = struct.pack("<Q", int(segment.stem.split("-")[1], 16))
        at = octets.find(mark)
        while at >= 0:
            length, message = struct.unpack_from("<IQ", octets, at + 12)
            proof, = struct.unpack_from("<I", octets, at + 44)
            if at % 8 == 0 and proof == zlib.crc32(octets[at:at + 44], at // 8):
                yield at, at + 48 + length, message, octets[at + 48:at + 48 + length]
                at += 48 + length - 1
            at = octets.find(mark, at + 1)

    def _check(self, gateway, receiver, contents, at_least):
        gateway.start(ready=False)
        gateway.process.wait_for(lambda: gateway.queued() == 0 or
                                 len(receiver.messages) + gateway.damaged() >= len(contents), "the rest")
        for message in receiver.messages:
            self.assertEqual(samples.without_trace(message.data), contents[message.recipients[0]])
        got = {message.recipients[0] for message in receiver.messages}
        self.assertGreaterEqual(len(got), at_least)
        self.assertEqual(len(got), len(receiver.messages), "something came twice")
        if len(got) < len(contents):
            self.assertTrue(gateway.damaged() > 0 or gateway.events("trouble"), "nobody was told")
        self.assertEqual(smtp_client.send(gateway.address, "alice@company.example", "after@dest.example",
                                          samples.simple()).code, 250)
        gateway.process.wait_for(lambda: any(m.recipients == ("after@dest.example",) for m in receiver.messages), "new mail")

    def test_an_octet_within_a_body(self):
        gateway, receiver, contents = self._filled()
        changed = 0
        for segment in self._segments(gateway):
            octets = bytearray(segment.read_bytes())
            for place in re.finditer(rb"Subject: number 31\r\n", octets):
                octets[place.end() + 200] ^= 0x40
                changed += 1
            segment.write_bytes(octets)
        self.assertGreater(changed, 0)
        self._check(gateway, receiver, contents, self.COUNT - 1)

    def test_what_was_set_aside_is_taken_again(self):
        gateway, receiver, contents = self._filled()
        self.assertIn("nothing is wrong", gateway.command("spool", "check").stdout)
        for segment in self._segments(gateway):
            octets = bytearray(segment.read_bytes())
            for place in re.finditer(rb"Subject: number 31\r\n", octets):
                octets[place.end() + 200] ^= 0x40
            segment.write_bytes(octets)
        bodies = sorted((gateway.state_dir / "spool" / "content").iterdir())
        octets = bytearray(bodies[1].read_bytes())
        octets[300000] = 0x0a
        bodies[1].write_bytes(octets)
        found = gateway.command("spool", "check", check=False)
        self.assertEqual(found.returncode, 1, found.stderr)
        self.assertIn("to <u31@dest.example>", found.stdout)
        self.assertIn("to <u20@dest.example> cannot be delivered: its content does not match its checksum", found.stdout)
        self.assertIn("2 faults", found.stdout)

        gateway.start(ready=False)
        gateway.process.wait_for(lambda: gateway.queued() == 0, "the rest")
        self.assertEqual({to for to in contents} - {m.recipients[0] for m in receiver.messages},
                         {"u31@dest.example", "u20@dest.example"})
        listed = json.loads(gateway.command("spool", "list-damaged", "--json").stdout)["files"]
        gateway.stop()
        self.assertEqual(json.loads(gateway.command("spool", "list-damaged", "--json").stdout)["files"], listed, "also without postern")
        self.assertIn("to <u31@dest.example>", gateway.command("spool", "list-damaged").stdout)
        gateway.start(ready=False)
        files = {one["to"][0]: one["file"] for one in listed if one["restorable"]}
        self.assertEqual(set(files), {"u31@dest.example", "u20@dest.example"}, listed)
        self.assertIn("from <alice@company.example> to <u31@dest.example>", gateway.command("spool", "list-damaged").stdout)
        for to, file in files.items():
            self.assertIn("its content is damaged", gateway.command("spool", "restore", file).stdout)
            again = gateway.command("spool", "restore", file, check=False)
            self.assertEqual((again.returncode, again.stderr), (65, f"postern: {file} was taken again already\n"))
        gateway.wait_until_empty()
        got = [message.recipients[0] for message in receiver.messages]
        self.assertEqual(sorted(got), sorted(contents), "each once")
        data = {message.recipients[0]: samples.without_trace(message.data) for message in receiver.messages}
        differing = {to for to in contents if data[to] != contents[to]}
        self.assertEqual(differing, set(files))
        self.assertEqual(len(data["u31@dest.example"]), len(contents["u31@dest.example"]))
        self.assertEqual(len(gateway.events("changed")), 2)
        unknown = gateway.command("spool", "restore", "x.message", check=False)
        self.assertEqual(unknown.returncode, 65)
        self.assertIn("there is no x.message", unknown.stderr)

    @staticmethod
    def _used(octets):
        return len(octets.rstrip(b"\0"))

    def _noise(self, seed):
        choice = random.Random(seed)
        gateway, receiver, contents = self._filled()
        for segment in self._segments(gateway):
            octets = bytearray(segment.read_bytes())
            for _ in range(5):
                octets[choice.randrange(self._used(octets))] ^= 1 << choice.randrange(8)
            page = choice.randrange(self._used(octets)) // 4096 * 4096
            octets[page:page + 4096] = choice.randbytes(4096)
            segment.write_bytes(octets)
        self._check(gateway, receiver, contents, 0)

    def test_a_segment_cut_short(self):
        gateway, receiver, contents = self._filled()
        for segment in self._segments(gateway):
            with open(segment, "r+b") as file:
                file.truncate(self._used(segment.read_bytes()) // 2)
        self._check(gateway, receiver, contents, 0)

    def test_a_segment_of_zeros(self):
        gateway, receiver, contents = self._filled()
        for segment in self._segments(gateway):
            segment.write_bytes(bytes(segment.stat().st_size))
        self._check(gateway, receiver, contents, 0)

    def test_body_files_gone_and_changed(self):
        gateway, receiver, contents = self._filled()
        bodies = sorted(path for path in gateway.state_dir.rglob("*") if path.is_file()
                        and 590 << 10 < path.stat().st_size < 800 << 10)
        self.assertEqual(len(bodies), 3)
        bodies[0].unlink()
        octets = bytearray(bodies[1].read_bytes())
        octets[300000] ^= 1
        bodies[1].write_bytes(octets)
        self._check(gateway, receiver, contents, self.COUNT - 2)

    def test_the_directory_and_the_token(self):
        gateway, receiver, contents = self._filled()
        for path in gateway.state_dir.iterdir():
            if path.is_file():
                path.write_bytes(b"\0garbage\xff" * 10)
        self._check(gateway, receiver, contents, self.COUNT)

    def _damaged_pages(self, end):
        """24 damaged pages cost the messages that lie in them, and no other."""
        choice = random.Random()
        seed = choice.randrange(1 << 32)
        print(f"damaged pages after {end}: seed {seed}", flush=True)
        choice.seed(seed)
        gateway, receiver, contents = self._filled(300, end)
        whole = {path: path.read_bytes() for path in self._segments(gateway)}
        pages = [(path, at) for path, octets in whole.items() for at in range(0, self._used(octets), 4096)]
        damaged = choice.sample(pages, 24)
        recipients, touched = {}, set()
        for path, octets in whole.items():
            for begin, stop, message, body in self._records(path, octets):
                # Its recipient, as texts; content beyond 256 KiB is not here.
                if recipient := re.search(rb"u(\d+)\x0c\0\0\0dest\.example", body):
                    recipients[message] = f"u{int(recipient[1])}@dest.example"
                if any(path == other and begin < at + 4096 and at < stop for other, at in damaged):
                    touched.add(message)
        for path, at in damaged:
            with open(path, "r+b") as file:
                file.seek(at)
                file.write(choice.randbytes(4096))
        gateway.start(ready=False)
        gateway.process.wait_for(lambda: gateway.queued() == 0, "all that is left")
        got = [message.recipients[0] for message in receiver.messages]
        for message in receiver.messages:
            self.assertEqual(samples.without_trace(message.data), contents[message.recipients[0]])
        self.assertEqual(len(got), len(set(got)), "something came twice")
        may_be_missing = {recipients.get(message) for message in touched}
        self.assertEqual({to for to in contents if to not in got and to not in may_be_missing}, set())
        if len(got) < len(contents):
            self.assertTrue(gateway.damaged() > 0 or gateway.events("trouble"), "nobody was told")
        print(f"{len(touched)} messages touched, {len(contents) - len(got)} missing", flush=True)

    def test_damaged_pages_after_a_stop(self):
        self._damaged_pages("stop")

    def test_damaged_pages_after_a_kill(self):
        self._damaged_pages("kill")


for number in range(6):
    setattr(DamagedSpool, f"test_noise_{number}", lambda self, seed=number: self._noise(seed))


if __name__ == "__main__":
    scenario.main()
