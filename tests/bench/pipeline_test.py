#!/usr/bin/env python3
"""The programs of ./dev bench pipeline: nothing lost, nothing miscounted.

Usage: pipeline_test.py MAKE_RECORDING COLLECTOR
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

MAKE = os.path.abspath(sys.argv[1])
PROGRAMS = os.path.dirname(os.path.abspath(sys.argv[2]))
EVENTS = 30000
BATCH_EVENTS = 4096


def call(name, *args):
    return subprocess.run([os.path.join(PROGRAMS, name), *map(str, args)], check=False, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120)


def lines(output):
    """{first word: {NAME: value}}."""
    result = {}
    for line in output.splitlines():
        first, _, rest = line.partition(" ")
        result[first] = dict(word.split("=", 1) for word in rest.split() if "=" in word)
    return result


class Pipeline(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.mkdtemp(prefix="skein-bench-test-")
        self.addCleanup(shutil.rmtree, self.tmp)
        self.recording = os.path.join(self.tmp, "rec")
        subprocess.run([MAKE, "-o", self.recording, "--events", str(EVENTS), "--vcpus", "3"],
                       check=True)

    def good(self, name, *args):
        p = call(name, *args)
        self.assertEqual(p.returncode, 0, p.stderr)
        return lines(p.stdout)

    def test_the_collector_gets_every_event_of_every_round(self):
        once = self.good("collector", "--repeat", 1, "--check", "--tmp", self.tmp, self.recording)
        thrice = self.good("collector", "--repeat", 1, "--rounds", 3, "--check", "--tmp", self.tmp,
                           self.recording)
        events = int(once["tape"]["events"])
        shards = int(once["tape"]["shards"])
        self.assertGreaterEqual(events, EVENTS)
        # Each shard has one END, which is not played again.
        self.assertEqual(int(thrice["tape"]["events"]), 3 * (events - shards) + shards)
        self.assertEqual(os.listdir(self.tmp), ["rec"])

    def test_the_soak_loses_nothing(self):
        result = self.good("soak", self.recording, "0.5", 200000)
        self.assertEqual(result["soak"]["lost"], "0")
        self.assertEqual(result["soak"]["complete"], "1")
        self.assertEqual(result["check"]["events"], result["soak"]["events"])

    def test_the_image_of_krr_is_as_large_as_its_entries(self):
        image = os.path.join(self.tmp, "image")
        counts = {name: int(n) for name, n in
                  self.good("krr_image", self.recording, image)["image"].items()}
        size = os.path.getsize(image)
        self.assertEqual(counts["bytes"], size)
        entries = (196 * (counts["interrupt"] + counts["exception"]) + 188 * counts["syscall"] +
                   36 * sum(counts[k] for k in ("io", "rdtsc", "rdseed", "gfu", "pte")) +
                   (4 + 48 + 1) * counts["cfu"] + counts["user_bytes"])
        self.assertEqual(entries, size)
        self.assertGreater(counts["syscall"], 0)
        self.assertGreater(counts["rdtsc"], 0)

    def test_columns_add_up(self):
        p = call("columns", self.recording)
        self.assertEqual(p.returncode, 0, p.stderr)
        columns = lines(p.stdout)
        self.assertIn("entry_slots[0]", columns)
        blocks = {name: int(n) for name, n in columns.pop("blocks").items()}
        packed = sum(int(c["packed"]) for c in columns.values())
        # The rest are the tags and lengths of protobuf, a few bytes for each column.
        self.assertLessEqual(packed, blocks["packed"])
        self.assertGreater(packed, 0.97 * blocks["packed"])
        self.assertGreaterEqual(blocks["events"], EVENTS)

    def test_appends_all_arrive(self):
        for side in ("skein", "ck", "mutex"):
            for writers in (1, 3):
                result = self.good("append_" + side, writers, 20)["append"]
                self.assertEqual(result["lost"], "0", side)
                self.assertEqual(int(result["events"]), 2 * writers * 20 * BATCH_EVENTS, side)

    def test_what_is_no_recording_is_refused_in_one_line(self):
        for name, *args in (("collector",), ("soak", 1), ("columns",)):
            p = call(name, os.path.join(self.tmp, "none"), *args)
            self.assertEqual(p.returncode, 1, name)
            self.assertEqual(len(p.stderr.splitlines()), 1, p.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
