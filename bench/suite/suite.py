"""A run from its options to its page: what is missing is measured, then all of it is summed up."""

import fcntl
import json
import os
import shutil
import signal
import sys
import time

import errors
import inputs
import options as command_line
import plan
import results
import summary
from errors import TrialFailed, Unusable
from trial import Bench, remove



def complain(text):
    print("skein: bench: " + " ".join(text.split()), file=sys.stderr, flush=True)


class Progress:
    """On a terminal only."""

    def __init__(self, total, quiet):
        self.on = not quiet and sys.stderr.isatty()
        self.total, self.done, self.begin = total, 0, time.monotonic()

    def say(self, text):
        if self.on:
            print("\r\033[K" + text, end="", file=sys.stderr, flush=True)

    def at(self, cell):
        left = ""
        if self.done:
            each = (time.monotonic() - self.begin) / self.done
            left = ", about %d min left" % (each * (self.total - self.done) / 60 + 1)
        self.say("%d of %d%s: %s" % (self.done + 1, self.total, left, cell))
        self.done += 1

    def clear(self):
        self.say("")


def recording_name(cell):
    return "%s-%s-%dcpu-%s-%d" % (cell.bench.workload, cell.bench.name, cell.cores, cell.scheme,
                                  cell.trial)


def measure(bench, cell, folder):
    """The row of a cell. A recording that is not as it should be stays, for who looks into it."""
    out = os.path.join(folder, recording_name(cell))
    for left in (out, out + ".json"):
        remove(left)
    try:
        row = bench.run(cell, out)
        if cell.scheme in plan.RECORDED:
            row.update(bench.recording_row(out))
            row.update(bench.verify(out))
    except TrialFailed as e:
        if cell.scheme in plan.RECORDED and os.path.exists(out):
            raise TrialFailed("%s (kept: %s)" % (e, out)) from e
        remove(out)
        raise
    except BaseException:
        remove(out)
        remove(out + ".json")
        raise
    if row.get("verdict", "same") == "same":
        remove(out)
    else:
        complain("%s: %s: %s (kept: %s)" % (cell, row["verdict"], row["message"], out))
    remove(out + ".json")
    return row


def measure_or_complain(bench, cell, folder, progress):
    """None: it failed. The trial is missing then, and the same command makes it."""
    try:
        return measure(bench, cell, folder)
    except TrialFailed as e:
        progress.clear()
        complain("%s: %s" % (cell, e))
        return None


def warm_up(bench, cells, folder, progress):
    """A boot of each scheme before the first of a run that counts."""
    for cell in plan.warm_ups(cells):
        progress.say("warm-up: %s" % cell.scheme)
        out = os.path.join(folder, "warm-up")
        try:
            bench.run(cell, out)
        except TrialFailed as e:
            complain("warm-up: %s: %s" % (cell, e))
        finally:
            remove(out)
            remove(out + ".json")


def measure_all(options, cells, found, table):
    """What is not there yet."""
    todo = [cell for cell in cells if cell.key not in table.done()]
    if not todo:
        return
    recordings = os.path.join(options.output, "recordings")
    os.makedirs(recordings, exist_ok=True)
    bench = Bench(found, os.path.join(options.output, "work"))
    progress = Progress(len(todo), options.quiet)
    try:
        warm_up(bench, todo, recordings, progress)
        for cell in todo:
            progress.at(cell)
            row = measure_or_complain(bench, cell, recordings, progress)
            if row:
                table.add(cell, row)
    finally:
        progress.clear()
    shutil.rmtree(bench.work)
    if not os.listdir(recordings):
        os.rmdir(recordings)


def about(options, found):
    machine = inputs.machine()
    qemu = inputs.version(found.get("qemu") or found["stock"])
    return {"command": command_line.command(options), "options": command_line.identity(options),
            "machine": machine, "qemu": qemu,
            "machine_line": "Machine: %s, %d cores, %d GiB, Linux %s; QEMU %s (TCG)." % (
                machine["processor"], machine["cores"], machine["memory_gib"], machine["kernel"],
                qemu)}


def report(options, cells, found, table):
    """The exit code; everything that is made of the rows."""
    done = table.done()
    missing = [str(cell) for cell in cells if cell.key not in done]
    whole = summary.whole(table.rows, missing, about(options, found))
    summary.write(options.output, whole)
    # Here, not above: matplotlib takes a second, and an error comes before that.
    import graphs
    import page
    page.write(options.output, whole, graphs.write(options.output, whole))
    show(options, whole, page)
    for d in whole["diverged"]:
        complain("%s %s, %d vCPUs, %s, trial %d: %s: %s" % tuple(d.values()))
    if whole["diverged"]:
        complain("%d recordings did not replay as they were made" % len(whole["diverged"]))
        return errors.DIVERGED
    if missing:
        complain("%d of %d trials are missing: the same command makes them"
                 % (len(missing), len(cells)))
        return errors.INCOMPLETE
    return 0


def show(options, whole, page):
    if options.json is None:
        page.print_table(whole)
    elif options.json == "-":
        json.dump(whole, sys.stdout, indent=1)
        print()
    else:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(whole, f, indent=1)


def identity(options, found):
    return {"options": command_line.identity(options), "inputs": inputs.identity(found),
            "machine": {name: inputs.machine()[name] for name in ("processor", "cores")}}


def lock(folder):
    """One run at a time in a folder; the descriptor keeps it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise Unusable("another run is at work in %s" % folder) from None
    return descriptor


def check_graphs():
    """Before hours of measuring, not after."""
    import importlib.util
    if not importlib.util.find_spec("matplotlib"):
        raise Unusable("the graphs need matplotlib (Debian: python3-matplotlib)")


def run(args):
    options = command_line.parse(args)
    options.output = os.path.abspath(options.output)
    cells = plan.cells(options)
    if not cells:
        raise Unusable("nothing to measure: no bench, or qemu-rr with more than one vCPU only")
    check_graphs()
    found = inputs.find(cells)
    results.claim(options.output, identity(options, found))
    held = lock(options.output)
    try:
        table = results.Results(options.output)
        measure_all(options, cells, found, table)
        return report(options, cells, found, table)
    finally:
        os.close(held)


def main(args):
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run(args)
    except Unusable as e:
        complain(str(e))
        return errors.USAGE
    except KeyboardInterrupt:
        complain("interrupted: the same command goes on")
        return errors.INTERRUPTED
