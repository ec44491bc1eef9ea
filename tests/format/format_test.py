#!/usr/bin/env python3
"""docs/format.md against our own reader: another reader, written from it, gives the same.

Usage: format_test.py DUMP SKEIN MAKE [CHANGES]
"""

import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import mutate  # noqa: E402
import reader  # noqa: E402
import wire  # noqa: E402

DUMP, SKEIN, MAKE = (os.path.abspath(a) for a in sys.argv[1:4])
GOLDEN = os.path.abspath("tests/golden")
CHANGES = int(sys.argv[4]) if len(sys.argv) > 4 else 30


def golden(folder=GOLDEN):
    """All golden recordings."""
    return sorted(os.path.join(folder, version, name[:-len(".expected")])
                  for version in os.listdir(folder) if version.startswith("v")
                  for name in os.listdir(os.path.join(folder, version))
                  if name.endswith(".expected"))


def ours(path, mode):
    """What our own reader gives; None: it refuses."""
    p = subprocess.run([DUMP, path, mode], capture_output=True, text=True, timeout=60)
    return p.stdout.splitlines() if p.returncode == 0 else None


def theirs(path, mode):
    try:
        recording = reader.Recording(path, mode == "salvage")
        lines = ["%d %d %d %s" % (shard, tick, slice_number, record.hex())
                 for shard, tick, slice_number, record in recording.events()]
    except wire.Damage:
        return None
    return lines + ["complete %d lost_blocks %d lost_bytes %d" % (
        recording.complete, recording.lost_blocks, recording.lost_bytes())]


class Hash(unittest.TestCase):
    def test_known_values(self):
        """The values that the algorithm's authors publish for seed 0."""
        self.assertEqual(wire.xxh64(b""), 0xef46db3751d8e999)
        self.assertEqual(wire.xxh64(b"a"), 0xd24ec4f1a98c6e5b)
        self.assertEqual(wire.xxh64(b"abc"), 0x44bc2cf5ad770999)


class Format(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.mkdtemp(prefix="skein-format-", dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(shutil.rmtree, self.tmp)

    def compare(self, path, mode):
        mine, other = ours(path, mode), theirs(path, mode)
        self.assertEqual(mine is None, other is None, "%s, %s: refused by one" % (path, mode))
        for number, (a, b) in enumerate(zip(mine or [], other or [])):
            self.assertEqual(a, b, "%s, %s, line %d" % (path, mode, number))
        self.assertEqual(len(mine or []), len(other or []))
        return mine

    def test_golden_recordings(self):
        paths = golden()
        self.assertGreaterEqual(len(paths), 6)
        for path in paths:
            for mode in "strict", "salvage":
                with self.subTest(path=path, mode=mode):
                    self.compare(path, mode)

    def test_what_is_written_today(self):
        subprocess.run([MAKE, self.tmp], stdout=subprocess.DEVNULL, check=True)
        for path in golden(self.tmp):
            with self.subTest(path=path):
                events = self.compare(path, "strict")
                self.assertEqual(events is None, path.endswith("damaged"))

    def test_every_kind_is_there(self):
        kinds = {record[2] for path in golden()
                 for _, _, _, record in reader.Recording(path, True).events()}
        self.assertEqual(kinds, set(range(1, reader.KIND_COUNT)))

    def test_counters_on_a_grid_are_there(self):
        segment = reader.Recording(os.path.join(GOLDEN, "v1/counters")).segments[0]
        header, at = segment.blocks[0]
        block = wire.parse(reader.MESSAGES, "Block",
                           wire.unzstd(segment.data[at:at + header["data_bytes"]],
                                       header["packed_bytes"]))
        self.assertTrue(any(columns["tsc_step"] for columns in block["shards"]))

    def copy(self, path):
        to = os.path.join(self.tmp, "copy")
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(path, to, copy_function=shutil.copyfile)
        for folder, _, _ in os.walk(to):
            os.chmod(folder, 0o755)
        return to

    def test_damage_is_seen_alike(self):
        """One changed byte, or a cut: both refuse it, and salvage the same."""
        rng = random.Random(1)
        path = os.path.join(GOLDEN, "v1/complete")
        files = ["manifest"] + ["segments/" + n for n in os.listdir(path + "/segments")]
        refused = 0
        for _ in range(30):
            copy = self.copy(path)
            name = os.path.join(copy, rng.choice(files))
            with open(name, "rb") as f:
                data = bytearray(f.read())
            at = rng.randrange(len(data))
            if rng.random() < 0.3:
                del data[at:]
            else:
                data[at] ^= 1 << rng.randrange(8)
            with open(name, "wb") as f:
                f.write(data)
            refused += self.compare(copy, "strict") is None
            self.compare(copy, "salvage")
        self.assertEqual(refused, 30)

    def test_changes_under_good_checksums_are_seen_alike(self):
        rng = random.Random(2)
        refused = 0
        for number in range(CHANGES):
            copy = self.copy(os.path.join(GOLDEN, "v1", rng.choice(
                ["complete", "counters", "partial", "recovered"])))
            name = os.path.join(copy, "segments", "00000%d.skn" % rng.choice([1, 1, 2]))
            if not os.path.exists(name):
                continue
            with open(name, "rb") as f:
                data, what = mutate.change(rng, f.read())
            with open(name, "wb") as f:
                f.write(data)
            with self.subTest(number=number, change=what):
                refused += self.compare(copy, "strict") is None
                self.compare(copy, "salvage")
        self.assertGreater(refused, CHANGES / 3)

    def test_manifest(self):
        for path in golden():
            m = reader.Recording(path, True).manifest
            p = subprocess.run([SKEIN, "info", "--json", path], capture_output=True, text=True)
            if p.returncode == 2:
                continue  # damaged on purpose
            info = json.loads(p.stdout)
            self.assertEqual(info["uuid"], str(uuid.UUID(bytes=m["uuid"])))
            for key, field in [("host", "host"), ("qemu", "qemu_version"), ("machine", "machine"),
                               ("cpu", "cpu_model"), ("vcpus", "vcpu_count"),
                               ("memory_bytes", "memory_bytes"), ("start", "start"),
                               ("stop", "stop"), ("cmdline", "cmdline"),
                               ("end_reason", "end_reason"), ("kernel_icount", "kernel_icount"),
                               ("token_waits", "token_waits"), ("ring_waits", "ring_waits"),
                               ("snapshot_raw_bytes", "snapshot_raw_bytes")]:
                self.assertEqual(info[key], m[field], key)
            self.assertEqual(info["complete"], bool(m["complete"]))
            self.assertEqual(info["kernel"]["path"], m["kernel"]["path"])
            self.assertEqual(info["kernel"]["xxh64"], "%016x" % m["kernel"]["xxh64"])
            if m["complete"]:
                self.assertEqual(info["events"], sum(sum(s["events"]) for s in m["stats"]["shards"]))

    def test_files(self):
        for path in golden():
            m = reader.Recording(path, True).manifest
            for name, file in ("snapshot.zst", m["snapshot"]), ("console.log", m["console"]):
                if not file["size_bytes"]:
                    continue
                with open(os.path.join(path, name), "rb") as f:
                    data = f.read()
                self.assertEqual((len(data), wire.xxh64(data)), (file["size_bytes"], file["xxh64"]))

    def test_snapshot(self):
        path = os.path.join(GOLDEN, "v1/complete")
        m = reader.Recording(path).manifest
        with open(os.path.join(path, "snapshot.zst"), "rb") as f:
            raw = wire.unzstd(f.read(), m["snapshot_raw_bytes"])
        self.assertEqual(raw[:8], b"SKNSNAP1")
        at, types = 8, []
        while not types or types[-1] != 5:
            kind, name_bytes, size = struct.unpack_from("<IIQ", raw, at)
            content = at + 16 + name_bytes
            types.append(kind)
            if kind == 1:
                self.assertEqual(raw[content:content + 16], m["uuid"])
            at = content + size
            if kind == 4:
                at += 16
                while struct.unpack_from("<Q", raw, at + 8)[0]:
                    at += 16 + struct.unpack_from("<Q", raw, at + 8)[0]
                at += 16
        self.assertEqual((types, at), ([1, 2, 3, 4, 5], len(raw)))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
