"""The modules with bugs (guest/bugs): they load and run, and the bug is found, kept and replayed."""

import argparse
import re

from lab import Skipped, need

READY = "console:SKEIN-READY"

# What the console says when it has happened.
SIGNS = {
    "abba": "Kernel panic - not syncing: hung_task: blocked tasks",
    "fetch": "Kernel panic - not syncing: bug_fetch: a message has overflowed its buffer",
    "list": "list_del corruption. prev->next should be",
    "uaf": "Kernel panic - not syncing: bug_uaf: object of generation",
    "wakeup": "SKEIN-BUG lost wake-up",
}


def use_bugs_image(lab):
    if not lab.paths.initrd_bugs:
        raise Skipped("no guest image with the modules (SKEIN_INITRD_BUGS)")
    lab.paths = argparse.Namespace(**vars(lab.paths))
    lab.paths.initrd = lab.paths.initrd_bugs


def runs_to_the_end(lab, name):
    """A few rounds: all of the module's code, hardly a chance for the bug."""
    use_bugs_image(lab)
    result = lab.record("bug", arg="%s,50" % name, start=READY)
    need("ok bug %s: 50 rounds" % name in result.out, "it did not run to the end")
    need(re.search(r"SKEIN-BUG gdb: add-symbol-file bug_%s.ko -s .text 0x[0-9a-f]{16} " % name,
                   result.out), "it does not say where the module is")
    lab.verify()


def add_cases(case):
    for name in SIGNS:
        @case("bug-%s-runs" % name)
        def run(lab, name=name):
            runs_to_the_end(lab, name)
