#!/usr/bin/env python3
"""Recording VMs that run already, against fake_qemu: skein record --attach, skein collect.

Usage: attach_test.py SKEIN FAKE_QEMU
"""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

SKEIN = os.path.abspath(sys.argv[1])
FAKE = os.path.abspath(sys.argv[2])


class Case(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.mkdtemp(prefix="skein-attach-")
        self.addCleanup(shutil.rmtree, self.tmp)
        self.dir = os.path.join(self.tmp, "rec")

    def start(self, program, *args, mode="", **kw):
        env = dict(os.environ, FAKE_QEMU=mode, SKEIN_QEMU=FAKE)
        p = subprocess.Popen([program, *args], env=env, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kw)
        self.addCleanup(self.forget, p.pid)
        self.addCleanup(p.communicate)
        self.addCleanup(p.kill)
        return p

    def left(self, pid):
        return [n for n in os.listdir("/dev/shm") if "-%d-" % pid in n]

    def forget(self, pid):
        """What waits for skein recover."""
        for name in self.left(pid):
            os.unlink(os.path.join("/dev/shm", name))

    def finish(self, p, code=0):
        out, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, code, err)
        return out, err

    def skein(self, *args, code=0):
        return self.finish(self.start(SKEIN, *args), code)

    def info(self):
        return json.loads(self.skein("info", "--json", self.dir)[0])

    def nothing_left(self, pid):
        self.assertEqual(self.left(pid), [])


class Attach(Case):
    def attach(self, *args, mode=""):
        """A VM, and skein that records it."""
        path = os.path.join(self.tmp, "qmp")
        vm = self.start(FAKE, "-qmp", "unix:%s,server=on,wait=off" % path, mode=mode)
        while not os.path.exists(path):
            time.sleep(0.01)
        return vm, self.start(SKEIN, "record", "--attach", path, "-o", self.dir, *args)

    def refused(self, *words, mode="", args=()):
        p = self.attach(*args, mode=mode)[1]
        out, err = self.finish(p, 2)
        self.assertEqual((out, len(err.splitlines())), ("", 1), err)
        for word in words:
            self.assertIn(word, err)
        self.assertFalse(os.path.exists(self.dir))

    def test_until_the_guest_ends(self):
        p = self.attach()[1]
        out, err = self.finish(p)
        self.assertEqual(out, "hello from the guest\nSKEIN-DONE rc=0\n")
        self.assertIn("complete (shutdown)", err)
        info = self.info()
        self.assertEqual((info["machine"], info["cpu"], info["qemu"], info["vcpus"]),
                         ("pc-fake", "fake,-svm", "10.0.99", 2))
        self.assertEqual((info["memory_bytes"], info["start"], info["stop"]),
                         (268435456, "attach", "exit"))
        self.skein("verify", self.dir)
        self.nothing_left(p.pid)

    def test_until_it_is_interrupted(self):
        vm, p = self.attach(mode="wait")
        self.assertIn("hello", p.stdout.readline())
        p.send_signal(signal.SIGINT)
        self.assertIn("complete (stopped)", self.finish(p)[1])
        self.finish(vm)
        self.skein("verify", self.dir)

    def test_until_a_text_or_a_time(self):
        for n, args in enumerate((["--stop", "console:SKEIN-DONE"], ["--timeout", "1"])):
            self.dir += str(n)
            with self.subTest(args=args):
                self.assertIn("complete (stopped)",
                              self.finish(self.attach(*args, mode="wait")[1])[1])
            os.unlink(os.path.join(self.tmp, "qmp"))

    def test_killed_vm(self):
        p = self.attach(mode="crash")[1]
        self.assertIn("QEMU died", self.finish(p, 3)[1])
        self.skein("verify", self.dir, code=3)
        self.nothing_left(p.pid)

    def test_refused_by_qemu(self):
        self.refused("not Skein's", "has not been found", mode="stock")

    def test_unsuitable(self):
        self.refused('it needs "smm=off"', mode="unsuitable")

    def test_recorded_already(self):
        self.refused("already", mode="busy")

    def test_strange_answer(self):
        self.refused("65 vCPUs", mode="strange")

    def test_refused_object(self):
        self.refused('no "such" thing', mode="refuse")

    def test_no_socket(self):
        nowhere = os.path.join(self.tmp, "nowhere")
        for path, word in ((nowhere, nowhere), ("x" * 200, "too long"), (FAKE, FAKE)):
            err = self.skein("record", "--attach", path, "-o", self.dir, code=2)[1]
            self.assertIn(word, err)
            self.assertEqual(len(err.splitlines()), 1, err)

    def test_what_it_does_not_take(self):
        for args in (["--kernel", FAKE], ["--append", "x"], ["--start", "console:x"],
                     ["--until", "panic"], ["--repeat", "2"], ["--", "-device", "x"]):
            err = self.skein("record", "--attach", "x", "-o", self.dir, *args, code=2)[1]
            self.assertIn("--attach", err)

    def test_print_args(self):
        out, err = self.skein("record", "--print-args", "--smp", "3", "--memory", "1G", "--cpu",
                              "it's")
        self.assertEqual((err, out.count("\n")), ("", 1))
        words = shlex.split(out)
        for pair in (["-smp", "3"], ["-m", "1073741824B"], ["-cpu", "it's"],
                     ["-accel", "tcg,thread=multi"], ["-global", "apic-common.vapic=off"]):
            at = words.index(pair[0])
            self.assertEqual(words[at:at + 2], pair)
        self.assertNotIn("-no-reboot", words)


class Collect(Case):
    def setUp(self):
        super().setUp()
        self.ours, theirs = socket.socketpair()
        self.ours.settimeout(60)
        self.said = self.ours.makefile()
        self.addCleanup(self.ours.close)
        self.addCleanup(self.said.close)
        self.collector = self.start(SKEIN, "collect", "--fd", str(theirs.fileno()), "-o", self.dir,
                                    "--machine", "pc", "--cpu", "max", "--memory", "67108864",
                                    "--smp", "2", "--qemu-version", "10", pass_fds=[theirs.fileno()])
        theirs.close()

    def record(self, mode=""):
        """A guest, as QEMU would begin to record it."""
        at = json.loads(self.said.readline())
        self.assertEqual(at["path"], self.dir)
        words = ",".join("%s=%s" % (k, at[k]) for k in ("session", "snapshot", "console"))
        return self.start(FAKE, "-object", "skein-record,id=x,start=now," + words, mode=mode)

    def end(self):
        return json.loads(self.said.readline())

    def test_to_the_end(self):
        self.finish(self.record())
        end = self.end()
        self.finish(self.collector)
        self.assertEqual((end["path"], end["complete"], end["slices"]), (self.dir, True, 300))
        self.assertEqual(end["events"], self.info()["events"])
        self.skein("verify", self.dir)
        self.nothing_left(self.collector.pid)

    def test_killed_qemu(self):
        self.finish(self.record(mode="crash"), -signal.SIGKILL)
        end = self.end()
        self.assertFalse(end["complete"])
        self.assertIn("QEMU died", end["reason"])
        self.finish(self.collector, 3)
        self.skein("verify", self.dir, code=3)

    def test_it_does_not_begin(self):
        self.assertIn("session", json.loads(self.said.readline()))
        self.ours.shutdown(socket.SHUT_WR)
        self.finish(self.collector, 2)
        self.assertFalse(os.path.exists(self.dir))
        self.nothing_left(self.collector.pid)

    def test_terminated(self):
        self.record(mode="wait")
        time.sleep(0.3)
        self.collector.send_signal(signal.SIGTERM)
        self.assertEqual(self.end(), {"end": True})


class CollectRefuses(Case):
    def test_usage(self):
        self.assertIn("QEMU starts it", self.skein("collect", code=2)[1])
        self.assertIn("--nonsense", self.skein("collect", "--nonsense", code=2)[1])
        self.assertIn("65", self.skein("collect", "--smp", "65", code=2)[1])

    def test_a_name_that_exists(self):
        os.mkdir(self.dir)
        ours, theirs = socket.socketpair()
        with ours, theirs, ours.makefile() as said:
            p = self.start(SKEIN, "collect", "--fd", str(theirs.fileno()), "-o", self.dir,
                           "--machine", "pc", "--cpu", "max", "--memory", "67108864", "--smp", "2",
                           "--qemu-version", "10", pass_fds=[theirs.fileno()])
            self.assertIn("exists already", json.loads(said.readline())["error"])
            self.finish(p, 2)
        self.assertEqual(os.listdir(self.dir), [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
