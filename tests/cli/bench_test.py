#!/usr/bin/env python3
"""The command line of skein bench: what it refuses, and what it hands on to the harness.

Usage: bench_test.py SKEIN
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

SKEIN = os.path.abspath(sys.argv[1])
SUITE = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../bench/suite"))
# In two pieces: ./dev test takes a file with such a line for a shell script.
HARNESS = "#!" + """/bin/bash
printf '%s\\n' "$SKEIN" "$SKEIN_QEMU" "$@"
exit 7
"""


class Bench(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.mkdtemp(prefix="skein-bench-test-")
        self.addCleanup(shutil.rmtree, self.tmp)
        self.harness = os.path.join(self.tmp, "harness")
        with open(self.harness, "w", encoding="utf-8") as f:
            f.write(HARNESS)
        os.chmod(self.harness, 0o755)

    def bench(self, *args, harness=None):
        env = dict(os.environ, SKEIN_BENCH=harness or self.harness, SKEIN_QEMU="a-qemu", SKEIN="no")
        p = subprocess.run([SKEIN, "bench", *args], capture_output=True, text=True, timeout=60,
                           env=env)
        return p.returncode, p.stdout, p.stderr

    def refused(self, said, *args, **kw):
        code, out, err = self.bench(*args, **kw)
        self.assertEqual((code, out), (2, ""), (args, err))
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertIn(said, err)

    def test_what_is_handed_on(self):
        code, out, _ = self.bench("redis", "--schemes", "native,qemu-rr", "--cores=1,64", "--trials",
                                  "5", "nginx", "--only", "get*,4k-*", "--scale", "0.5", "-q", "-o",
                                  "a folder", "--json")
        self.assertEqual(code, 7)
        self.assertEqual(out.splitlines(), [
            os.path.realpath(SKEIN), "a-qemu", "--schemes=native,qemu-rr", "--cores=1,64",
            "--trials=5", "--only=get*,4k-*", "--scale=0.5", "--quiet", "--output=a folder",
            "--json", "--", "redis", "nginx"])

    def test_qemu_and_json_file(self):
        out = self.bench("build", "-o", "x", "--qemu", "mine", "--json=f")[1].splitlines()
        self.assertEqual(out[1:], ["mine", "--output=x", "--json=f", "--", "build"])

    def test_workloads(self):
        self.refused("which workload?", "-o", "x")
        self.refused("no workload sqlite", "micro", "sqlite", "-o", "x")
        self.refused("no workload red:", "red", "-o", "x")
        self.refused("micro twice", "micro", "micro", "-o", "x")
        self.refused("-o DIR", "micro")

    def test_values(self):
        for option, bad in (("--schemes", ("", "skein,", "skein,kvm", "skein,skein", "skei")),
                            ("--cores", ("", "0", "65", "1,,2", "2,2", "1x", "-1", "99999999999")),
                            ("--trials", ("0", "1001", "x", "")),
                            ("--only", ("", "a,,b")),
                            ("--scale", ("0", "-1", "x", "1x", "nan", "inf", ""))):
            for value in bad:
                self.refused(option + " " + value, "micro", "-o", "x", option, value)

    def test_options(self):
        self.refused("unknown option --frob", "micro", "--frob")
        self.refused("unknown option -x", "micro", "-x")
        self.refused("-o needs a value", "micro", "-o")

    def test_no_harness(self):
        self.refused("the harness is not at /nowhere", "micro", "-o", "x", harness="/nowhere")

    def test_the_harness_lies_beside_it(self):
        """As far as it goes without a guest: it says what it cannot find, and makes nothing."""
        out, skein = os.path.join(self.tmp, "out"), os.path.join(self.tmp, "skein")
        shutil.copy(SKEIN, skein)
        os.makedirs(skein + ".runfiles/skein/bench")
        os.symlink(SUITE, skein + ".runfiles/skein/bench/suite")
        env = {k: v for k, v in os.environ.items() if not k.startswith("SKEIN")}
        p = subprocess.run([skein, "bench", "micro", "-o", out], capture_output=True, text=True,
                           timeout=60, env=env)
        self.assertEqual((p.returncode, p.stdout, len(p.stderr.splitlines())), (2, "", 1), p.stderr)
        self.assertRegex(p.stderr, "^skein: bench: (SKEIN_\\w+: not set|the graphs need matplotlib)")
        self.assertFalse(os.path.exists(out))

    def test_the_plan_knows_the_same_names(self):
        sys.path.insert(0, SUITE)
        sys.dont_write_bytecode = True
        import plan
        out = self.bench(*plan.WORKLOADS, "--schemes", ",".join(plan.SCHEMES), "-o", "x")[1]
        self.assertEqual(out.splitlines()[-len(plan.WORKLOADS):], list(plan.WORKLOADS))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
