#!/usr/bin/env python3
"""skein doctor, on this machine and on others.

Usage: doctor_test.py SKEIN FAKE_QEMU
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import unittest

SKEIN = os.path.abspath(sys.argv[1])
FAKE = os.path.abspath(sys.argv[2])
LEVELS = {"ok", "note", "slow", "stop"}

TWO_NODES = """\
another machine: processors 8, NUMA nodes 2
plan: vCPUs 5, shards 6 of 8 MiB, drain threads 2; one merger; vCPU threads are left to the scheduler
  node 0   processors 0-3, 1024 MiB: shards of vCPUs 0-2, devices; drain thread 0
  node 1   processors 4-7, 1024 MiB: shards of vCPUs 3-4; drain thread 1
"""


class Doctor(unittest.TestCase):
    def doctor(self, *args, qemu=FAKE, limit=None, processors=None, **env):
        def prepare():
            if limit:
                resource.setrlimit(limit[0], (limit[1], limit[1]))
            if processors:
                os.sched_setaffinity(0, processors)
        p = subprocess.run([SKEIN, "doctor", *args], capture_output=True, text=True, timeout=60,
                           env=dict(os.environ, SKEIN_QEMU=qemu, **env), preexec_fn=prepare)
        return p.returncode, p.stdout, p.stderr

    def json(self, *args, code=0, **kw):
        got, out, err = self.doctor("--json", *args, **kw)
        self.assertEqual((got, err), (code, ""), out)
        return json.loads(out)

    def finding(self, found, name):
        return next((f for f in found["findings"] if f["name"] == name), None)

    def test_this_machine(self):
        code, out, err = self.doctor()
        self.assertEqual((code, err), (0, ""), out)
        self.assertTrue(out.startswith("this machine: processors "), out)
        self.assertIn("plan: vCPUs 2, shards 3 of 8 MiB", out)
        self.assertIn("  ok   qemu ", out)
        self.assertTrue(out.splitlines()[-1].startswith("recording works"), out)

    def test_json(self):
        found = self.json("--vcpus", "3")
        self.assertTrue(found["works"] and found["this_machine"])
        self.assertEqual(found["vcpus"], 3)
        self.assertEqual(found["session_bytes"], 4096 + 4 * (4096 + found["ring_bytes"]))
        self.assertEqual(sorted(s for n in found["nodes"] for s in n["shards"]), [0, 1, 2, 3])
        self.assertEqual(found["drain_threads"], len(found["nodes"]))
        self.assertTrue(all(f["level"] in LEVELS and f["text"] for f in found["findings"]))

    def test_another_machine(self):
        self.assertEqual(self.doctor("--vcpus", "5", HWLOC_SYNTHETIC="node:2 core:4 pu:1"),
                         (0, TWO_NODES, ""))
        found = self.json("--vcpus", "64", HWLOC_SYNTHETIC="node:8 core:4 pu:2", qemu="")
        self.assertEqual([len(n["shards"]) for n in found["nodes"]], [9] + [8] * 7)
        self.assertEqual(found["findings"], [])

    def test_qemu(self):
        for qemu in ("", "/nonexistent/qemu", "/bin/false"):
            found = self.json(qemu=qemu, code=1)
            self.assertEqual(self.finding(found, "qemu")["level"], "stop")
            self.assertIn("./dev paths", self.finding(found, "qemu")["todo"])
            self.assertFalse(found["works"])
        code, out, _ = self.doctor(qemu="")
        self.assertEqual(code, 1)
        self.assertIn("recording does not work: 1 to change", out)
        self.assertEqual(self.doctor("--qemu", FAKE, qemu="")[0], 0)

    def test_limits(self):
        found = self.json(limit=(resource.RLIMIT_NOFILE, 32), code=1)
        self.assertEqual(self.finding(found, "open files")["todo"], "ulimit -n 1024")
        found = self.json(limit=(resource.RLIMIT_FSIZE, 10 << 20), code=1)
        self.assertEqual(self.finding(found, "file size")["todo"], "ulimit -f unlimited")
        self.assertIsNone(self.finding(self.json(), "file size"))

    def test_memory_that_is_not_there(self):
        found = self.json("--memory", "900000G")
        self.assertEqual(self.finding(found, "memory")["level"], "slow")
        shm = self.finding(found, "/dev/shm")
        self.assertEqual(shm["level"], "note")
        self.assertIn("mount -o remount,size=", shm["todo"])

    def test_few_processors(self):
        one = {min(os.sched_getaffinity(0))}
        found = self.json("--vcpus", "2", processors=one)
        self.assertEqual(found["processors"], 1)
        self.assertEqual(self.finding(found, "processors")["level"], "slow")
        self.assertIn("--smp 1 ", self.finding(found, "processors")["todo"])
        if os.cpu_count() > 1:
            self.assertIn("taskset", self.finding(found, "affinity")["todo"])

    def test_bad_usage(self):
        for args in (["--vcpus", "0"], ["--vcpus", "65"], ["--vcpus", "two"], ["--memory", "1Q"],
                     ["stray"], ["--nonsense"], ["--vcpus"]):
            code, out, err = self.doctor(*args)
            self.assertEqual((code, out, len(err.splitlines())), (2, "", 1), args)

    def test_record_with_huge_pages(self):
        tmp = tempfile.mkdtemp(prefix="skein-doctor-")
        self.addCleanup(shutil.rmtree, tmp)
        kernel = os.path.join(tmp, "vmlinuz")
        with open(kernel, "wb") as f:
            f.write(b"not really a kernel")
        p = subprocess.run([SKEIN, "record", "-o", tmp + "/rec", "--kernel", kernel,
                            "--huge-pages"], capture_output=True, text=True, timeout=60,
                           env=dict(os.environ, SKEIN_QEMU=FAKE, FAKE_QEMU=""))
        self.assertEqual(p.returncode, 0, p.stderr)
        if self.finding(self.json(), "huge pages")["level"] == "note":
            self.assertIn("skein: the shards are in small pages: mount -o remount,huge=advise",
                          p.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
