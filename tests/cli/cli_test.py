#!/usr/bin/env python3
"""The CLI against fake_qemu: process handling, error lines, exit codes, damage.

Usage: cli_test.py SKEIN FAKE_QEMU
"""

import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SKEIN = os.path.abspath(sys.argv[1])
FAKE = os.path.abspath(sys.argv[2])


class Cli(unittest.TestCase):
    def setUp(self):
        self.pids = []
        self.tmp = tempfile.mkdtemp(prefix="skein-cli-")
        self.addCleanup(shutil.rmtree, self.tmp)
        self.dir = os.path.join(self.tmp, "rec")
        self.kernel = os.path.join(self.tmp, "vmlinuz")
        with open(self.kernel, "wb") as f:
            f.write(b"not really a kernel")

    def start(self, *args, mode="", qemu=FAKE, **kw):
        env = dict(os.environ, FAKE_QEMU=mode, SKEIN_QEMU=qemu)
        p = subprocess.Popen([SKEIN, *args], env=env, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kw)
        self.pids.append(p.pid)
        return p

    def skein(self, *args, **kw):
        p = self.start(*args, **kw)
        out, err = p.communicate(timeout=60)
        return p.returncode, out, err

    def record(self, *args, dir=None, **kw):
        return self.skein("record", "-o", dir or self.dir, "--kernel", self.kernel, *args, **kw)

    def recorded(self, *args, **kw):
        code, out, err = self.record(*args, **kw)
        self.assertEqual(code, 0, err)
        return out, err

    def refuses(self, result, *words, code=2):
        """One line on stderr that has these words, nothing on stdout, that exit code."""
        got, out, err = result
        self.assertEqual((got, out), (code, ""), err)
        self.assertEqual(len(err.splitlines()), 1, err)
        for word in words:
            self.assertIn(word, err)

    def nothing_left(self):
        self.assertFalse(os.path.exists(self.dir))

    def tearDown(self):
        left = [n for n in os.listdir("/dev/shm") if n.startswith("skein-")
                and any("-%d-" % pid in n for pid in self.pids)]
        self.assertEqual(left, [])


class Usage(Cli):
    def test_help_and_version(self):
        code, out, err = self.skein("help")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("  skein record ", out)
        code, out, _ = self.skein("--version")
        self.assertEqual(code, 0)
        self.assertTrue(out.startswith("skein "))

    def test_help_on_a_verb(self):
        for verb in "record", "replay", "verify", "info":
            code, out, err = self.skein("help", verb)
            self.assertEqual((code, err), (0, ""))
            self.assertTrue(out.startswith("skein %s " % verb))
            self.assertEqual(self.skein(verb, "--help"), (0, out, ""))
            self.assertEqual(self.skein(verb, "-h"), (0, out, ""))
        self.refuses(self.skein("help", "recrod"), "no help on recrod")

    def test_bad_usage(self):
        self.refuses(self.skein(), "skein help")
        self.refuses(self.skein("recrod"), "unknown verb recrod")
        self.refuses(self.skein("record", "--kernel", self.kernel), "-o DIR")
        self.refuses(self.skein("record", "-o", self.dir), "--kernel")
        self.refuses(self.skein("record", "-o"), "-o needs a value")
        self.refuses(self.skein("replay"), "which recording")
        self.refuses(self.skein("replay", "a", "b"), "one recording")
        self.refuses(self.skein("verify", "--nonsense", "a"), "unknown option --nonsense")
        self.refuses(self.skein("info", "-x", "a"), "unknown option -x")
        self.refuses(self.skein("info"), "which recording")

    def test_bad_values(self):
        for option, value in [("--smp", "0"), ("--smp", "65"), ("--smp", "two"), ("--smp", "-1"),
                              ("--memory", "12"), ("--memory", "1Q"), ("--scope", "user"),
                              ("--start", "later"), ("--start", "console:"), ("--stop", "boot"),
                              ("--durability", "some"), ("--timeout", "0")]:
            self.refuses(self.record(option, value), option, value)
        self.refuses(self.record("stray"), "stray")
        self.nothing_left()

    def test_missing_files(self):
        os.unlink(self.kernel)
        self.refuses(self.record(), "cannot read the kernel")
        self.refuses(self.skein("record", "-o", self.dir, "--kernel", self.tmp), "is not a file")
        self.nothing_left()

    def test_unsupported_qemu_arguments(self):
        for args in [["-icount", "shift=auto"], ["-smp", "2"], ["-m", "1G"], ["-kernel", "x"],
                     ["-accel", "kvm"], ["-enable-kvm"], ["-vga", "std"], ["--icount", "1"],
                     ["-object", "iothread,id=t0"], ["-object", "memory-backend-file,id=m"],
                     ["-device", "virtio-blk-pci,drive=d,iothread=t0"],
                     ["-device", "vhost-vsock-pci,guest-cid=3"],
                     ["-netdev", "tap,id=n,vhost=on"], ["-mem-path", "/dev/hugepages"],
                     ["-device", "virtio-balloon-pci"], ["-gdb", "tcp::1"], ["-s"], ["-S"]]:
            self.refuses(self.record("--", *args), args[0].lstrip("-"))
        self.nothing_left()
        self.recorded("--", "-vga", "none", "-netdev", "user,id=n", "-device", "virtio-net,netdev=n")

    def test_qemu_without_the_recorder(self):
        self.refuses(self.record(mode="norecorder"), "no skein-record object")
        self.refuses(self.record(qemu="/nonexistent/qemu"), "/nonexistent/qemu")
        self.refuses(self.record(qemu=""), "which QEMU")
        self.refuses(self.record("--qemu", "/bin/false"), "/bin/false")
        self.nothing_left()


class Record(Cli):
    def test_from_boot(self):
        out, err = self.recorded("--smp", "3", "--append", "quiet")
        self.assertEqual(out, "fake firmware\nSKEIN-READY\nhello from the guest\nSKEIN-DONE rc=0\n")
        self.assertIn("complete (shutdown)", err)
        names = sorted(os.listdir(self.dir))
        self.assertEqual(names, ["console.log", "manifest", "segments", "snapshot.zst"])

    def test_json(self):
        out, _ = self.recorded("--smp", "2", "--json")
        summary = json.loads(out)
        self.assertTrue(summary["complete"])
        self.assertEqual(summary["vcpus"], 2)
        self.assertEqual(summary["events_by_kind"]["entry"], 300)
        self.assertEqual(summary["events_by_kind"]["end"], 3)
        self.assertEqual(summary["slices"], 300)
        self.assertEqual(summary["edges"], 299)
        path = os.path.join(self.tmp, "out.json")
        out, _ = self.recorded("--json=" + path, dir=self.dir + "2")
        self.assertIn("hello", out)
        with open(path, encoding="utf-8") as f:
            self.assertEqual(json.load(f)["dir"], self.dir + "2")

    def test_start_and_stop_on_the_console(self):
        _, err = self.recorded("--start", "console:SKEIN-READY", mode="wait",
                               *["--stop", "console:SKEIN-DONE"])
        self.assertIn("complete (stopped)", err)

    def test_odd_directory_names(self):
        self.recorded("--start", "console:SKEIN-READY", dir=self.dir + ' ,"x"\\')
        with open(self.dir + ' ,"x"\\/console.log', encoding="utf-8") as f:
            self.assertIn("hello", f.read())

    def test_existing_directory(self):
        os.mkdir(self.dir)
        self.recorded()
        before = sorted(os.listdir(self.dir))
        self.refuses(self.record(), self.dir)
        self.assertEqual(sorted(os.listdir(self.dir)), before)

    def test_interrupt_ends_it_cleanly(self):
        p = self.start("record", "-o", self.dir, "--kernel", self.kernel, mode="wait")
        self.assertIn("fake firmware", p.stdout.readline())
        while "SKEIN-DONE" not in p.stdout.readline():
            pass
        time.sleep(0.2)
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 0, err)
        self.assertIn("complete (stopped)", err)
        self.assertEqual(self.skein("verify", self.dir)[0], 0)

    def test_timeout_ends_it_cleanly(self):
        _, err = self.recorded("--timeout", "1", mode="wait")
        self.assertIn("complete (stopped)", err)

    def test_killed_qemu(self):
        code, _, err = self.record("--smp", "2", mode="crash")
        self.assertEqual(code, 3, err)
        self.assertIn("killed by signal 9", err)
        code, out, err = self.skein("verify", self.dir)
        self.assertEqual(code, 3, err)
        self.assertIn("incomplete", out)
        code, out, _ = self.skein("info", "--json", self.dir)
        self.assertEqual(code, 0)
        self.assertFalse(json.loads(out)["complete"])

    def test_killed_skein(self):
        p = self.start("record", "-o", self.dir, "--kernel", self.kernel, mode="wait")
        while "SKEIN-DONE" not in p.stdout.readline():
            pass
        # Packed: from then on the manifest knows of it.
        while glob.glob("/dev/shm/skein-*-%d-record.snapshot" % p.pid):
            time.sleep(0.01)
        p.kill()
        p.communicate(timeout=60)
        for name in os.listdir("/dev/shm"):
            if "-%d-record" % p.pid in name:
                os.unlink("/dev/shm/" + name)
        code, out, err = self.skein("verify", self.dir)
        self.assertEqual(code, 3, out + err)

    def test_nothing_recorded(self):
        self.refuses(self.record(mode="nostart"), "'nonsense' is not a device")
        for result, words, code in [
                (self.record(mode="refuse"), "the recorder cannot record this", 2),
                (self.record("--start", "console:SKEIN-READY", mode="refuse"), 'no "such" thing', 2),
                (self.record("--start", "console:NEVER", mode="never"), "console:NEVER", 1),
                (self.record("--start", "console:NEVER", "--timeout", "1"), "within 1 s", 1)]:
            self.assertEqual(result[0], code, result)
            self.assertEqual(len(result[2].splitlines()), 1, result)
            self.assertIn(words, result[2])
        self.nothing_left()


class Replay(Cli):
    def setUp(self):
        super().setUp()
        self.recorded("--smp", "2")

    def test_same(self):
        code, out, err = self.skein("replay", self.dir)
        self.assertEqual(code, 0, err)
        self.assertEqual(out, "hello from the guest\nSKEIN-DONE rc=0\n")
        self.assertIn(": same (events", err)
        code, out, err = self.skein("verify", self.dir, self.dir)
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out.count(": same "), 2)

    def test_diverged(self):
        code, _, err = self.skein("replay", self.dir, mode="diverge")
        self.assertEqual(code, 1)
        for line in ["where     vCPU 1", "slice     7", "tick      9 (digest)", "icount    1234",
                     "PC        0xffffffff81000000", "expected  0x0000000000000011",
                     "got       0x0000000000000022"]:
            self.assertIn(line, err)
        code, out, _ = self.skein("verify", "--json", self.dir, mode="diverge")
        self.assertEqual(code, 1)
        result = json.loads(out)[0]
        self.assertEqual(result["verdict"], "diverged")
        self.assertEqual(result["divergence"]["tick"], 9)

    def test_console_differs(self):
        code, out, _ = self.skein("verify", self.dir, mode="console")
        self.assertEqual(code, 1)
        self.assertIn("console byte 6: expected 0x66, got 0x46", out)

    def test_qemu_crashes(self):
        code, out, _ = self.skein("verify", self.dir, mode="crash")
        self.assertEqual(code, 1)
        self.assertIn("killed by signal 11", out)

    def test_refused_by_qemu(self):
        self.refuses(self.skein("verify", self.dir, mode="foreign"), "another machine")
        self.refuses(self.skein("verify", self.dir, mode="norecorder"), "no skein-replay object")

    def test_interrupted(self):
        p = self.start("verify", self.dir, mode="wait")
        # It takes the signal from before there is a session.
        while not glob.glob("/dev/shm/skein-*-%d-replay*" % p.pid):
            time.sleep(0.01)
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=60)
        self.assertEqual(p.returncode, 130)

    def test_info(self):
        code, out, err = self.skein("info", self.dir)
        self.assertEqual((code, err), (0, ""))
        for word in ["complete (shutdown)", "2 vCPUs", "scope kernel", "token", "segment"]:
            self.assertIn(word, out)
        code, out, _ = self.skein("info", "--json", self.dir)
        self.assertEqual(json.loads(out)["segment_files"][0]["sealed"], True)


class Damage(Cli):
    """Whatever is wrong with a recording: one line, exit code 2, and the files as they were."""

    def setUp(self):
        super().setUp()
        self.recorded("--smp", "2")

    def check(self, *words, verbs=("replay", "verify", "info")):
        for verb in verbs:
            self.refuses(self.skein(verb, self.dir), *words)

    def path(self, name):
        return os.path.join(self.dir, name)

    def flip(self, name, at):
        with open(self.path(name), "r+b") as f:
            size = f.seek(0, 2)
            f.seek(at * size // 1000)
            byte = f.read(1)[0]
            f.seek(at * size // 1000)
            f.write(bytes([byte ^ 0x10]))

    def test_not_a_recording(self):
        shutil.rmtree(self.dir)
        self.check(self.dir)
        os.mkdir(self.dir)
        self.check(self.dir)
        os.rmdir(self.dir)
        shutil.copy(self.kernel, self.dir)
        self.check(self.dir)
        os.unlink(self.dir)

    def test_truncated_segment(self):
        path = self.path("segments/000001.skn")
        os.truncate(path, os.path.getsize(path) * 2 // 3)
        self.check("000001.skn")

    def test_missing_segment(self):
        os.unlink(self.path("segments/000001.skn"))
        self.check()

    def test_flipped_bytes(self):
        originals = {}
        for name in ["manifest", "segments/000001.skn", "snapshot.zst", "console.log"]:
            with open(self.path(name), "rb") as f:
                originals[name] = f.read()
        for name, content in originals.items():
            for at in [3, 200, 500, 800, 995]:
                self.flip(name, at)
                with self.subTest(name=name, at=at):
                    self.check(verbs=("replay", "verify"))
                with open(self.path(name), "wb") as f:
                    f.write(content)
        self.assertEqual(self.skein("verify", self.dir)[0], 0)

    def test_parts_of_another_recording(self):
        other = self.dir + "-other"
        self.recorded("--smp", "1", "--memory", "256M", dir=other)
        for name in ["segments/000001.skn", "manifest"]:
            kept = self.path(name) + ".kept"
            os.rename(self.path(name), kept)
            shutil.copy(os.path.join(other, name), self.path(name))
            with self.subTest(name=name):
                self.check()
            os.rename(kept, self.path(name))

    def test_missing_snapshot(self):
        os.unlink(self.path("snapshot.zst"))
        self.check("snapshot", verbs=("replay", "verify"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
