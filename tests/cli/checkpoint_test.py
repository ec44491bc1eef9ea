#!/usr/bin/env python3
"""Checkpoints from the command line, against fake_qemu: taken, shown, begun at, damaged, recovered.

Usage: checkpoint_test.py SKEIN FAKE_QEMU
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

SKEIN = os.path.abspath(sys.argv[1])
FAKE = os.path.abspath(sys.argv[2])


class Checkpoints(unittest.TestCase):
    def setUp(self):
        self.pids = []
        self.tmp = tempfile.mkdtemp(prefix="skein-cli-")
        self.addCleanup(shutil.rmtree, self.tmp)
        self.dir = os.path.join(self.tmp, "rec")
        self.kernel = os.path.join(self.tmp, "vmlinuz")
        with open(self.kernel, "wb") as f:
            f.write(b"not really a kernel")

    def tearDown(self):
        left = [n for n in os.listdir("/dev/shm") if n.startswith("skein-")
                and any("-%d-" % pid in n for pid in self.pids)]
        self.assertEqual(left, [])

    def skein(self, *args, mode=""):
        env = dict(os.environ, FAKE_QEMU=mode, SKEIN_QEMU=FAKE)
        p = subprocess.Popen([SKEIN, *args], env=env, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.pids.append(p.pid)
        out, err = p.communicate(timeout=60)
        return p.returncode, out, err

    def record(self, *args, mode=""):
        return self.skein("record", "-q", "-o", self.dir, "--kernel", self.kernel, "--smp", "2",
                          *args, mode=mode)

    def recorded(self, *args, mode=""):
        self.assertEqual(self.record("--epoch", "0.1", *args, mode=mode), (0, "", ""))

    def info(self):
        code, out, err = self.skein("info", "--json", self.dir)
        self.assertEqual((code, err), (0, ""))
        return json.loads(out)

    def replay(self, *args):
        code, out, err = self.skein("replay", "-q", "--json", *args, self.dir)
        self.assertEqual((code, err), (0, ""))
        return json.loads(out)

    def refuses(self, result, *words):
        self.assertEqual((result[0], result[1]), (2, ""), result[2])
        self.assertEqual(len(result[2].splitlines()), 1, result[2])
        for word in words:
            self.assertIn(word, result[2])

    def file(self, number):
        return os.path.join(self.dir, "checkpoints/%06d.skc" % number)

    def test_taken_and_shown(self):
        self.recorded()
        found = self.info()["checkpoints"]
        self.assertEqual([(c["number"], c["ok"]) for c in found], [(1, True), (2, True), (3, True)])
        for c in found:
            self.assertEqual(c["bytes"], os.path.getsize(self.file(c["number"])))
            self.assertEqual(c["pages"], c["pages_stored"] + c["pages_shared"] + c["pages_zero"])
            self.assertEqual(c["icount"], sum(c["vcpu_icounts"]))
        _, out, _ = self.skein("info", self.dir)
        self.assertEqual(out.count("  checkpoint "), 3)
        row, = json.loads(self.skein("ls", "--json", self.dir)[1])
        self.assertEqual(row["checkpoints"], 3)
        self.assertEqual(row["bytes"], sum(
            os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(self.dir) for f in files))

    def test_by_qmp_too(self):
        self.recorded("--start", "console:SKEIN-READY")
        self.assertEqual(len(self.info()["checkpoints"]), 3)

    def test_without(self):
        self.assertEqual(self.record(), (0, "", ""))
        self.assertFalse(os.path.exists(self.dir + "/checkpoints"))
        self.assertEqual(self.info()["checkpoints"], [])
        self.refuses(self.skein("replay", "--from", "1", self.dir), "no checkpoint 1")
        self.assertEqual(self.replay("--from", "0")["verdict"], "same")
        self.assertEqual(self.replay("--from", "icount=5")["verdict"], "same")

    def test_begun_at(self):
        self.recorded()
        info = self.info()
        for c in info["checkpoints"]:
            left = info["events"] - sum(c["ticks"])
            for where in (c["number"], "icount=%d" % c["icount"], "slice=%d" % c["slices"]):
                verdict = self.replay("--from", str(where))
                self.assertEqual((verdict["verdict"], verdict["events_done"],
                                  verdict["events_total"]), ("same", left, left), where)
        first = info["checkpoints"][0]
        self.assertEqual(self.replay("--from", "slice=%d" % (first["slices"] - 1))["events_done"],
                         info["events"])

    def test_bad_words(self):
        self.recorded()
        for word in "x", "", "-1", "1x", "icount=", "slice=-1", "tick=3":
            self.refuses(self.skein("replay", "--from", word, self.dir), "--from")
        for word in "0", "x", "", ".", "1.", "-1", "1e3", "0.0001", "99999999", "nan":
            self.refuses(self.skein("replay", "--epoch", word, self.dir), "--epoch")
            self.refuses(self.skein("record", "-o", self.dir, "--epoch", word), "--epoch")
        self.refuses(self.skein("replay", "--from", "4", self.dir), "no checkpoint 4")

    def test_no_second_time(self):
        self.recorded()
        self.refuses(self.skein("replay", "--epoch", "1", self.dir), "--from 3")
        self.assertEqual(self.replay("--from", "3", "--epoch", "1")["verdict"], "same")

    def test_a_bad_one_ends_them_and_nothing_else(self):
        code, _, err = self.record("--epoch", "0.1", mode="badcheckpoint")
        self.assertEqual(code, 0, err)
        self.assertIn("no checkpoints after number 1: ", err)
        self.assertEqual(len(err.splitlines()), 1)
        self.assertEqual(len(self.info()["checkpoints"]), 1)
        self.assertEqual(os.listdir(self.dir + "/checkpoints"), ["000001.skc"])
        self.assertEqual(self.replay("--from", "1")["verdict"], "same")

    def test_damaged_and_recovered(self):
        self.recorded()
        with open(self.file(2), "r+b") as f:
            f.truncate(1000)
        found = self.info()["checkpoints"]
        self.assertEqual([c["ok"] for c in found], [True, False, False])
        self.assertIn("000002.skc is damaged", found[1]["problem"])
        self.refuses(self.skein("replay", "--from", "3", self.dir), "3 cannot be used",
                     "1 is the last that can")
        self.assertEqual(self.replay("--from", "icount=99999999999")["events_done"],
                         self.info()["events"] - sum(found[0]["ticks"]))
        code, out, err = self.skein("recover", "-q", "--json", self.dir)
        self.assertEqual((code, err), (0, ""))
        done = json.loads(out)
        self.assertEqual((done["checkpoints_kept"], done["checkpoints_dropped"]), (1, 2))
        self.assertEqual(sorted(os.listdir(self.dir + "/checkpoints")),
                         ["000001.skc", "000002.skc.damaged", "000003.skc.damaged"])

    def test_killed(self):
        code, _, _ = self.record("--epoch", "0.1", mode="crash")
        self.assertEqual(code, 3)
        found = self.info()["checkpoints"]
        self.assertTrue(found and all(c["ok"] for c in found), found)
        code, out, _ = self.skein("replay", "-q", "--json", "--from", "1", self.dir)
        self.assertEqual((code, json.loads(out)["verdict"]), (3, "incomplete"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
