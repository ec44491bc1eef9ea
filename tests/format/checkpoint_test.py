#!/usr/bin/env python3
"""docs/format.md on checkpoints: a reader made from it alone finds what ours expands."""

import json
import os
import shutil
import struct
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checkpoint  # noqa: E402
import reader  # noqa: E402
from wire import Damage  # noqa: E402

MAKE, SKEIN = (os.path.abspath(p) for p in sys.argv[1:3])


class Checkpoints(unittest.TestCase):
    def setUp(self):
        self.dir = subprocess.run([MAKE], check=True, capture_output=True,
                                  text=True).stdout.strip()
        self.addCleanup(shutil.rmtree, self.dir)
        self.manifest = reader.Recording(self.dir).manifest

    def test_what_ours_expands(self):
        found = checkpoint.expand(self.dir, self.manifest)
        self.assertEqual(len(found), 4)
        for number, (_, ram, state) in enumerate(found, 1):
            with open(os.path.join(self.dir, "expanded.%d" % number), "rb") as f:
                blocks, own = checkpoint.take_apart(f.read())
            self.assertEqual({name: (o, n) for name, (o, n, _) in blocks.items()},
                             {name: (o, len(ram[name])) for name, (o, _, _) in blocks.items()})
            self.assertEqual(checkpoint.Image(blocks).blocks, ram)
            self.assertEqual(own, state)

    def test_headers(self):
        info = json.loads(subprocess.run([SKEIN, "info", "--json", self.dir], check=True,
                                         capture_output=True).stdout)["checkpoints"]
        found = checkpoint.expand(self.dir, self.manifest)
        self.assertEqual([c["number"] for c in info], [1, 2, 3, 4])
        for said, (header, _, state) in zip(info, found):
            self.assertEqual(
                (said["ok"], said["ticks"], said["vcpu_icounts"], said["slices"],
                 said["console_bytes"], said["icount"]),
                (True, header["clock"], header["icount"], header["slices"],
                 header["console_bytes"], sum(header["icount"])))
            self.check_state(header, state)

    def check_state(self, header, state):
        """The header repeats what CUT and VCPU say."""
        at, cuts, vcpus, kind = 8, [], [], 0
        while kind != 5:
            kind, name_bytes, size = struct.unpack_from("<IIQ", state, at)
            at += 16 + name_bytes
            if kind == 6:
                cuts.append(struct.unpack_from("<QIIQQQQQII%dQ" % len(header["clock"]), state, at))
            elif kind == 7:
                vcpus.append(struct.unpack_from("<QQQ", state, at))
            at += size
        cut, = cuts
        self.assertEqual(cut[:8], (
            header["number"], len(header["clock"]), header["released_shard"],
            header["released_tick"], header["slices"], header["console_bytes"],
            header["console_hash"], header["ram_digest"]))
        self.assertEqual(list(cut[10:]), header["clock"])
        self.assertEqual(vcpus, list(zip(header["icount"], header["digest"],
                                         header["in_kernel"])))

    def test_damage_is_seen_by_both(self):
        name = os.path.join(self.dir, "checkpoints/000002.skc")
        with open(name, "rb") as f:
            good = f.read()
        for at in list(range(0, 60)) + [len(good) - n for n in (1, 10, 16, 17, 60)]:
            data = bytearray(good)
            data[at] ^= 0x10
            with open(name, "wb") as f:
                f.write(data)
            with self.subTest(at=at):
                self.assertRaises(Damage, checkpoint.expand, self.dir, self.manifest)
                if at % 10 == 0:
                    out = subprocess.run([SKEIN, "info", self.dir], check=True,
                                         capture_output=True, text=True).stdout
                    self.assertIn("000002: cannot be used", out)
                    self.assertIn("000003: cannot be used", out)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
