#!/usr/bin/env python3
"""skein verify -j against fake_qemu: epochs, workers, what goes wrong, --resume, --junit.

Usage: verify_test.py SKEIN FAKE_QEMU MAKE_EPOCHS
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

SKEIN, FAKE, MAKE = (os.path.abspath(path) for path in sys.argv[1:4])
EVENTS = 3000

class Verify(unittest.TestCase):
    def setUp(self):
        self.pids = []
        self.tmp = tempfile.mkdtemp(prefix="skein-verify-")
        self.addCleanup(shutil.rmtree, self.tmp)
        self.log = os.path.join(self.tmp, "log")
        self.results = os.path.join(self.tmp, "results")

    def tearDown(self):
        left = [n for n in os.listdir("/dev/shm") if n.startswith("skein-")
                and any("-%d-" % pid in n for pid in self.pids)]
        self.assertEqual(left, [])

    def make(self, name="rec", seed=1, checkpoints=5, events=EVENTS, shape=()):
        path = os.path.join(self.tmp, name)
        subprocess.run([MAKE, path, str(seed), str(checkpoints), str(events), *shape], check=True)
        return path

    def start(self, *args, mode=""):
        open(self.log, "w", encoding="utf-8").close()
        env = dict(os.environ, FAKE_QEMU="epochs," + mode, SKEIN_QEMU=FAKE, FAKE_QEMU_LOG=self.log)
        p = subprocess.Popen([SKEIN, "verify", *args], env=env, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.pids.append(p.pid)
        self.addCleanup(p.kill)  # a test that failed may have left it
        return p

    def end(self, p):
        out, err = p.communicate(timeout=60)
        return p.returncode, out.decode(errors="replace"), err.decode(errors="replace")

    def verify(self, *args, **kw):
        return self.end(self.start(*args, **kw))

    def verify_json(self, *args, **kw):
        code, out, _ = self.verify("--json", *args, **kw)
        return code, json.loads(out)

    def logged(self, word="begin"):
        """The epochs that began (or ended), in that order; behind each is its QEMU's pid."""
        with open(self.log, encoding="utf-8") as f:
            return [int(line.split()[1]) for line in f if line.startswith(word)]

    def await_begin(self, epoch):
        for _ in range(3000):
            if epoch in self.logged():
                return
            time.sleep(0.01)
        self.fail("epoch %d does not begin" % epoch)

    def verdicts(self, recording):
        return [case["verdict"] for case in recording["epochs"]]


class Epochs(Verify):
    def test_all_are_replayed_and_counted(self):
        rec = self.make()
        code, out, err = self.verify("-j", "3", rec)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("%s: same (6 of 6 epochs the same, events %d/%d, " % (rec, EVENTS + 3, EVENTS + 3),
                      out)
        self.assertEqual(sorted(self.logged("end")), [1, 2, 3, 4, 5, 6])
        code, result = self.verify_json("-j", "0", rec)
        self.assertEqual(code, 0)
        self.assertEqual([case["epoch"] for case in result[0]["epochs"]], [1, 2, 3, 4, 5, 6])
        self.assertEqual(result[0]["console_bytes_done"], 1000)
        self.assertNotIn("first_diverged_epoch", result[0])

    def test_as_many_at_once_as_asked_for(self):
        rec = self.make()
        for jobs in 1, 3:
            p = self.start("-j", str(jobs), rec, mode="hang,")
            while len(self.logged()) < jobs:
                time.sleep(0.01)
            time.sleep(0.5)
            self.assertEqual(len(self.logged()), jobs)
            p.send_signal(signal.SIGINT)
            self.assertEqual(self.end(p)[0], 130)

    def test_a_recording_without_checkpoints_is_one_epoch(self):
        rec = self.make(checkpoints=0)
        code, out, err = self.verify("-j", "2", rec)
        self.assertEqual((code, err), (0, ""))
        self.assertIn(": same (events %d/%d" % (EVENTS + 3, EVENTS + 3), out)
        self.assertEqual(self.logged(), [1])

    def test_bad_usage(self):
        rec = self.make(checkpoints=0)
        for args in ["-j", "two"], ["-j", "-1"], ["-j", "1025"], ["--jobs="], ["--resume"], ["-j"]:
            code, out, err = self.verify(*args, *([] if args[-1] in ("--resume", "-j") else [rec]))
            self.assertEqual((code, out, len(err.splitlines())), (2, "", 1), args)


class Wrong(Verify):
    def test_a_divergence_is_named_by_its_epoch(self):
        rec = self.make()
        code, out, err = self.verify("-j", "2", rec, mode="diverge@3,")
        self.assertEqual((code, err), (1, ""))
        self.assertIn(": diverged in epoch 3 of 6 at vCPU 1, ", out)
        self.assertIn("(5 of 6 epochs the same", out)
        self.assertEqual(sorted(self.logged("end")), [1, 2, 3, 4, 5, 6])

    def test_the_first_of_several_divergences(self):
        rec = self.make()
        code, result = self.verify_json("-j", "3", rec, mode="diverge@5,diverge@2,")
        self.assertEqual(code, 1)
        self.assertEqual(result[0]["verdict"], "diverged")
        self.assertEqual(result[0]["first_diverged_epoch"], 2)
        self.assertEqual(self.verdicts(result[0]),
                         ["same", "diverged", "same", "same", "diverged", "same"])
        tick = EVENTS // 3 // 6
        self.assertAlmostEqual(result[0]["divergence"]["tick"], tick + 5, delta=2)
        self.assertAlmostEqual(result[0]["epochs"][4]["divergence"]["tick"], 4 * tick + 5, delta=4)

    def test_the_console_of_an_epoch(self):
        rec = self.make()
        code, out, _ = self.verify("-j", "2", rec, mode="console@4,")
        self.assertEqual(code, 1)
        self.assertIn("diverged in epoch 4 of 6: console byte 503: expected 0x6a, got 0x21", out)

    def test_a_console_that_differs_from_the_recorded_one_at_the_end_of_an_epoch(self):
        """The replayed part ends where the next one begins: no byte less."""
        rec = self.make(checkpoints=1)
        code, out, _ = self.verify(rec, mode="short@1,")
        self.assertEqual(code, 1)
        self.assertIn("diverged in epoch 1 of 2: console byte 499: expected 0x66, got the end", out)

    def test_a_crash(self):
        rec = self.make()
        code, result = self.verify_json("-j", "2", rec, mode="kill@2,")
        self.assertEqual(code, 1)
        self.assertEqual(self.verdicts(result[0]), ["same", "crashed"] + 4 * ["same"])
        self.assertIn("killed by signal 9", result[0]["message"])

    def test_a_qemu_that_somebody_kills(self):
        rec = self.make()
        p = self.start("-j", "2", "--json", rec, mode="hang@2,")
        self.await_begin(6)
        with open(self.log, encoding="utf-8") as f:
            os.kill(next(int(line.split()[2]) for line in f if line.startswith("begin 2 ")),
                    signal.SIGKILL)
        code, out, _ = self.end(p)
        self.assertEqual(code, 1)
        self.assertEqual(self.verdicts(json.loads(out)[0]), ["same", "crashed"] + 4 * ["same"])

    def damage(self, rec, number, at):
        path = os.path.join(rec, "checkpoints/%06d.skc" % number)
        size = os.path.getsize(path)
        with open(path, "r+b") as f:
            f.seek(int(at * size))
            byte = f.read(1)[0]
            f.seek(int(at * size))
            f.write(bytes([byte ^ 4]))

    def test_a_checkpoint_that_cannot_be_used(self):
        rec = self.make()
        os.unlink(os.path.join(rec, "checkpoints/000003.skc"))
        code, result = self.verify_json("-j", "2", rec)
        self.assertEqual(code, 2)
        names = [case["name"] for case in result[0]["epochs"]]
        self.assertEqual(names, ["epoch 1 of 6", "epoch 2 of 6", "epochs 3 to 6 of 6",
                                 "checkpoint 3"])
        self.assertEqual(self.verdicts(result[0]), ["same", "same", "same", "unreadable"])
        self.assertEqual(result[0]["events_done"], EVENTS + 3)
        self.assertEqual(result[0]["epochs"][2]["last_epoch"], 6)
        code, out, err = self.verify(rec)
        self.assertEqual((code, len(err.splitlines())), (2, 1))
        self.assertIn("unreadable in checkpoint 3", out)
        self.assertIn("6 of 6 epochs the same", out)

    def test_a_damaged_checkpoint_leaves_what_is_before_it(self):
        for at in 0.3, 0.5, 0.7:
            rec = self.make("rec%s" % at)
            self.damage(rec, 3, at)
            code, result = self.verify_json("-j", "2", rec)
            self.assertEqual(code, 2)
            verdicts = self.verdicts(result[0])
            self.assertEqual(verdicts[:2], ["same", "same"])
            self.assertIn("unreadable", verdicts[2:])
            self.assertNotIn("diverged", verdicts)
            self.assertIn("000003.skc", result[0]["message"])

    def test_interrupted(self):
        rec, other = self.make(), self.make("other", seed=2)
        p = self.start("-j", "2", rec, other, mode="hang@2,hang@3,")
        self.await_begin(2)
        self.await_begin(3)
        p.send_signal(signal.SIGINT)
        code, out, _ = self.end(p)
        self.assertEqual(code, 130)
        self.assertIn("%s: interrupted in epoch 2 of 6" % rec, out)
        self.assertNotIn(other, out)


class Several(Verify):
    def test_one_pool_for_all(self):
        recs = [self.make("rec%d" % i, seed=i, checkpoints=i) for i in (1, 2, 0, 3)]
        code, out, err = self.verify("-j", "3", *recs, mode="slow,")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual([line.split(":")[0] for line in out.splitlines()], recs)
        self.assertEqual(len(self.logged()), 2 + 3 + 1 + 4)

    def test_the_longest_epoch_first(self):
        equal, growing = self.make(), self.make("growing", shape=["growing"])
        self.assertEqual(self.verify("-q", equal)[0], 0)
        self.assertEqual(self.logged(), [1, 2, 3, 4, 5, 6])
        code, result = self.verify_json(growing)
        self.assertEqual((code, self.logged()), (0, [6, 5, 4, 3, 2, 1]))
        self.assertEqual(self.verdicts(result[0]), 6 * ["same"])

    def test_the_same_one_twice(self):
        rec = self.make()
        code, out, _ = self.verify("-j", "4", rec, rec)
        self.assertEqual((code, out.count("6 of 6 epochs the same")), (0, 2))

    def test_the_worst_wins(self):
        good, bad = self.make(checkpoints=1), os.path.join(self.tmp, "none")
        code, out, err = self.verify("-j", "2", bad, good)
        self.assertEqual((code, len(out.splitlines()), len(err.splitlines())), (2, 1, 1))
        self.assertIn(good + ": same", out)
        code, out, _ = self.verify("-q", "-j", "2", bad, good, mode="diverge@2,")
        self.assertEqual(code, 1)
        self.assertIn("diverged in epoch 2 of 2", out)
        code, out, _ = self.verify("-q", good)
        self.assertEqual((code, out), (0, ""))


class Resume(Verify):
    def test_after_an_interrupt(self):
        rec = self.make()
        p = self.start("--resume", self.results, rec, mode="hang@4,diverge@2,")
        self.await_begin(4)
        p.send_signal(signal.SIGTERM)
        code, out, _ = self.end(p)
        self.assertEqual(code, 130)
        self.assertIn("diverged in epoch 2 of 6", out)
        code, result = self.verify_json("--resume", self.results, rec)
        self.assertEqual(code, 1)
        self.assertEqual(self.logged(), [4, 5, 6])
        self.assertEqual(self.verdicts(result[0]), ["same", "diverged"] + 4 * ["same"])
        self.assertEqual([case["kept"] for case in result[0]["epochs"]], 3 * [True] + 3 * [False])
        self.assertEqual(result[0]["message"], "not <this> tick")
        self.assertEqual(result[0]["divergence"]["kind"], "value")
        self.assertEqual(result[0]["events_total"], EVENTS + 3)
        self.assertEqual(self.verify("--resume", self.results, rec)[0], 1)
        self.assertEqual(self.logged(), [])

    def test_after_a_kill(self):
        rec = self.make()
        p = self.start("-j", "2", "--resume", self.results, rec, mode="hang@3,hang@5,")
        self.await_begin(3)
        self.await_begin(5)
        left = [name for name in os.listdir("/dev/shm") if "-%d-replay" % p.pid in name]
        p.kill()
        self.end(p)
        self.assertNotEqual(left, [])
        self.assertEqual(self.verify("--resume", self.results, rec)[0], 0)
        for name in left:
            self.assertFalse(os.path.exists("/dev/shm/" + name), name)
        self.assertEqual(self.logged(), [3, 5, 6])

    def test_what_can_change_is_tried_again(self):
        rec = self.make()
        self.assertEqual(self.verify("--resume", self.results, rec, mode="kill@2,")[0], 1)
        self.assertEqual(self.verify("--resume", self.results, rec)[0], 0)
        self.assertEqual(self.logged(), [2])

    def test_lines_that_are_not_whole_do_not_count(self):
        rec = self.make()
        self.assertEqual(self.verify("--resume", self.results, rec)[0], 0)
        with open(self.results, "rb") as f:
            whole = f.read()
        ends = [i + 1 for i, byte in enumerate(whole) if byte == 10]
        self.assertEqual(len(ends), 7)
        for cut in 5, ends[0], ends[0] + 3, ends[2] - 1, ends[2], ends[2] + 200, len(whole) - 1:
            with open(self.results, "wb") as f:
                f.write(whole[:cut])
            self.assertEqual(self.verify("--resume", self.results, rec)[0], 0)
            kept = max(0, sum(end <= cut for end in ends) - 1)
            self.assertEqual(self.logged(), list(range(kept + 1, 7)), cut)
            self.assertEqual(self.verify("--resume", self.results, rec)[0], 0)
            self.assertEqual(self.logged(), [], cut)

    def test_damaged_lines_do_not_count(self):
        rec = self.make()
        self.assertEqual(self.verify("--resume", self.results, rec)[0], 0)
        with open(self.results, "rb") as f:
            lines = f.read().split(b"\n")
        lines[3] = lines[3].replace(b" 0 ", b" 1 ", 1)
        lines[5] = b"\0" * len(lines[5])
        with open(self.results, "wb") as f:
            f.write(b"\n".join(lines))
        self.assertEqual(self.verify("--resume", self.results, rec)[0], 0)
        self.assertEqual(self.logged(), [3, 5])

    def test_a_changed_recording_is_verified_anew(self):
        rec = self.make()
        other = self.make("other", seed=2, checkpoints=1)
        self.assertEqual(self.verify("--resume", self.results, rec, other)[0], 0)
        shutil.rmtree(rec)
        self.make(events=EVENTS + 3)
        self.assertEqual(self.verify("--resume", self.results, rec, other)[0], 0)
        self.assertEqual(self.logged(), [1, 2, 3, 4, 5, 6])
        shutil.copytree(rec, rec + "-copy")
        self.assertEqual(self.verify("--resume", self.results, rec + "-copy")[0], 0)
        self.assertEqual(self.logged(), [], "a copy is the same")

    def test_with_another_qemu_it_is_verified_anew(self):
        rec = self.make(checkpoints=1)
        self.assertEqual(self.verify("--resume", self.results, rec)[0], 0)
        qemu = os.path.join(self.tmp, "qemu")
        shutil.copy(FAKE, qemu)
        self.assertEqual(self.verify("--resume", self.results, "--qemu", qemu, rec)[0], 0)
        self.assertEqual(self.logged(), [1, 2])

    def test_a_file_of_something_else_stays(self):
        rec = self.make(checkpoints=1)
        with open(self.results, "w", encoding="utf-8") as f:
            f.write("precious\n")
        code, out, err = self.verify("--resume", self.results, rec)
        self.assertEqual((code, out, len(err.splitlines())), (2, "", 1))
        self.assertIn("not a file of verify --resume", err)
        with open(self.results, encoding="utf-8") as f:
            self.assertEqual(f.read(), "precious\n")
        self.assertEqual(self.logged(), [])

    def test_two_at_once(self):
        rec = self.make(checkpoints=1)
        p = self.start("--resume", self.results, rec, mode="hang@1,")
        self.await_begin(1)
        code, _, err = self.verify("--resume", self.results, rec)
        self.assertEqual(code, 2)
        self.assertIn("another skein verify", err)
        p.send_signal(signal.SIGINT)
        self.assertEqual(self.end(p)[0], 130)


class Junit(Verify):
    def read(self, *args, **kw):
        path = os.path.join(self.tmp, "junit.xml")
        code = self.verify("--junit", path, *args, **kw)[0]
        return code, xml.etree.ElementTree.parse(path).getroot()

    def test_suites_and_cases(self):
        recs = [self.make("rec%d" % i, seed=i, checkpoints=i) for i in (2, 4)]
        code, root = self.read("-j", "2", *recs, os.path.join(self.tmp, "none"),
                               mode="diverge@2,kill@4,")
        self.assertEqual(code, 1)
        counts = lambda e: tuple(int(e.get(n)) for n in ("tests", "failures", "errors", "skipped"))
        self.assertEqual((root.tag, counts(root)), ("testsuites", (9, 2, 2, 0)))
        suites = root.findall("testsuite")
        self.assertEqual([counts(s) for s in suites], [(3, 1, 0, 0), (5, 1, 1, 0), (1, 0, 1, 0)])
        cases = suites[1].findall("testcase")
        self.assertEqual([c.get("name") for c in cases], ["epoch %d of 5" % i for i in range(1, 6)])
        self.assertEqual([[c.tag for c in case] for case in cases],
                         [[], ["failure"], [], ["error"], []])
        self.assertEqual(cases[1].find("failure").get("message"), "not <this> tick")

    def test_odd_names(self):
        name = b"a<b>&\"'\xc3\xa4\xff\x01\xed\xa0\x80\xef\xbf\xbf\xf0\x9f\xa7\xb6 ]]>"
        rec = os.path.join(os.fsencode(self.tmp), name)
        os.rename(self.make(checkpoints=1), rec)
        code, root = self.read(rec)
        self.assertEqual(code, 0)
        shown = root.find("testsuite").get("name")
        self.assertTrue(shown.endswith("a<b>&\"'\u00e4??" + "???" + "???" + "\U0001f9f6 ]]>"), shown)

    def test_what_was_not_run_is_skipped(self):
        rec = self.make()
        path = os.path.join(self.tmp, "junit.xml")
        p = self.start("--junit", path, rec, mode="hang@3,")
        self.await_begin(3)
        p.send_signal(signal.SIGINT)
        self.assertEqual(self.end(p)[0], 130)
        root = xml.etree.ElementTree.parse(path).getroot()
        self.assertEqual((root.get("tests"), root.get("skipped")), ("6", "4"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
