"""Damaged files in state_dir: postern starts, says so, delivers the rest, and never delivers what is damaged."""
import random
import re

import samples
import scenario
import smtp_client


class DamagedSpool(scenario.Scenario):
    COUNT = 60

    def _filled(self):
        """A stopped gateway with COUNT messages waiting, and what each must look like."""
        receiver = self.receiver()
        receiver.stop_listening()
        gateway = self.gateway()
        contents = {}
        for n in range(self.COUNT):
            size = 600 << 10 if n % 20 == 0 else 2000 + 700 * n
            contents[f"u{n}@dest.example"] = samples.of_size(size, f"number {n}")
            self.assertEqual(smtp_client.send(gateway.address, "alice@company.example", f"u{n}@dest.example",
                                              contents[f"u{n}@dest.example"]).code, 250)
        gateway.stop()
        receiver.start()
        return gateway, receiver, contents

    def _volumes(self, gateway):
        volumes = [path for path in gateway.state_dir.rglob("*") if path.is_file() and path.stat().st_size > 1 << 20
                   and path.read_bytes()[16:20] == b"\xde\xc0\xef\xbe"]  # LMDB's mark in its first page
        self.assertTrue(volumes, [str(path) for path in gateway.state_dir.rglob("*")])
        return volumes

    def _check(self, gateway, receiver, contents, at_least):
        gateway.start(ready=False)
        gateway.process.wait_for(lambda: gateway.queued() == 0 or
                                 len(receiver.messages) + gateway.damaged() >= self.COUNT, "the rest")
        for message in receiver.messages:
            self.assertEqual(samples.without_trace(message.data), contents[message.recipients[0]])
        got = {message.recipients[0] for message in receiver.messages}
        self.assertGreaterEqual(len(got), at_least)
        if len(got) < self.COUNT:
            self.assertTrue(gateway.damaged() > 0 or gateway.events("trouble"), "nobody was told")
        self.assertEqual(smtp_client.send(gateway.address, "alice@company.example", "after@dest.example",
                                          samples.simple()).code, 250)
        gateway.process.wait_for(lambda: any(m.recipients == ("after@dest.example",) for m in receiver.messages), "new mail")

    def test_an_octet_within_a_body(self):
        gateway, receiver, contents = self._filled()
        changed = 0
        for volume in self._volumes(gateway):
            octets = bytearray(volume.read_bytes())
            for place in re.finditer(rb"Subject: number 31\r\n", octets):
                octets[place.end() + 200] ^= 0x40
                changed += 1
            volume.write_bytes(octets)
        self.assertGreater(changed, 0)
        self._check(gateway, receiver, contents, self.COUNT - 1)

    def _noise(self, seed):
        choice = random.Random(seed)
        gateway, receiver, contents = self._filled()
        for volume in self._volumes(gateway):
            octets = bytearray(volume.read_bytes())
            for _ in range(5):
                octets[choice.randrange(8192, len(octets))] ^= 1 << choice.randrange(8)
            page = choice.randrange(2, len(octets) // 4096) * 4096
            octets[page:page + 4096] = choice.randbytes(4096)
            volume.write_bytes(octets)
        self._check(gateway, receiver, contents, 0)

    def test_a_volume_cut_short(self):
        gateway, receiver, contents = self._filled()
        for volume in self._volumes(gateway):
            with open(volume, "r+b") as file:
                file.truncate(volume.stat().st_size // 2)
        self._check(gateway, receiver, contents, 0)

    def test_a_volume_of_zeros(self):
        gateway, receiver, contents = self._filled()
        for volume in self._volumes(gateway):
            volume.write_bytes(bytes(volume.stat().st_size))
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
        volumes = self._volumes(gateway)
        for path in gateway.state_dir.iterdir():
            if path.is_file() and path not in volumes:
                path.write_bytes(b"\0garbage\xff" * 10)
        self._check(gateway, receiver, contents, self.COUNT)


for number in range(6):
    setattr(DamagedSpool, f"test_noise_{number}", lambda self, seed=number: self._noise(seed))


if __name__ == "__main__":
    scenario.main()
