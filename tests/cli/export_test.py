#!/usr/bin/env python3
"""skein export: the trace read back, of hand-made, random, incomplete and damaged recordings.

Usage: export_test.py SKEIN HAND_MADE
"""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from hand_made import NONE, SAMPLE, SAMPLE_EDGES, Script, sample
from perfetto_trace import COUNTER, INSTANT, Trace

SKEIN = os.path.abspath(sys.argv[1])
HAND_MADE = os.path.abspath(sys.argv[2])
KINDS = ["token", "entry", "interrupt", "value", "user_read", "mem", "fpu", "digest", "page_dirty",
         "page_clean", "tlb_flush", "mark", "end"]


class Export(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.mkdtemp(prefix="skein-export-")
        self.addCleanup(shutil.rmtree, self.tmp)
        self.dir = os.path.join(self.tmp, "rec")
        self.out = os.path.join(self.tmp, "out.pftrace")

    def skein(self, *args):
        p = subprocess.run([SKEIN, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, timeout=120)
        return p.returncode, p.stdout, p.stderr.decode()

    def export(self, *args, code=0):
        got, out, err = self.skein("export", "--perfetto", self.out, *args, self.dir)
        self.assertEqual((got, out), (code, b""), err)
        with open(self.out, "rb") as f:
            return Trace(f.read())

    def refuses(self, *args, words=()):
        code, out, err = self.skein("export", *args)
        self.assertEqual((code, out), (2, b""), err)
        self.assertEqual(len(err.splitlines()), 1, err)
        for word in words:
            self.assertIn(word, err)

    def seen(self, trace):
        return [(lane, b.name, b.category, b.ns, e.ns - b.ns, b.args["slice"],
                 e.args["instructions"]) for lane, b, e in trace.slices()]


class Sample(Export):
    def setUp(self):
        super().setUp()
        sample().write(HAND_MADE, self.dir)

    def test_slices(self):
        trace = self.export()
        self.assertEqual(self.seen(trace), SAMPLE)
        self.assertEqual(sum(len(e.flows) for e in trace.events), SAMPLE_EDGES)

    def test_arguments(self):
        begins = [b for _, b, _ in self.export().slices()]
        self.assertEqual(begins[1].args, {"slice": 1, "tick": 5, "icount": 1000, "rip": 0x401000,
                                          "rdi": 0xffffff9c, "rsi": 0x7ffc0000beef, "rdx": 0x8000})
        self.assertEqual(begins[2].args, {"slice": 2, "tick": 1, "icount": 0, "vector": 14,
                                          "error code": 6, "cr2": 0x7f0000001000, "rip": 0x402000})

    def test_tracks(self):
        trace = self.export()
        (recording,) = [uuid for uuid, t in trace.tracks.items() if t.process]
        self.assertEqual(trace.tracks[recording].process, self.dir)
        lanes = [t for t in trace.tracks.values() if t.parent == recording]
        self.assertEqual([t.name for t in lanes][:3], ["vCPU 0", "vCPU 1", "devices"])
        self.assertEqual([t.rank for t in lanes], list(range(5)))
        self.assertEqual([t.counter for t in lanes], [False] * 3 + [True] * 2)

    def test_instants(self):
        instants = [e for e in self.export().events if e.type == INSTANT]
        self.assertEqual([(e.name, e.ns) for e in instants], [("irq timer", 1000500)])

    def test_counters(self):
        trace = self.export()
        name = {uuid: t.name for uuid, t in trace.tracks.items()}
        values = [(name[e.track], e.ns, e.value) for e in trace.events if e.type == COUNTER]
        self.assertEqual(values[0], ("hand-offs per 10 ms", 0, SAMPLE_EDGES))
        self.assertEqual([v[1:] for v in values[2:]], [(10000000, 0)] * 2)
        log = sum(e.args["log bytes"] for _, _, e in trace.slices())
        self.assertEqual(values[1], ("log bytes per 10 ms", 0, log))

    def test_range(self):
        whole = SAMPLE
        for first, last in [(2, 6), (0, 0), (3, 5), (7, 9), (0, 9)]:
            args = ["--from", "%.9f" % (whole[first][3] / 1e9),
                    "--to", "%.9f" % (whole[last][3] / 1e9)]
            seen = self.seen(self.export(*args))
            wanted = [s for s in whole
                      if s[3] + s[4] >= whole[first][3] and s[3] <= whole[last][3]]
            with self.subTest(args=args):
                self.assertEqual(seen, wanted)
        self.assertEqual(self.seen(self.export("--from", "5")), [])

    def test_stdout(self):
        self.export()
        code, out, _ = self.skein("export", "--perfetto", "-", self.dir)
        with open(self.out, "rb") as f:
            self.assertEqual((code, out), (0, f.read()))

    def test_summary(self):
        for verb, args in [("export", ["--perfetto", self.out]), ("timeline", ["-o", self.out])]:
            code, out, err = self.skein(verb, *args, "--json", self.dir)
            self.assertEqual(code, 0, err)
            summary = json.loads(out)
            self.assertEqual((summary["dir"], summary["file"], summary["complete"]),
                             (self.dir, self.out, True))
            self.assertEqual(summary["bytes"], os.path.getsize(self.out))
            code, out, _ = self.skein("info", "--json", self.dir)
            self.assertEqual(summary["events"], json.loads(out)["events"])
            code, out, _ = self.skein(verb, *args, "--json", "--from", "0.5", self.dir)
            self.assertEqual(json.loads(out)["from_ns"], 500000000)
        self.refuses("--perfetto", "-", "--json", self.dir, words=["--json=FILE"])

    def test_bad_usage(self):
        self.refuses(self.dir, words=["--perfetto FILE"])
        self.refuses("--perfetto", self.out, words=["which recording"])
        self.refuses("--perfetto", self.out, self.dir, self.dir, words=["One at a time"])
        self.refuses("--perfetto", self.out, "--wrong", self.dir, words=["unknown option --wrong"])
        for bad in ["-1", "1e3", "x", "", "0x1", "1.2.3", "inf", "99999999999"]:
            self.refuses("--perfetto", self.out, "--from", bad, self.dir, words=["--from"])
        self.refuses("--perfetto", self.out, "--from", "2", "--to", "1", self.dir, words=["later"])
        self.assertEqual(os.listdir(self.tmp), ["rec"])

    def test_unwritable(self):
        self.refuses("--perfetto", self.tmp + "/no/such", self.dir, words=["/no/such"])
        self.refuses("--perfetto", "/dev/full", self.dir, words=["/dev/full"])

    def test_damage_leaves_what_was_there(self):
        self.export()
        with open(self.out, "rb") as f:
            before = f.read()
        os.truncate(os.path.join(self.dir, "manifest"), 100)
        self.refuses("--perfetto", self.out, self.dir, words=["manifest"])
        with open(self.out, "rb") as f:
            self.assertEqual(f.read(), before)
        self.assertEqual(sorted(os.listdir(self.tmp)), ["out.pftrace", "rec"])


class Others(Export):
    def test_incomplete(self):
        sample().write(HAND_MADE, self.dir, how="torn")
        self.assertEqual(self.seen(self.export(code=3)), SAMPLE)
        code, out, err = self.skein("export", "--perfetto", self.out, "--json", self.dir)
        self.assertIn("incomplete", err)
        self.assertEqual((code, json.loads(out)["complete"]), (3, False))

    def test_a_full_disk_leaves_what_was_there(self):
        s = Script(2)
        for n in range(1000):
            s.token(n % 2, n)
            s.entry(n % 2, 1, 0, n, rax=n % 300)
        s.write(HAND_MADE, self.dir)
        self.export()
        with open(self.out, "rb") as f:
            before = f.read()

        def small_files(limit):
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        for limit in 1000, len(before) - 1000:
            p = subprocess.run([SKEIN, "export", "--perfetto", self.out, self.dir], timeout=120,
                               stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: small_files(limit))
            self.assertEqual((p.returncode, len(p.stderr.splitlines())), (2, 1), p.stderr)
            self.assertIn("File too large", p.stderr)
        with open(self.out, "rb") as f:
            self.assertEqual(f.read(), before)
        self.assertEqual(sorted(os.listdir(self.tmp)), ["out.pftrace", "rec"])

    def test_damaged_block(self):
        """Many blocks, one of them damaged: what the others hold, and exit code 3."""
        s = Script(2)
        for n in range(3000):
            s.token(n % 2, 10 * n)
            s.entry(n % 2, 1, 0, 10 * n, rax=n % 300, rdi=n * 0x9e3779b97f4a7c15, rsi=n ** 7)
            s.mark(n % 2, 10 * n + 10)
        s.end()
        s.write(HAND_MADE, self.dir)
        self.assertEqual(len(self.export().slices()), 3000)
        path = os.path.join(self.dir, "segments/000001.skn")
        with open(path, "r+b") as f:
            f.seek(os.path.getsize(path) // 2)
            byte = f.read(1)[0]
            f.seek(-1, 1)
            f.write(bytes([byte ^ 1]))
        slices = self.export(code=3).slices()
        self.assertTrue(2000 < len(slices) < 3000, len(slices))
        self.assertEqual(slices[-1][2].args["last tick"], 4500)

    def test_empty(self):
        Script(1).write(HAND_MADE, self.dir)
        self.assertEqual(self.export().events, [])

    def test_without_a_clock(self):
        sample().write(HAND_MADE, self.dir, hz=0)
        self.assertEqual([s[1] for s in self.seen(self.export())], [s[1] for s in SAMPLE])

    def test_many_names(self):
        s = Script(64)
        for n in range(3000):
            s.token(n % 64)
            s.entry(n % 64, 1 + n % 7, n % 256, n, rax=n % 1300)
            s.mark(n % 64, n + 10)
        s.end()
        s.write(HAND_MADE, self.dir)
        self.assertEqual(len(self.export().slices()), 3000)

    def test_whatever_the_records_hold(self):
        """Random kinds, sizes, edges and shards: no crash, and the trace still fits together."""
        for seed in range(20):
            rng = random.Random(seed)
            s = Script(3)
            for _ in range(400):
                s.add(rng.randrange(4), rng.choice(KINDS), rng.choice([0, 0, 1, 4]),
                      rng.choice([0, 1, 2, 3, NONE, rng.getrandbits(16)]),
                      *[rng.getrandbits(rng.choice([3, 10, 64])) for _ in range(rng.randrange(9))])
            path = self.dir + str(seed)
            s.write(HAND_MADE, path)
            for args in [[], ["--from", "0.000001", "--to", "1"]]:
                code, _, err = self.skein("export", "--perfetto", self.out, *args, path)
                self.assertEqual(code, 0, err)
                with open(self.out, "rb") as f:
                    Trace(f.read()).slices()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
