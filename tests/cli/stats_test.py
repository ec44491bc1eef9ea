#!/usr/bin/env python3
"""skein stats and skein info on made-up recordings: whole, incomplete, damaged, large.

Usage: stats_test.py SKEIN MAKE_RECORDING
"""

import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

SKEIN = os.path.abspath(sys.argv[1])
MAKE = os.path.abspath(sys.argv[2])


class Stats(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.mkdtemp(prefix="skein-stats-")
        self.addCleanup(shutil.rmtree, self.tmp)

    def make(self, name, *args):
        path = os.path.join(self.tmp, name)
        subprocess.run([MAKE, "-o", path, *args], check=True)
        return path

    def skein(self, *args):
        p = subprocess.run([SKEIN, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True, check=False)
        return p.returncode, p.stdout, p.stderr

    def stats(self, *args, code=0):
        got, out, err = self.skein("stats", "--json", *args)
        self.assertEqual(got, code, err)
        return json.loads(out), err

    def check_sums(self, s, vcpus):
        """What holds in every recording, whatever is in it."""
        self.assertEqual(len(s["vcpus"]), vcpus)
        self.assertEqual(sum(k["events"] for k in s["kinds"].values()), s["events"])
        self.assertEqual(sum(k["bytes"] for k in s["kinds"].values()), s["bytes"])
        self.assertEqual(s["kinds"]["token"]["events"], s["slices"])
        self.assertEqual(sum(h["count"] for h in s["handoffs"]), s["edges"])
        for name in ["slice_instructions", "user_read_bytes"]:
            h = s[name]
            self.assertEqual(sum(b["count"] for b in h["buckets"]), h["count"])
            self.assertEqual(sum(b["sum"] for b in h["buckets"]), h["sum"])
            for b in h["buckets"]:
                self.assertTrue(b["first"] * b["count"] <= b["sum"] <= b["last"] * b["count"], b)
        self.assertEqual(s["user_read_bytes"]["count"], s["kinds"]["user_read"]["events"])
        self.assertEqual(sum(v["slices"] for v in s["vcpus"]), s["slice_instructions"]["count"])
        rows = s["system_calls"] + s["exceptions_interrupts"] + s["elsewhere"]
        self.assertEqual(sum(r["instructions"] for r in rows),
                         sum(v["instructions"] for v in s["vcpus"]))
        self.assertEqual(sum(r["user_bytes"] for r in rows), s["user_read_bytes"]["sum"])
        named = s["kinds"]["entry"]["events"] + s["kinds"]["interrupt"]["events"]
        self.assertEqual(sum(r["count"] for r in rows), named)
        self.assertEqual(sum(v["count"] for v in s["values"]) + s["values_elsewhere"],
                         s["kinds"]["value"]["events"])
        self.assertAlmostEqual(s["events_per_s"] * s["duration_s"], s["events"], delta=1)

    def test_whole(self):
        path = self.make("rec", "--events", "300k", "--vcpus", "3")
        s, err = self.stats(path)
        self.assertEqual(err, "")
        self.check_sums(s, 3)
        info = json.loads(self.skein("info", "--json", path)[1])
        self.assertTrue(s["complete"])
        self.assertEqual({k: v["events"] for k, v in s["kinds"].items()}, info["events_by_kind"])
        for name in ["slices", "edges", "disk_bytes", "events"]:
            self.assertEqual(s[name], info[name])
        self.assertEqual(s["bytes"], info["shard_bytes"])
        self.assertEqual(sum(v["instructions"] for v in s["vcpus"]), info["kernel_icount"])
        self.assertEqual(s["waits"]["token"], info["token_waits"])
        names = {r["name"] for r in s["system_calls"]}
        self.assertLessEqual({"read", "write", "futex", "openat", "getpid"}, names)

    def test_text(self):
        path = self.make("rec", "--events", "50k")
        code, out, err = self.skein("stats", "--top", "2", path)
        self.assertEqual((code, err), (0, ""))
        for word in ["complete", "hand-offs", "slice lengths", "system calls", "####"]:
            self.assertIn(word, out)
        s, _ = self.stats("--top", "2", path)
        self.assertEqual(len(s["system_calls"]), 2)
        for call in s["system_calls"]:
            self.assertIn(call["name"] + " ", out)
        # Many vCPUs: no matrix, but the pairs.
        path = self.make("wide", "--events", "50k", "--vcpus", "40")
        code, out, _ = self.skein("stats", "--top", "3", path)
        self.assertEqual(code, 0)
        self.assertEqual(len([line for line in out.splitlines() if " to " in line]), 3)
        s, _ = self.stats(path)
        top = sorted((h["count"] for h in s["handoffs"]), reverse=True)[:3]
        self.assertEqual([int(line.split()[-1]) for line in out.splitlines() if " to " in line],
                         top)

    def test_incomplete(self):
        path = self.make("rec", "--events", "300k", "--killed")
        s, err = self.stats(path, code=3)
        self.assertIn("incomplete", err)
        self.assertEqual(len(err.splitlines()), 1)
        self.assertFalse(s["complete"])
        self.assertTrue(s["duration_estimated"])
        self.assertGreater(s["events"], 0)
        self.assertNotIn("waits", s)
        self.check_sums(s, 4)
        code, out, err = self.skein("stats", path)
        self.assertEqual(code, 3)
        self.assertIn("INCOMPLETE", out)

    def test_damaged(self):
        path = self.make("rec", "--events", "300k")
        whole, _ = self.stats(path)
        segment = glob.glob(path + "/segments/*.skn")[0]
        with open(segment, "r+b") as f:
            f.seek(os.path.getsize(segment) // 2)
            f.write(b"\0" * 64)
        s, err = self.stats(path, code=3)
        self.assertIn("lost", err)
        self.assertLess(s["events"], whole["events"])
        self.assertGreater(s["events"], whole["events"] / 2)

    def test_usage(self):
        path = self.make("rec", "--events", "1k")
        for args, word in [(["--top", "0", path], "--top 0"), (["--top", "x", path], "--top x"),
                           ([path, path], "one at a time"), ([], "which recording"),
                           (["--nonsense", path], "--nonsense"), ([self.tmp], "manifest"),
                           (["/nonexistent"], "/nonexistent")]:
            code, out, err = self.skein("stats", *args)
            self.assertEqual((code, out), (2, ""), args)
            self.assertEqual(len(err.splitlines()), 1, err)
            self.assertIn(word.lower(), err.lower())
        code, _, err = self.skein("stats", "--json=/nonexistent/file", path)
        self.assertEqual(code, 2)
        self.assertIn("JSON", err)

    def test_the_same_options_make_the_same_bytes(self):
        found = []
        for name in ["a", "b"]:
            path = self.make(name, "--events", "30k", "--seed", "7")
            files = sorted(glob.glob(path + "/segments/*") + [path + "/manifest"])
            contents = []
            for file in files:
                with open(file, "rb") as f:
                    contents.append(f.read())
            found.append(contents)
        self.assertEqual(found[0], found[1])

    def peak_kib(self, *args):
        # What AddressSanitizer keeps of freed memory is no growth.
        env = dict(os.environ, ASAN_OPTIONS="quarantine_size_mb=1")
        pid = os.posix_spawn(SKEIN, [SKEIN, *args], env, file_actions=[
            (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
        _, status, usage = os.wait4(pid, 0)
        self.assertEqual(status, 0)
        return usage.ru_maxrss

    def test_memory_does_not_grow(self):
        """Seven times the recording, the same memory; info reads none of the blocks."""
        small = self.make("small", "--size", "3M")
        large = self.make("large", "--size", "21M")
        for verb in ["stats", "info"]:
            grown = self.peak_kib(verb, large) - self.peak_kib(verb, small)
            self.assertLess(grown, 3 << 10, "%s took %d KiB more" % (verb, grown))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
