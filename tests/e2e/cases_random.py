"""Recordings of random length, size and workload: number N is always the same one."""

import random
import re

from lab import need

COUNT = 200
QUICK = (3, 11)

# Workload: its argument, by size from 1 to 3.
WORKLOADS = {
    "demo": "1 1 2", "mixed": "1 2 4", "dd": "500 2000 4000", "cow": "16 32 64", "user": "1 1 2",
    "mmapshare": None, "iouring": None, "userfaultfd": None, "madvise": None, "ptrace": None,
    "fpu": None, "int80": None, "segments": None, "signals": None,
}


def choose(number):
    """What is recorded: a dictionary, for Lab.record() and for people."""
    r = random.Random(number)
    workload = r.choice(sorted(WORKLOADS))
    sizes = WORKLOADS[workload]
    chosen = {
        "workload": workload,
        "arg": sizes.split()[r.randrange(3)] if sizes else "",
        "smp": r.randint(1, 8),
        "scope": "system" if r.random() < 0.1 else "kernel",
        "start": r.choice(["boot", "console:SKEIN-READY", "console:SKEIN-READY"]),
        "memory": r.choice(["256M", "384M", "512M"]),
        # With more vCPUs than processors the kernel's look at its timer at boot can fail.
        "append": "no_timer_check",
        "cut_s": 0,
        "options": [],
    }
    if r.random() < 0.3:
        chosen["cut_s"] = r.randint(1, 12)  # the end comes from outside, at any moment
        chosen["options"] += ["--timeout", str(chosen["cut_s"])]
    if r.random() < 0.3:
        chosen["options"] += ["--epoch", "%.2f" % r.uniform(0.2, 2)]
    if r.random() < 0.25:
        chosen["options"] += ["--chaos", str(r.randint(1, 1 << 30))]
    return chosen


def run_one(lab, number):
    chosen = choose(number)
    cut_s = chosen.pop("cut_s")
    if cut_s:
        # It may end before the recording begins: then there is nothing to verify.
        result = lab.skein(*lab.record_args(**chosen))
        need(result.code in (0, 1) and (result.code == 0 or "did not begin" in result.err),
             "record: exit code %d: %s" % (result.code, result.err[-300:]))
        if result.code != 0:
            return
    else:
        lab.record(**chosen)
    verdict = lab.verify()
    need(verdict["events_done"] == verdict["events_total"],
         "%d of %d events were replayed" % (verdict["events_done"], verdict["events_total"]))


def add_case(case, number, sets="random"):
    case("random-%03d" % number, sets, 600)(lambda lab: run_one(lab, number))
    return "random-%03d" % number


def add_cases(case):
    for number in range(COUNT):
        add_case(case, number, "quick random" if number in QUICK else "random")


def add_named(case, name):
    """Beyond those: any number has a recording of its own."""
    found = re.fullmatch("random-([0-9]{3,9})", name)
    return add_case(case, int(found[1])) if found else None
