#!/usr/bin/env python3
"""Each verb, and each option that it takes, is in its manual page, its help and the README.

Usage: verbs_test.py SKEIN
"""

import glob
import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../..")
sys.path.insert(0, HERE)
import headers  # noqa: E402
import verbs  # noqa: E402

SKEIN = os.path.abspath(sys.argv[1])
OPTION = r"(?<![\w-])--?[a-z][\w-]*"


def run(*args):
    p = subprocess.run([SKEIN, *args], capture_output=True, text=True, timeout=20)
    return p.returncode, p.stdout, p.stderr


def page(name):
    return headers.read(os.path.join(ROOT, "docs/man/%s.1" % name))


def flags(lines):
    """The options that lines of mdoc name."""
    return {"-" + flag for line in lines for flag in re.findall(r"\bFl (-?[a-zA-Z][\w-]*)", line)}


class Verbs(unittest.TestCase):
    def setUp(self):
        self.verbs = verbs.names()
        self.assertGreaterEqual(len(self.verbs), 4)

    def test_the_source_is_understood(self):
        self.assertEqual(verbs.options("info"), {"--json"})
        self.assertLessEqual({"-o", "--output", "-q", "--quiet", "--smp"}, verbs.options("record"))
        self.assertLessEqual({"--qemu", "--verbose", "-q", "--quiet", "--json"},
                             verbs.options("replay") & verbs.options("verify"))

    def test_manual_pages(self):
        for verb in self.verbs:
            lines = page("skein-" + verb).splitlines()
            items = flags(line for line in lines if line.startswith(".It Fl"))
            self.assertEqual(items, verbs.options(verb), "in skein-%s.1" % verb)
            self.assertLessEqual(flags(lines), items, "in skein-%s.1" % verb)
            self.assertEqual([s for s in ("EXIT STATUS", "EXAMPLES", "SEE ALSO")
                              if ".Sh " + s not in lines], [], "in skein-%s.1" % verb)

    def test_no_page_without_a_verb(self):
        names = {os.path.basename(p)[:-2] for p in glob.glob(os.path.join(ROOT, "docs/man/*.1"))}
        self.assertEqual(names, {"skein"} | {"skein-" + v for v in self.verbs})

    def test_references_between_pages(self):
        for name in ["skein"] + ["skein-" + v for v in self.verbs]:
            for other in re.findall(r"^\.Xr (skein[\w-]*) 1", page(name), flags=re.M):
                page(other)

    def test_the_first_page_has_all_verbs(self):
        for verb in self.verbs:
            self.assertIn(".It Cm %s\n" % verb, page("skein"))
            self.assertIn(".Xr skein-%s 1" % verb, page("skein"))

    def test_help(self):
        for verb in self.verbs:
            code, out, err = run("help", verb)
            self.assertEqual((code, err), (0, ""), verb)
            self.assertTrue(out.startswith("skein %s " % verb), verb)
            listed = {o for line in out.splitlines() if re.match(r" +-", line)
                      for o in re.findall(OPTION, re.split(r"  [^- ]", line.strip())[0])}
            self.assertEqual(listed, verbs.options(verb), "in skein help %s" % verb)
            self.assertEqual(run(verb, "--help"), (0, out, ""))

    def test_help_on_all(self):
        out = run("help")[1]
        for verb in self.verbs:
            self.assertIn("  skein %s " % verb, out)

    def test_completion(self):
        script = run("completion", "bash")[1]
        for verb in self.verbs:
            p = subprocess.run(["bash", "-c", script + "_skein_options " + verb],
                               capture_output=True, text=True)
            self.assertEqual((set(p.stdout.split()), p.stderr), (verbs.options(verb), ""), verb)

    def test_completion_of_verbs(self):
        script = run("completion", "bash")[1] + \
            'COMP_WORDS=(skein ""); COMP_CWORD=1; _skein; echo "${COMPREPLY[@]}"'
        p = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
        self.assertEqual(sorted(p.stdout.split()),
                         sorted(self.verbs + ["help", "version", "--help", "--version"]))

    def test_readme(self):
        text = headers.read(os.path.join(ROOT, "README.md"))
        table = text[text.index("| verb | does |"):].split("\n\n")[0]
        self.assertEqual(sorted(re.findall(r"^\| `(\w+)", table, flags=re.M)), sorted(self.verbs))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
