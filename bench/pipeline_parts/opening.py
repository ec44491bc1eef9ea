"""Looking at recordings: how soon info answers, how fast cat and stats go through the events."""

import json
import os
import resource
import statistics
import subprocess
import time

from lab import Failed, Row, big, program, run, say

BIG, SMALL_EVENTS = "1G", 8000000
INFO_GOAL_S, CAT_GOAL, STATS_GOAL = 0.050, 2e6, 10e6


def timed(command):
    """Wall and CPU seconds of a command whose output goes nowhere."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    p = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE, text=True, check=False)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if p.returncode != 0:
        raise Failed("skein %s: exit code %d: %s"
                     % (command[1], p.returncode, (p.stderr.strip() or "no message")[-200:]))
    return {"wall_s": wall,
            "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def folder_bytes(path):
    return sum(os.path.getsize(os.path.join(folder, name))
               for folder, _, names in os.walk(path) for name in names)


def section(lab):
    large, small = lab.path("large"), lab.path("small")
    say("open: making a recording of %sB" % BIG)
    maker = program("synth/make_recording")
    run([maker, "-o", large, "--size", BIG])
    run([maker, "-o", small, "--events", str(SMALL_EVENTS)])
    events = json.loads(run([lab.skein, "info", "--json", small]))["events"]
    sides = {"info": [lab.skein, "info", large], "cat": [lab.skein, "cat", small],
             "cat --json": [lab.skein, "cat", "--json", small],
             "stats": [lab.skein, "stats", small]}
    times = {side: [] for side in sides}
    for n in range(lab.rounds):
        for side, command in sides.items():
            times[side].append(timed(command))
        say("open: round %d of %d" % (n + 1, lab.rounds))
    size = folder_bytes(large)
    lab.forget(large)
    lab.forget(small)

    def median(side, what):
        return statistics.median(t[what] for t in times[side])

    def speed(side):
        return "%sevents/s, %sper second of CPU time" % (
            big(events / median(side, "wall_s")), big(events / median(side, "cpu_s")))
    info = median("info", "wall_s")
    cat, stats = events / median("cat", "wall_s"), events / median("stats", "cpu_s")
    rows = [
        Row("open", "info on %.2f GB" % (size / 1e9), "%.1f ms" % (1e3 * info), "< 50 ms",
            info < INFO_GOAL_S),
        Row("open", "cat", speed("cat"), "≥ 2 M events/s", cat >= CAT_GOAL),
        Row("open", "cat --json", speed("cat --json")),
        Row("open", "stats, per core", "%sevents/s" % big(stats), "≥ 10 M events/s",
            stats >= STATS_GOAL),
    ]
    lab.facts.append("open: synthetic recordings (bench/synth), in the page cache; info with a new "
                     "process each time, cat and stats on %sevents. stats is per second of CPU "
                     "time." % big(events))
    return rows, {"bytes": size, "events": events, "times": times}
