#!/usr/bin/env python3
"""skein cat, ls and diff, on recordings whose events are known from elsewhere.

Usage: reading_test.py SKEIN MAKE_EVENTS MAKE_RECORDING
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

SKEIN, MAKE_EVENTS, MAKE_RECORDING = (os.path.abspath(a) for a in sys.argv[1:4])
KINDS = ["token", "entry", "interrupt", "value", "user_read", "mem", "fpu", "digest", "page_dirty",
         "page_clean", "tlb_flush", "mark", "end"]
WORDS = {
    "token": ["edge_tick", "position", "digest"], "entry": ["icount", "error", "next_ip"],
    "interrupt": ["icount", "digest"], "value": ["value"], "user_read": ["va"],
    "mem": ["position", "ram"], "fpu": ["mask_lo", "mask_hi"], "digest": ["icount", "digest"],
    "page_dirty": ["ram"], "page_clean": ["ram"], "tlb_flush": ["icount"], "mark": ["icount"],
    "end": ["icount", "digest", "console_bytes", "console_hash", "ram_hash"]}
SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"]
SLOTS = (["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"] +
         ["r%d" % i for i in range(8, 16)] + ["rip", "rflags"] +
         [s + part for s in SEGMENTS for part in ("", ".base", ".limit")] +
         ["cr2", "dr6", "pkru", "hflags"])
WHERE = struct.Struct("<IQQ")


def number(value):
    return int(value, 16) if isinstance(value, str) else value


def payload(event):
    """The payload that the members of a JSON event stand for."""
    if "raw" in event:
        return bytes.fromhex(event["raw"])
    words = [number(event[name]) for name in WORDS[event["kind"]]]
    if event["kind"] == "entry":
        slots = event["slots"]
        words.append(sum(1 << SLOTS.index(name) for name in slots))
        words += [number(slots[name]) for name in SLOTS if name in slots]
    words += [number(word) for word in event.get("words", [])]
    data = struct.pack("<%dQ" % len(words), *words) + bytes.fromhex(event.get("bytes", ""))
    return data + bytes(-len(data) % 8)


def record(event):
    """The event as MAKE_EVENTS writes it."""
    data = payload(event)
    return (WHERE.pack(event["shard"], event["tick"], event["slice"]) +
            struct.pack("<HBBI", len(data) + 8, KINDS.index(event["kind"]) + 1, event["flags"],
                        event["arg"]) + data)


def split_truth(data):
    events, at = [], 0
    while at < len(data):
        size = WHERE.size + struct.unpack_from("<H", data, at + WHERE.size)[0]
        events.append(data[at:at + size])
        at += size
    return events


class Reading(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.mkdtemp(prefix="skein-reading-")
        self.addCleanup(shutil.rmtree, self.tmp)

    def path(self, name):
        return os.path.join(self.tmp, name)

    def make(self, name, seed, events, *options):
        truth = self.path(name + ".truth")
        subprocess.run([MAKE_EVENTS, self.path(name), truth, str(seed), str(events), *options],
                       check=True)
        with open(truth, "rb") as f:
            return split_truth(f.read())

    def synth(self, name, *options):
        subprocess.run([MAKE_RECORDING, "-o", self.path(name), *options], check=True)
        return self.path(name)

    def run_skein(self, *args, **kw):
        kw.setdefault("stdout", subprocess.PIPE)
        p = subprocess.run([SKEIN, *args], stderr=subprocess.PIPE, timeout=60, check=False, **kw)
        return p.returncode, p.stdout, p.stderr.decode()

    def skein(self, *args, code=0, said=()):
        """Its stdout; stderr has one line for each word of `said`."""
        got, out, err = self.run_skein(*args)
        self.assertEqual(got, code, err)
        self.assertEqual(len(err.splitlines()), len(said), err)
        for word in said:
            self.assertIn(word, err)
        return out.decode()

    def events(self, *args, **kw):
        return [json.loads(line) for line in self.skein("cat", "--json", *args, **kw).splitlines()]

    def segment(self, name, number_of=1):
        return self.path("%s/segments/%06d.skn" % (name, number_of))

    def flip(self, path, at):
        with open(path, "r+b") as f:
            f.seek(at)
            byte = f.read(1)[0]
            f.seek(at)
            f.write(bytes([byte ^ 0x10]))


class Cat(Reading):
    def test_json_gives_back_the_records(self):
        for seed, options in [(1, []), (2, ["odd"])]:
            truth = self.make("r%d" % seed, seed, 8000, *options)
            events = self.events(self.path("r%d" % seed))
            self.assertEqual(len(events), len(truth))
            for event, expected in zip(events, truth):
                self.assertEqual(record(event), expected, event)

    def test_text_has_a_line_for_each_event(self):
        truth = self.make("r", 3, 5000, "odd")
        lines = self.skein("cat", self.path("r")).splitlines()
        self.assertEqual(len(lines), len(truth))
        for line, expected in zip(lines, truth):
            _, in_slice, shard, tick, kind = line.split()[:5]
            shard = 3 if shard == "dev" else int(shard)
            self.assertEqual((shard, int(tick), int(in_slice)), WHERE.unpack_from(expected))
            self.assertEqual(kind, KINDS[expected[WHERE.size + 2] - 1])

    def test_text_of_a_payload(self):
        self.make("r", 4, 5000)
        events = [e for e in self.events(self.path("r"), "--kind", "mem") if len(e["bytes"]) > 200]
        for options, shown in [([], 16), (["--bytes"], 10000)]:
            line = self.skein("cat", "--kind", "mem", "--slice", str(events[0]["slice"]), "--tick",
                              str(events[0]["tick"]), *options, self.path("r"))
            hexed = events[0]["bytes"]
            expected = hexed if len(hexed) <= 2 * shown else hexed[:2 * shown] + "…"
            self.assertIn("length=%d bytes=%s\n" % (len(hexed) // 2, expected), line)

    def expected(self, events, kinds, shards, tick, in_slice, time, limit):
        found = [e for e in events
                 if (not kinds or e["kind"] in kinds) and (not shards or e["shard"] in shards)
                 and tick[0] <= e["tick"] <= tick[1] and in_slice[0] <= e["slice"] <= in_slice[1]
                 and time[0] <= e["time_ns"] <= time[1]]
        return found[:limit]

    def test_filters(self):
        """Random filters, alone and together: what they give is what is in the whole."""
        self.make("r", 5, 8000)
        rng = random.Random(5)
        everything = (0, 1 << 64)
        events = self.events(self.path("r"))
        nonempty = 0
        for _ in range(40):
            args, chosen = [], {"kinds": [], "shards": [], "tick": everything,
                                "in_slice": everything, "time": everything, "limit": 1 << 64}
            if rng.random() < 0.4:
                chosen["kinds"] = rng.sample(KINDS, rng.randint(1, 4))
                args += ["--kind", ",".join(chosen["kinds"])]
            if rng.random() < 0.4:
                chosen["shards"] = rng.sample(range(4), rng.randint(1, 3))
                args += ["--vcpu", ",".join("devices" if s == 3 else str(s)
                                            for s in chosen["shards"])]
            for option, key, member in [("--tick", "tick", "tick"), ("--slice", "in_slice", "slice"),
                                        ("--time", "time", "time_ns")]:
                if rng.random() < 0.4:
                    ends = sorted(rng.choice(events)[member] for _ in range(2))
                    chosen[key] = tuple(ends)
                    scale = 1e9 if member == "time_ns" else 1
                    args += [option, "..".join("%.9f" % (e / scale) if scale > 1 else str(e)
                                               for e in ends)]
            if rng.random() < 0.2:
                chosen["limit"] = rng.randint(0, 50)
                args += ["--limit", str(chosen["limit"])]
            found = self.events(*args, self.path("r"))
            self.assertEqual(found, self.expected(events, **chosen), args)
            nonempty += bool(found)
        self.assertGreater(nonempty, 15)

    def test_open_ranges(self):
        self.make("r", 6, 3000)
        events = self.events(self.path("r"))
        for text, low, high in [("5..", 5, 1e9), ("..5", 0, 5), ("5", 5, 5), ("..", 0, 1e9)]:
            self.assertEqual(self.events("--slice", text, self.path("r")),
                             [e for e in events if low <= e["slice"] <= high])

    def test_time_without_a_counter(self):
        self.make("r", 13, 8000, "frozen")
        last = self.events(self.path("r"))[-50:]
        found = self.events("--slice", "%d.." % last[0]["slice"], self.path("r"))
        self.assertEqual(found[-50:], last)

    def test_blocks_that_are_not_wanted_are_not_read(self):
        self.make("r", 7, 30000)
        last = sorted(os.listdir(self.path("r/segments")))[-1]
        self.flip(os.path.join(self.path("r/segments"), last), 2000)
        self.skein("cat", self.path("r"), code=3, said=["checksum", "lost 1 blocks"])
        self.skein("cat", "--slice", "..50", self.path("r"))
        self.flip(os.path.join(self.path("r/segments"), last), 2000)
        self.flip(self.segment("r"), 2000)
        self.skein("cat", self.path("r"), code=3, said=["checksum", "lost 1 blocks"])
        self.skein("cat", "--slice", "2500..", self.path("r"))

    def test_a_damaged_block(self):
        truth = self.make("r", 8, 15000)
        self.flip(self.segment("r", 2), 60000)
        events = self.events(self.path("r"), code=3, said=["checksum", "lost 1 blocks"])
        left = [record(e) for e in events]
        lost = len(truth) - len(left)
        self.assertTrue(0 < lost < len(truth) // 10)
        at = next(i for i, r in enumerate(left) if r != truth[i])
        self.assertEqual(left, truth[:at] + truth[at + lost:])

    def test_damaged_files(self):
        for damage, word in [
                (lambda: os.truncate(self.segment("r", 3), 9000), "000003.skn"),
                (lambda: os.unlink(self.segment("r", 2)), "segment 2"),
                (lambda: self.flip(self.segment("r", 1), 20), "000001.skn")]:
            truth = self.make("r", 9, 12000)
            damage()
            code, out, err = self.run_skein("cat", "--json", self.path("r"))
            self.assertEqual(code, 3, err)
            self.assertIn(word, err.splitlines()[0])
            events = [json.loads(line) for line in out.splitlines()]
            self.assertLess(len(events), len(truth))
            self.assertGreater(len(events), len(truth) // 4)
            self.assertTrue(set(record(e) for e in events) <= set(truth))
            shutil.rmtree(self.path("r"))

    def test_a_recording_whose_recorder_died(self):
        self.synth("r", "--events", "120K", "--killed")
        events = self.events(self.path("r"), code=3, said=["incomplete: the recorder was killed"])
        self.assertGreater(len(events), 20000)

    def test_refusals(self):
        self.make("r", 10, 100)
        for args, words in [([], "which recording"), (["a", "b"], "which recording"),
                            (["--kind", "entry,nothing"], "--kind entry,nothing"),
                            (["--kind", ""], "--kind"), (["--vcpu", "1,x"], "--vcpu 1,x"),
                            (["--vcpu", "3"], "--vcpu 3"), (["--tick", "9..3"], "--tick 9..3"),
                            (["--slice", "1...3"], "--slice"), (["--time", "-1"], "--time -1"),
                            (["--time", "1e3"], "--time 1e3"), (["--limit", "1..2"], "--limit"),
                            (["--nonsense"], "--nonsense"), (["--limit"], "--limit needs")]:
            target = [] if not args or args == ["a", "b"] or args == ["--limit"] else [self.path("r")]
            self.assertEqual(self.skein("cat", *args, *target, code=2, said=[words]), "")
        self.skein("cat", self.tmp, code=2, said=["is not a recording"])
        self.skein("cat", self.path("nothing"), code=2, said=["nothing"])

    def test_a_reader_that_goes_away(self):
        self.make("r", 11, 40000)
        with subprocess.Popen([SKEIN, "cat", self.path("r")], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as p:
            self.assertIn(b"token", p.stdout.readline())
            p.stdout.close()
            self.assertEqual(p.stderr.read(), b"")
            self.assertEqual(p.wait(timeout=60), 0)
        with open("/dev/full", "wb") as full:
            code, _, err = self.run_skein("cat", self.path("r"), stdout=full)
        self.assertEqual(code, 2)
        self.assertIn("cannot write", err)

    def test_json_into_a_file(self):
        self.make("r", 12, 500)
        self.assertEqual(self.skein("cat", "--json=" + self.path("out"), self.path("r")), "")
        with open(self.path("out"), encoding="utf-8") as f:
            self.assertEqual(f.read(), self.skein("cat", "--json", self.path("r")))


MEASURE = """
import resource, subprocess, sys
null = subprocess.DEVNULL
subprocess.call(sys.argv[1:], stdout=null, stderr=null)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


class Memory(Reading):
    def test_it_does_not_grow_with_the_recording(self):
        small, large = self.synth("small", "--events", "100K"), self.synth("large", "--events", "1M")
        for args in [["cat"], ["cat", "--json"], ["diff", large]]:
            low, high = (self.max_rss(*args, d) for d in (small, large))
            self.assertLess(high, 48 << 10)
            self.assertLess(high, low + (8 << 10))

    def max_rss(self, *args):
        """In KiB. From a process that is small itself: a child begins with its parent's maximum."""
        # What AddressSanitizer keeps of freed memory is no growth.
        env = dict(os.environ, ASAN_OPTIONS="quarantine_size_mb=1")
        p = subprocess.run([sys.executable, "-c", MEASURE, SKEIN, *args], check=True, env=env,
                           stdout=subprocess.PIPE)
        return int(p.stdout)


class Ls(Reading):
    def rows(self, *args):
        return {os.path.basename(r["dir"]): r
                for r in json.loads(self.skein("ls", "--json", *args))}

    def test_states(self):
        for name in ("a", "b", "c", "lost-manifest"):
            self.make(name, 1, 2000)
        self.synth("killed", "--events", "2000", "--killed")
        os.truncate(self.segment("b"), 5000)
        os.truncate(self.path("c/manifest"), 30)
        os.unlink(self.path("lost-manifest/manifest"))
        os.mkdir(self.path("empty"))
        os.mkdir(self.path("other"))
        with open(self.path("other/manifest"), "w", encoding="utf-8") as f:
            f.write("of something else\n")
        rows = self.rows(self.tmp)
        self.assertEqual({name: row["state"] for name, row in rows.items()},
                         {"a": "complete", "b": "damaged", "c": "damaged", "killed": "incomplete",
                          "lost-manifest": "damaged"})
        self.assertEqual((rows["a"]["vcpus"], rows["a"]["scope"]), (3, "kernel"))
        self.assertEqual(rows["a"]["events"], len(self.events(self.path("a"))))
        self.assertEqual(rows["a"]["bytes"], sum(
            os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(self.path("a"))
            for f in files))
        self.assertIn("the file ends", rows["b"]["problem"])
        text = self.skein("ls", self.tmp).splitlines()
        self.assertEqual(len(text), 6)
        self.assertEqual([line.split()[0] for line in text[1:]],
                         ["complete", "damaged", "damaged", "incomplete", "damaged"])

    def test_where_it_looks(self):
        self.make("a", 1, 100)
        self.assertEqual(list(self.rows(self.path("a"))), ["a"])
        here = subprocess.run([SKEIN, "ls"], cwd=self.tmp, capture_output=True, check=True)
        self.assertTrue(here.stdout.endswith(b"  a\n"), here.stdout)
        self.skein("ls", self.path("nothing"), code=2, said=["nothing"])
        self.skein("ls", "--all", code=2, said=["--all"])
        self.assertEqual(self.skein("ls", self.path("a/segments")), "")


class Diff(Reading):
    def diff(self, a, b, code):
        got, out, err = self.run_skein("diff", "--json", self.path(a), self.path(b))
        self.assertEqual(got, code, err)
        return json.loads(out), err

    def test_the_same(self):
        truth = self.make("a", 1, 5000, "odd")
        self.make("b", 1, 5000, "odd")
        found, err = self.diff("a", "b", 0)
        self.assertTrue(found["same"])
        self.assertEqual(found["events"], {"a": len(truth), "b": len(truth)})
        self.assertEqual(err, "")
        self.assertIn("same (events %d" % len(truth),
                      self.skein("diff", self.path("a"), self.path("b")))

    def test_one_event_differs(self):
        truth = self.make("a", 1, 5000)
        for n in (0, 1234, len(truth) - 1):
            changed = self.make("b%d" % n, 1, 5000, "change=%d" % n)
            found, _ = self.diff("a", "b%d" % n, 1)
            first = found["first_difference"]
            self.assertEqual(first["same_before"], n)
            self.assertEqual(record(first["a"]), truth[n])
            self.assertEqual(record(first["b"]), changed[n])
            self.assertEqual(found["fields"], [])
        text = self.skein("diff", self.path("a"), self.path("b1234"), code=1)
        self.assertIn("behind 1234 same events", text)

    def test_one_ends_before_the_other(self):
        a, b = self.make("a", 1, 5000), self.make("b", 1, 6000)
        found, _ = self.diff("a", "b", 1)
        same = next(i for i, (x, y) in enumerate(zip(a, b)) if x != y)
        self.assertEqual(found["first_difference"]["same_before"], same)
        self.assertEqual(found["events"], {"a": len(a), "b": len(b)})
        kinds = [KINDS[r[WHERE.size + 2] - 1] for r in b]
        self.assertEqual({k: v["b"] for k, v in found["events_by_kind"].items()},
                         {k: kinds.count(k) for k in set(kinds)})

    def test_a_killed_recording_is_a_part_of_the_whole_one(self):
        self.synth("a", "--events", "120K")
        self.synth("b", "--events", "120K", "--killed")
        found, err = self.diff("a", "b", 1)
        self.assertIn("is incomplete", err)
        self.assertEqual([f["name"] for f in found["fields"]], ["end"])
        self.assertIsNone(found["first_difference"]["b"])
        self.assertEqual(found["first_difference"]["same_before"], found["events"]["b"])
        self.assertEqual(self.run_skein("diff", self.path("b"), self.path("b"))[0], 3)

    def test_refusals(self):
        self.make("a", 1, 100)
        self.skein("diff", self.path("a"), code=2, said=["which two"])
        self.skein("diff", self.path("a"), self.path("x"), code=2, said=["x"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
