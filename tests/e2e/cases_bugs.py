"""The modules with bugs (guest/bugs): they load and run, and the bug is found, kept and replayed."""

import argparse
import os
import re
import signal
import subprocess

from lab import Failed, Skipped, last_lines, need

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
READY = "console:SKEIN-READY"

# Chaos needs one run or two.
RUNS = 20

# What gdb must have shown on the way back to the culprit (guest/bugs/gdb).
CULPRITS = {
    "abba": ["account 0 was locked for good by vCPU", "account 1 was locked for good by vCPU",
             "<transfer+"],
    "fetch": ["message_copy (", "length 56, but at most 48"],
    "list": ["client_append (", "client_touch ("],
    "uaf": ["object_free (", "replace ()"],
    "wakeup": ["mailbox_wait ()", "full when the reader goes to sleep: 1", "mailbox_post ()"],
}
SYMBOLS = os.path.join(ROOT, "guest", "bugs", "gdb.sh")

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


def find_sign(name, text):
    need(SIGNS[name] in text, "it is not bug_%s that failed: %s" % (name, last_lines(text, 4)))
    need(re.search(r"SKEIN-BUG gdb: add-symbol-file bug_%s.ko -s .text 0x[0-9a-f]{16} " % name,
                   text), "the console does not say where the module is")


def gdb_script_of(lab, p):
    """What skein replay --gdb says that gdb is to read."""
    line = re.compile(r"gdb -x (\S+)\n")
    return lab.wait_until(p, lambda: line.search(lab.errors(p)), "what gdb is to read")[1]


def backwards_to_the_culprit(lab, name):
    symbols = lab.dir("symbols.gdb")
    with open(symbols, "w", encoding="ascii") as f:
        subprocess.run([SYMBOLS, lab.dir(), lab.paths.bugs], stdout=f, check=True)
    p = lab.start("replay", "-q", "--gdb", lab.dir())
    command = ["gdb", "-nx", "-batch", "-ex", "set pagination off", "-x", gdb_script_of(lab, p),
               "-x", symbols, "-x", os.path.join(ROOT, "guest", "bugs", "gdb", name + ".gdb")]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=lab.left_s(),
                              stdin=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired as late:
        raise Failed("gdb was not done in time") from late
    p.send_signal(signal.SIGTERM)
    lab.finish(p)
    for text in CULPRITS[name] + ["the same end: 1"]:
        need(text in said.stdout, "gdb did not show %r: %s" % (text, last_lines(said.stdout, 12)))


def found(lab, name):
    """Chaos finds the bug within RUNS runs; what is kept replays, and gdb finds the culprit."""
    use_bugs_image(lab)
    until = "console:" + SIGNS[name] if name == "wakeup" else "panic"
    lab.record("bug", arg=name, append="no_timer_check", start=READY, done=False, memory="256M",
               options=["--until", until, "--repeat", str(RUNS), "--chaos", "1"])
    with open(os.path.join(lab.dir(), "console.log"), encoding="utf-8", errors="replace") as f:
        find_sign(name, f.read())
    lab.verify()
    backwards_to_the_culprit(lab, name)


def add_cases(case):
    @case("bug-modules-run")
    def run_all(lab):
        """A few rounds: all of the modules' code, hardly a chance for their bugs."""
        use_bugs_image(lab)
        result = lab.record("bug", arg="all,2", start=READY)
        for name in SIGNS:
            need("ok bug %s: 2 rounds" % name in result.out, "%s did not run to the end" % name)
        lab.verify()

    for name in SIGNS:
        @case("bug-%s-found" % name, timeout_s=2400)
        def run(lab, name=name):
            found(lab, name)
