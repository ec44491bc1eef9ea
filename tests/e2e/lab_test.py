#!/usr/bin/env python3
"""What the cases read of a process that still writes.

Usage: lab_test.py
"""

import argparse
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import lab  # pylint: disable=wrong-import-position

LINES = 4000
# As skein replay --gdb, a process that writes to both.
SAY = "n=0; while [ $n -lt %d ]; do n=$((n + 1)); echo line $n; echo error $n >&2; done" % LINES


class Output(unittest.TestCase):
    def setUp(self):
        self.lab = lab.Lab(argparse.Namespace(skein="/bin/sh", qemu=""), 60)
        self.addCleanup(self.lab.close, False)

    def test_reading_takes_nothing_from_a_process_that_writes(self):
        p = self.lab.start("-c", SAY)
        while p.poll() is None:
            self.lab.output(p)
            self.lab.errors(p)
        result = self.lab.finish(p)
        for text, word in ((result.out, "line"), (result.err, "error")):
            self.assertEqual(text, "".join("%s %d\n" % (word, n + 1) for n in range(LINES)))

    def test_last_words_are_found(self):
        p = self.lab.start("-c", "echo first; echo last >&2")
        self.lab.wait_for(p, "first")
        p.wait()
        self.assertEqual(self.lab.wait_until(p, lambda: self.lab.errors(p), "anything"), "last\n")

    def test_an_end_without_the_word_is_a_failure(self):
        p = self.lab.start("-c", "echo other; echo why >&2")
        with self.assertRaisesRegex(lab.Failed, "before it said this: other / why"):
            self.lab.wait_for(p, "this")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
