"""One append of 16 bytes: a shard, a ck_ring, a queue behind a mutex, an LTTng-UST tracepoint."""

import os
import re
import shutil
import subprocess
import time

from lab import Failed, Row, line_of, median, program, run, say

SIDES = ["skein", "ck", "mutex", "lttng"]
NAMES = {"skein": "skein shards", "ck": "ck_ring, one for each writer",
         "mutex": "one queue, one mutex", "lttng": "LTTng-UST"}
WRITERS = [1, 2, 4]
BATCHES = 500
LTTNG_BATCHES = 200
P50_GOAL_NS, P999_GOAL_NS, LTTNG_GOAL, SLOWER_GOAL = 5, 60, 10, 1.1


class Lttng:
    """A session daemon of our own, unless this user has one already."""

    def __init__(self, lab):
        self.lab = lab
        self.daemon = None
        self.count = 0
        self.env = dict(os.environ, LTTNG_HOME=lab.path("lttng"), LTTNG_UST_REGISTER_TIMEOUT="-1")

    def __enter__(self):
        if not shutil.which("lttng-sessiond"):
            raise Failed("lttng-sessiond is not installed (tools/dev/packages.sh has it)")
        os.makedirs(self.env["LTTNG_HOME"], exist_ok=True)
        if not self.answers():
            self.daemon = subprocess.Popen(["lttng-sessiond"], env=self.env,
                                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                           stderr=subprocess.DEVNULL)
            for _ in range(100):
                if self.answers():
                    break
                time.sleep(0.1)
            else:
                raise Failed("lttng-sessiond does not answer")
        return self

    def __exit__(self, *_):
        if self.daemon:
            self.daemon.terminate()
            self.daemon.wait()

    def answers(self):
        p = subprocess.run(["lttng", "--no-sessiond", "list"], env=self.env, check=False,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        return p.returncode == 0

    def measure(self, writers):
        """One run in a session of its own, with the default channel."""
        self.count += 1
        session = "skein-bench-%d-%d" % (os.getpid(), self.count)
        traces = self.lab.path("trace")
        self.lttng("create", session, "--output=" + traces)
        try:
            self.lttng("enable-event", "-u", "skein_bench:record", "-s", session)
            self.lttng("start", session)
            output = run([program("pipeline_parts/append_lttng"), str(writers),
                          str(LTTNG_BATCHES)], env=self.env)
            self.lttng("stop", session)
            listed = self.lttng("list", session)
        finally:
            self.lttng("destroy", session)
            self.lab.forget(traces)
        result = line_of(output, "append")
        result["lost"] = sum(int(n) for n in re.findall(r"Discarded events: (\d+)", listed))
        return result

    def lttng(self, *arguments):
        return run(["lttng", "--no-sessiond", *arguments], env=self.env)


def measure(lab):
    """{(side, writers): [result, …]}, one more in each round."""
    results = {}
    with Lttng(lab) as lttng:
        for n in range(lab.rounds):
            for writers in WRITERS:
                for side in SIDES:
                    if side == "lttng":
                        one = lttng.measure(writers)
                    else:
                        command = [program("pipeline_parts/append_" + side), str(writers),
                                   str(BATCHES)]
                        one = line_of(run(command), "append")
                    results.setdefault((side, writers), []).append(one)
            say("append: round %d of %d" % (n + 1, lab.rounds))
    return results


def figures(samples):
    text = "p50 %.2f ns (%.1f cycles), p99 %.0f, p99.9 %.0f, mean %.1f ns; lost %d" % (
        median(samples, "p50_ns"), median(samples, "p50_cycles"), median(samples, "p99_ns"),
        median(samples, "p999_ns"), median(samples, "mean_ns"),
        sum(s["lost"] for s in samples))
    waits = sum(s["waits"] for s in samples)
    return text + (", %d waits for room" % waits if waits else "")


def goals_of(results, side, writers):
    if side == "skein":
        met = (median(results[side, writers], "p50_ns") <= P50_GOAL_NS and
               median(results[side, writers], "p999_ns") <= P999_GOAL_NS)
        return "p50 ≤ %d ns, p99.9 ≤ %d ns" % (P50_GOAL_NS, P999_GOAL_NS), met
    return "", None


def compared(results):
    rows = []
    alone = median(results["skein", 1], "p50_ns")
    for writers in WRITERS:
        ours = median(results["skein", writers], "p50_ns")
        ratio = median(results["lttng", writers], "p50_ns") / ours
        rows.append(Row("append", "LTTng-UST / skein, %d writer%s"
                        % (writers, "s" if writers > 1 else ""), "%.1f× (p50)" % ratio,
                        "≥ %d×" % LTTNG_GOAL, ratio >= LTTNG_GOAL))
    for writers in WRITERS[1:]:
        slower = median(results["skein", writers], "p50_ns") / alone
        rows.append(Row("append", "skein, %d writers / 1 writer" % writers,
                        "%.2f× (p50 of each writer)" % slower,
                        "≤ %.1f×" % SLOWER_GOAL, slower <= SLOWER_GOAL))
    return rows


def section(lab):
    results = measure(lab)
    rows = []
    for writers in WRITERS:
        for side in SIDES:
            rows.append(Row("append", "%s, %d writer%s" % (NAMES[side], writers,
                                                           "s" if writers > 1 else ""),
                            figures(results[side, writers]), *goals_of(results, side, writers)))
    rows += compared(results)
    any_one = results["skein", 1][0]
    cores = len(os.sched_getaffinity(0))
    lab.facts += [
        "append: p50 is of groups of 64 appends with one publish among them, p99 and p99.9 of single "
        "appends; the timer's own %.0f ns are subtracted, and its step here is %.0f ns, so the tail "
        "is no finer than that. Cycles are the TSC's (%.2f GHz)."
        % (any_one["timer_ns"], any_one["timer_step_ns"], any_one["ticks_per_ns"])]
    crowded = [n for n in WRITERS if n > cores - 1]
    if crowded:
        lab.facts.append(
            "append: %s writers are more than the %d cores less one for the consumer: they take "
            "turns, which p50 hardly shows and the mean does."
            % (" and ".join(map(str, crowded)), cores))
    raw = [{"side": side, "writers": writers, "rounds": samples}
           for (side, writers), samples in results.items()]
    return rows, raw
