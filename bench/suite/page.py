"""report.md: one page that puts tables, goals and graphs together."""

import os

import plan

COLUMNS = ("bench", "vCPUs", "scheme", "median", "spread", "slow-down", "log raw", "log on disk",
           "back-pressure", "replay / recording", "verified")


def number(value, form="%.2f", unit=""):
    return "–" if value is None else form % value + unit


def amount(value):
    return "%.0f" % value if value >= 100 else "%.3g" % value


def cells(row):
    """A row of a summary as text, in the order of COLUMNS."""
    pressure = "–"
    if row["back_pressure"] is not None:
        pressure = "%.3f s (%d)" % (row["back_pressure_s"], row["back_pressure"])
    verified = "%d of %d" % (row["same"], row["recordings"]) if row["recordings"] else "–"
    return [row["bench"], str(row["cores"]), row["scheme"],
            "%s %s" % (amount(row["value"]), row["unit"]), "%.0f %%" % (100 * row["spread"]),
            number(row["slowdown"], unit="×"), number(row["log_raw_mb_s"], unit=" MB/s"),
            number(row["log_disk_mb_s"], unit=" MB/s"), pressure,
            number(row["replay_ratio"], unit="×"), verified]


def table(header, rows):
    yield "| %s |" % " | ".join(header)
    yield "|%s" % ("---|" * len(header))
    for row in rows:
        yield "| %s |" % " | ".join(row)


def goal_rows(summary):
    for g in summary["goals"]:
        limit = "%.3g%s" % (g["limit"], g["unit"])
        verdict = "met" if g["met"] else "**missed** in %d of %d" % (g["missed"], g["rows"])
        yield [g["goal"], "≤ " + limit, verdict,
               "%.2f%s (%s)" % (g["worst"], g["unit"], g["worst_row"])]


def verdict_lines(summary):
    """First of all, what is wrong with the run itself."""
    if summary["diverged"]:
        yield ("**This run has failed: %d of its recordings did not replay as they were made.**"
               % len(summary["diverged"]))
        yield ""
        for d in summary["diverged"]:
            yield "- %s %s, %d vCPUs, %s, trial %d: %s: %s" % (
                d["workload"], d["bench"], d["cores"], d["scheme"], d["trial"], d["verdict"],
                d["message"])
    else:
        count = sum(row["recordings"] for row in summary["rows"])
        if count:
            yield "All %d recordings of this run were replayed and are the same." % count
    if summary["missing"]:
        yield ""
        yield "**%d of the planned trials are missing;** the same command makes them:" \
            % len(summary["missing"])
        yield ""
        for text in summary["missing"][:20]:
            yield "- " + text
    yield ""


HOW = """\
**How to read it.** A value is operations by seconds of the host's clock, between two words on the
guest's console around a fixed number of operations (with wrk, a fixed time). Each trial boots a
guest, which warms up first, and again when the recording has begun; trials of all schemes are
interleaved, and the first boot of each scheme is thrown away. *median*: of the trials; *spread*:
from the worst trial to the best, as a part of it.
*slow-down*: native's median by this one, at the same number of vCPUs. *log raw*: what vCPUs and
devices wrote, *on disk*: compressed, both by seconds of recording. *back-pressure*: how long, and how
often, they waited for room in the log. *replay / recording*: time of the replay, without unpacking, by
that of the recording. *verified*: recordings that replay as they were made, of all.
"""


def scheme_lines(summary):
    for scheme in plan.SCHEMES:
        if scheme in summary["options"]["schemes"]:
            yield "- `%s`: %s" % (scheme, plan.SCHEME_NAMES[scheme])
    if "qemu-rr" in summary["options"]["schemes"]:
        yield ("\nQEMU's own record/replay runs all of a guest in one thread and allows one vCPU "
               "only: it has no rows with more. Its log is that of the whole VM.")
    yield ""


def lines(summary, made):
    yield "# What recording costs"
    yield ""
    yield from verdict_lines(summary)
    yield summary["machine_line"]
    yield ""
    yield "Made by:"
    yield ""
    yield "    " + summary["command"]
    yield ""
    yield from scheme_lines(summary)
    if summary["goals"]:
        yield "## Goals"
        yield ""
        yield from table(("goal", "limit", "", "worst row"), goal_rows(summary))
        yield ""
    yield HOW
    for workload in plan.WORKLOADS:
        rows = [row for row in summary["rows"] if row["workload"] == workload]
        if not rows:
            continue
        yield "## " + plan.TITLES[workload]
        yield ""
        for of, measure, name in made:
            if of == workload:
                yield "![%s: %s](%s.svg)" % (plan.TITLES[workload],
                                            plan.MEASURE_NAMES[measure], name)
                yield ""
        yield from table(COLUMNS, map(cells, rows))
        yield ""


def write(folder, summary, made):
    with open(os.path.join(folder, "report.md"), "w", encoding="utf-8") as f:
        f.write("\n".join(lines(summary, made)))


def print_table(summary):
    """The same rows for a terminal."""
    rows = [("workload", *COLUMNS)]
    rows += [(row["workload"], *cells(row)) for row in summary["rows"]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())
    for g in summary["goals"]:
        print("%s: %s ≤ %.3g%s; worst %.2f (%s)" % (
            "met" if g["met"] else "MISSED", g["goal"], g["limit"], g["unit"], g["worst"],
            g["worst_row"]))
