#!/usr/bin/env python3
"""skein record --until, --repeat and --chaos, against fake_qemu.

Usage: repeat_test.py SKEIN FAKE_QEMU
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

SKEIN = os.path.abspath(sys.argv[1])
FAKE = os.path.abspath(sys.argv[2])


class Repeat(unittest.TestCase):
    def setUp(self):
        self.pids = []
        self.tmp = tempfile.mkdtemp(prefix="skein-repeat-")
        self.addCleanup(shutil.rmtree, self.tmp)
        self.dir = os.path.join(self.tmp, "rec")
        self.counter = os.path.join(self.tmp, "runs")
        self.kernel = os.path.join(self.tmp, "vmlinuz")
        with open(self.kernel, "wb") as f:
            f.write(b"not really a kernel")

    def start(self, *args, mode=""):
        env = dict(os.environ, FAKE_QEMU=mode, SKEIN_QEMU=FAKE, FAKE_RUNS=self.counter)
        p = subprocess.Popen([SKEIN, *args], env=env, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.pids.append(p.pid)
        return p

    def skein(self, *args, **kw):
        p = self.start(*args, **kw)
        out, err = p.communicate(timeout=60)
        return p.returncode, out, err

    def record(self, *args, **kw):
        return self.skein("record", "-o", self.dir, "--kernel", self.kernel, *args, **kw)

    def tearDown(self):
        left = [n for n in os.listdir("/dev/shm") if n.startswith("skein-")
                and any("-%d-" % pid in n for pid in self.pids)]
        self.assertEqual(left, [])

    def need_recording(self):
        code, out, err = self.skein("verify", self.dir)
        self.assertEqual(code, 0, out + err)
        self.assertEqual(sorted(os.listdir(self.dir)),
                         ["console.log", "manifest", "segments", "snapshot.zst"])

    def need_nothing(self):
        self.assertEqual(os.listdir(self.tmp), [os.path.basename(self.kernel)])

    def test_bad_usage(self):
        for option, value in [("--until", "never"), ("--until", "exit:256"), ("--until", "exit:"),
                              ("--until", "console:"), ("--chaos", "0"), ("--chaos", "4294967296"),
                              ("--chaos", "many"), ("--repeat", "0"), ("--repeat", "-1")]:
            code, out, err = self.record("--until", "panic", option, value)
            self.assertEqual((code, out, len(err.splitlines())), (2, "", 1), err)
            self.assertIn("%s %s" % (option, value), err)
        code, _, err = self.record("--repeat", "3")
        self.assertEqual((code, len(err.splitlines())), (2, 1), err)
        self.assertIn("--until", err)
        self.need_nothing()

    def test_each_kind_is_caught(self):
        for until, mode in [("panic", "panic"), ("exit:7", "exit"),
                            ("console:hello from", ""), ("panic", "wait-panic")]:
            with self.subTest(until=until, mode=mode):
                code, _, err = self.record("--until", until, mode=mode)
                self.assertEqual(code, 0, err)
                self.assertIn("found in run 1 of 1: " + self.dir, err)
                self.need_recording()
                shutil.rmtree(self.dir)

    def test_each_kind_is_missed(self):
        for until, mode in [("panic", "exit"), ("exit:6", "exit"), ("exit:0", ""),
                            ("console:SKEIN-READY", "")]:
            with self.subTest(until=until, mode=mode):
                args = ["--start", "console:SKEIN-READY"] if until.startswith("console") else []
                code, _, err = self.record("--until", until, *args, mode=mode)
                self.assertEqual(code, 4, err)
                self.assertIn("nothing is kept", err.splitlines()[-1])
                self.need_nothing()

    def test_the_first_that_caught_it_is_kept(self):
        code, out, err = self.record("--until", "panic", "--repeat", "9", "--json",
                                     "--start", "console:SKEIN-READY", mode="third")
        self.assertEqual(code, 0, err)
        lines = [line for line in err.splitlines() if line.startswith("run ")]
        self.assertEqual([bool(re.match(r"run %d of 9: \d+\.\d\d s, " % (i + 1), line))
                          for i, line in enumerate(lines)], [True] * 3, err)
        self.assertEqual(["not found" in line for line in lines], [True, True, False])
        self.assertIn("skein: found in run 3 of 9: " + self.dir, err)
        result = json.loads(out)
        self.assertEqual([(r["run"], r["seed"], r["found"]) for r in result["runs"]],
                         [(1, 0, False), (2, 0, False), (3, 0, True)])
        self.assertTrue(result["found"])
        self.assertIn("Kernel panic", result["what"])
        self.assertEqual(result["recording"]["end"], "reset")
        self.assertNotIn("chaos", result["recording"])
        self.assertNotIn("exit_status", result["recording"])
        self.need_recording()

    def test_none_has_caught_it(self):
        os.mkdir(self.dir)
        code, out, err = self.record("--until", "panic", "--repeat", "3", "--json")
        self.assertEqual(code, 4, err)
        self.assertEqual(len([x for x in err.splitlines() if x.startswith("run ")]), 3)
        result = json.loads(out)
        self.assertEqual((result["found"], len(result["runs"]), "recording" in result),
                         (False, 3, False))
        self.assertEqual(os.listdir(self.dir), [])  # it was there before

    def test_quiet(self):
        code, out, err = self.record("--until", "panic", "--repeat", "2", "-q")
        self.assertEqual((code, out, len(err.splitlines())), (4, "", 1), err)

    def test_seeds(self):
        code, out, err = self.record("--until", "console:never", "--repeat", "4", "--chaos", "77",
                                     mode="seed")
        self.assertEqual(code, 4, err)
        seeds = re.findall(r"^run \d of 4 --chaos (\d+):", err, flags=re.M)
        self.assertEqual(seeds, re.findall(r"^chaos=(\d+);", out, flags=re.M))
        self.assertEqual((len(set(seeds)), seeds[0]), (4, "77"))
        again = self.record("--until", "console:chaos=%s;" % seeds[3], "--chaos", seeds[3],
                            "--start", "console:SKEIN-READY", mode="seed")
        self.assertEqual(again[0], 0, again[2])
        self.assertIn("run 1 of 1 --chaos %s" % seeds[3], again[2])

    def test_chaos_without_until(self):
        code, out, _ = self.record("--chaos", "5", mode="seed")
        self.assertEqual((code, "chaos=5;" in out), (0, True))
        self.assertIn("disturbed by --chaos 5\n", self.skein("info", self.dir)[1])
        self.assertEqual(json.loads(self.skein("info", "--json", self.dir)[1])["chaos"], 5)
        shutil.rmtree(self.dir)
        code, out, _ = self.record(mode="seed")
        self.assertEqual((code, "chaos=0;" in out), (0, True))

    def test_the_exit_status_is_told(self):
        code, out, err = self.record("--until", "exit:7", "--json", mode="exit")
        self.assertEqual((code, json.loads(out)["recording"]["exit_status"]), (0, 7))
        self.assertIn("the workload ended with 7\n", err)
        self.assertIn("the workload ended with 7\n", self.skein("info", self.dir)[1])

    def test_a_timeout_is_each_run_s(self):
        code, _, err = self.record("--until", "exit:1", "--repeat", "2", "--timeout", "1",
                                   mode="wait")
        self.assertEqual(code, 4, err)
        self.assertEqual(err.count("not found"), 2)
        self.need_nothing()

    def test_a_crash_is_kept_and_ends_it(self):
        code, _, err = self.record("--until", "panic", "--repeat", "5", mode="crash")
        self.assertEqual(code, 3, err)
        self.assertEqual(len(re.findall("^run ", err, flags=re.M)), 1)
        self.assertIn("killed by signal 9", err)
        self.assertEqual(self.skein("verify", self.dir)[0], 3)

    def test_nothing_can_be_recorded(self):
        code, _, err = self.record("--until", "panic", "--repeat", "5", mode="refuse")
        self.assertEqual((code, len(re.findall("^run ", err, flags=re.M))), (2, 1), err)
        self.need_nothing()

    def test_interrupt(self):
        p = self.start("record", "-o", self.dir, "--kernel", self.kernel, "--until", "panic",
                       "--repeat", "100", mode="wait")
        while "SKEIN-DONE" not in p.stdout.readline():
            pass
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 130, err)
        self.assertIn("interrupted", err.splitlines()[-1])
        self.need_nothing()

    def test_what_others_put_there_is_not_followed(self):
        """A link in the folder goes, what it points to stays."""
        precious = os.path.join(self.tmp, "precious")
        os.mkdir(precious)
        with open(os.path.join(precious, "data"), "w", encoding="ascii") as f:
            f.write("data")
        p = self.start("record", "-o", self.dir, "--kernel", self.kernel, "--until", "panic",
                       mode="wait")
        while "SKEIN-DONE" not in p.stdout.readline():
            pass
        os.symlink(precious, os.path.join(self.dir, "segments", "link"))
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 130, err)
        self.assertFalse(os.path.exists(self.dir))
        self.assertEqual(os.listdir(precious), ["data"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
