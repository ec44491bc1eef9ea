"""The modules with bugs (guest/bugs): they load and run, and the bug is found, kept and replayed."""

import argparse
import os
import re

from lab import Skipped, last_lines, need

READY = "console:SKEIN-READY"

# Chaos needs one run or two.
RUNS = 20

# What the console says when it has happened.
SIGNS = {
    "abba": "Kernel panic - not syncing: hung_task: blocked tasks",
    "fetch": "Kernel panic - not syncing: bug_fetch: a message has overflowed its buffer",
    "list": "list_add corruption. next->prev should be prev",
    "uaf": "Kernel panic - not syncing: bug_uaf: object of generation",
    "wakeup": "SKEIN-BUG lost wake-up",
}


def use_bugs_image(lab):
    if not lab.paths.initrd_bugs:
        raise Skipped("no guest image with the modules (SKEIN_INITRD_BUGS)")
    lab.paths = argparse.Namespace(**vars(lab.paths))
    lab.paths.initrd = lab.paths.initrd_bugs


def find_sign(lab, name, text):
    need(SIGNS[name] in text, "it is not bug_%s that failed: %s" % (name, last_lines(text, 4)))
    need(re.search(r"SKEIN-BUG gdb: add-symbol-file bug_%s.ko -s .text 0x[0-9a-f]{16} " % name,
                   text), "the console does not say where the module is")


def found(lab, name):
    """Chaos finds the bug within RUNS runs; what is kept is the failure, and replays."""
    use_bugs_image(lab)
    until = "console:" + SIGNS[name] if name == "wakeup" else "panic"
    lab.record("bug", arg=name, append="no_timer_check", start=READY, done=False, memory="256M",
               options=["--until", until, "--repeat", str(RUNS), "--chaos", "1"])
    with open(os.path.join(lab.dir(), "console.log"), encoding="utf-8", errors="replace") as f:
        find_sign(lab, name, f.read())
    lab.verify()


def add_cases(case):
    @case("bug-modules-run")
    def run_all(lab):
        """A few rounds: all of the modules' code, hardly a chance for their bugs."""
        use_bugs_image(lab)
        result = lab.record("bug", arg="all,20", start=READY)
        for name in SIGNS:
            need("ok bug %s: 20 rounds" % name in result.out, "%s did not run to the end" % name)
        lab.verify()

    for name in SIGNS:
        @case("bug-%s-found" % name, timeout_s=600)
        def run(lab, name=name):
            found(lab, name)
