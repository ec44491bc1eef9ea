#!/usr/bin/env python3
"""skein recover against fake_qemu: killed recorders, damaged files, and what it says of them.

Usage: recover_test.py SKEIN FAKE_QEMU
"""

import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

SKEIN = os.path.abspath(sys.argv[1])
FAKE = os.path.abspath(sys.argv[2])
# Does nothing as long as there is a folder for segments. In two pieces: ./dev test takes a file with
# such a line for a shell script.
LATE_QEMU = "#!" + """/bin/sh
while [ -d '%s' ]; do sleep 0.01; done
exec '%s' "$@"
"""


class Recover(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.mkdtemp(prefix="skein-recover-")
        self.addCleanup(shutil.rmtree, self.tmp)
        self.dir = os.path.join(self.tmp, "rec")
        self.out = os.path.join(self.tmp, "out")
        self.kernel = os.path.join(self.tmp, "vmlinuz")
        with open(self.kernel, "wb") as f:
            f.write(b"not really a kernel")

    def start(self, *args, mode="", qemu=FAKE):
        env = dict(os.environ, FAKE_QEMU=mode, SKEIN_QEMU=qemu)
        return subprocess.Popen([SKEIN, *args], env=env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def skein(self, *args, code=0, mode=""):
        p = self.start(*args, mode=mode)
        out, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, code, out + err)
        return out, err

    def record(self, mode=""):
        self.skein("record", "-o", self.dir, "--kernel", self.kernel, "--smp", "2", mode=mode)

    def kill_recorder(self):
        """Kills skein in mid-recording and gives the name of the session that it leaves."""
        p = self.start("record", "-o", self.dir, "--kernel", self.kernel, mode="wait")
        while "SKEIN-DONE" not in p.stdout.readline():
            pass
        time.sleep(0.5)
        p.kill()
        p.communicate(timeout=60)
        sessions = [n for n in glob.glob("/dev/shm/skein-*-%d-record" % p.pid)]
        self.assertEqual(len(sessions), 1)
        self.addCleanup(lambda: [os.unlink(n) for n in glob.glob(sessions[0] + "*")])
        return sessions[0]

    def recover(self, *args, code=0):
        """The first try may come too early: QEMU needs a moment to see that skein is gone."""
        until = time.time() + 20
        while True:
            p = self.start("recover", *args)
            out, err = p.communicate(timeout=60)
            if "end it first" not in err or time.time() > until:
                break
            time.sleep(0.05)
        self.assertEqual(p.returncode, code, out + err)
        return out, err

    def flip(self, name, at):
        with open(os.path.join(self.dir, name), "r+b") as f:
            f.seek(at)
            byte = f.read(1)[0]
            f.seek(at)
            f.write(bytes([byte ^ 0x10]))

    def info(self, dir=None):
        return json.loads(self.skein("info", "--json", dir or self.dir)[0])

    def test_nothing_to_do(self):
        self.record()
        before = {n: os.stat(os.path.join(self.dir, n)).st_ino for n in os.listdir(self.dir)}
        _, err = self.recover(self.dir)
        self.assertIn("nothing to do", err)
        after = {n: os.stat(os.path.join(self.dir, n)).st_ino for n in os.listdir(self.dir)}
        self.assertEqual(before, after)

    def test_killed_skein(self):
        session = self.kill_recorder()
        out, _ = self.recover("--json", "--quiet", self.dir)
        r = json.loads(out)
        self.assertEqual(r["missing"], [])
        self.assertTrue(r["session_removed"])
        self.assertGreater(r["events_from_memory"], 0)
        self.assertEqual(glob.glob(session + "*"), [])
        self.assertEqual(self.info()["events"], r["events"])
        self.skein("verify", self.dir, code=3)
        self.assertIn("nothing to do", self.recover(self.dir)[1])

    def test_a_disk_that_fails_while_recording(self):
        segments = os.path.join(self.dir, "segments")
        qemu = os.path.join(self.tmp, "qemu")
        with open(qemu, "w", encoding="utf-8") as f:
            f.write(LATE_QEMU % (segments, FAKE))
        os.chmod(qemu, 0o755)
        p = self.start("record", "-o", self.dir, "--kernel", self.kernel, "--smp", "2", qemu=qemu)
        while p.poll() is None:
            try:
                os.rmdir(segments)  # before QEMU has started: nothing can be written from here on
                break
            except OSError:
                time.sleep(0.01)
        _, err = p.communicate(timeout=60)
        self.addCleanup(lambda: [os.unlink(n) for n in
                                 glob.glob("/dev/shm/skein-*-%d-record*" % p.pid)])
        self.assertEqual(p.returncode, 3, err)
        self.assertIn("skein recover " + self.dir, err)
        out, _ = self.recover("--json", "-q", self.dir)
        r = json.loads(out)
        self.assertEqual((r["missing"], r["session_removed"]), ([], True))
        self.assertEqual(self.info()["events"], r["events_from_memory"])

    def test_a_session_alone(self):
        session = self.kill_recorder()
        self.recover(session, code=2)
        shutil.rmtree(self.dir)
        out, _ = self.recover("--json", "-q", "-o", self.out, session, code=3)
        self.assertEqual({m["kind"] for m in json.loads(out)["missing"]}, {"file"})
        self.assertGreater(self.info(self.out)["events"], 0)

    def test_lost_memory(self):
        session = self.kill_recorder()
        for name in glob.glob(session + "*"):
            os.unlink(name)
        out, _ = self.recover("--json", "-q", self.dir, code=1)
        self.assertEqual(out, "")

    def test_damaged_block(self):
        self.record()
        name = "segments/000001.skn"
        self.flip(name, os.path.getsize(os.path.join(self.dir, name)) // 2)
        events = self.info()["events"]
        out, err = self.recover("--json", "-q", "-o", self.out, self.dir, code=1)
        self.assertEqual(out, "")
        self.assertIn("no events", err)
        self.assertFalse(os.path.exists(self.out))
        self.assertEqual(self.info()["events"], events)

    def test_lost_manifest(self):
        self.record()
        os.unlink(os.path.join(self.dir, "manifest"))
        _, err = self.recover(self.dir, code=3)
        self.assertIn("the manifest", err)
        self.assertEqual(self.info()["vcpus"], 2)
        _, err = self.recover(self.dir, code=3)
        self.assertIn("nothing to do", err)

    def test_damaged_footer(self):
        self.record()
        name = os.path.join(self.dir, "segments/000001.skn")
        os.truncate(name, os.path.getsize(name) - 5)
        before = os.path.getsize(name)
        self.skein("info", self.dir, code=2)
        _, err = self.recover(self.dir)
        self.assertIn("complete", err)
        self.assertEqual(os.path.getsize(name + ".damaged"), before)
        self.skein("verify", self.dir)

    def test_bad_usage(self):
        for args, words in [(["recover"], "which"), (["recover", "/nowhere"], "/nowhere"),
                            (["recover", self.tmp], "not a recording"),
                            (["recover", "--what", "x"], "--what"),
                            (["recover", self.kernel], "-o")]:
            out, err = self.skein(*args, code=2)
            self.assertEqual((out, len(err.splitlines())), ("", 1), err)
            self.assertIn(words, err)
        self.record()
        self.assertIn("not empty", self.skein("recover", self.dir, "-o", self.dir, code=2)[1])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
