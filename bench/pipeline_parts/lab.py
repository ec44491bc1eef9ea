"""What the sections of bench/pipeline share: paths, running programs, rows of the table."""

import os
import shutil
import statistics
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PROGRAMS = os.path.join(ROOT, "bazel-bin", "bench")


class Failed(Exception):
    """One line for the user."""


class Lab:
    def __init__(self, tmp, rounds, soak_seconds):
        self.tmp = tmp
        self.rounds = rounds
        self.soak_seconds = soak_seconds
        self.skein = need_path("SKEIN")
        self.recordings = {}
        self.facts = []  # lines below the table

    def path(self, name):
        return os.path.join(self.tmp, name)

    def recording(self, workload, arg, vcpus, start):
        """A recording of a guest workload, made once; says where it is."""
        name = "%s-%d-%s" % (workload, vcpus, start.split(":")[0])
        if name not in self.recordings:
            say("recording %s with %d vCPUs" % (workload, vcpus))
            words = "console=ttyS0 panic=-1 quiet skein.workload=" + workload
            run([self.skein, "record", "-o", self.path(name), "--qemu", need_path("SKEIN_QEMU"),
                 "--kernel", need_path("SKEIN_KERNEL"), "--initrd", need_path("SKEIN_INITRD"),
                 "--append", words + (" skein.arg=" + arg if arg else ""), "--smp", str(vcpus),
                 "--start", start, "--quiet"])
            self.recordings[name] = self.path(name)
        return self.recordings[name]

    def demo(self):
        """The recording that ./dev demo makes: two vCPUs, from boot."""
        return self.recording("demo", "", 2, "boot")

    def forget(self, path):
        shutil.rmtree(path, ignore_errors=True)


class Row:
    """A line of the table. met: True, False, or None when there is no goal."""

    def __init__(self, section, what, figures, goal="", met=None):
        self.section, self.what, self.figures = section, what, figures
        self.goal, self.met = goal, met

    def cells(self):
        verdict = {True: "met", False: "**missed**", None: ""}[self.met]
        return [self.section, self.what, self.figures, self.goal, verdict]


def say(text):
    print("bench/pipeline: " + text, file=sys.stderr, flush=True)


def need_path(variable):
    path = os.environ.get(variable)
    if not path or not os.access(path, os.R_OK):
        raise Failed("%s: %s" % (variable, path or "not set (./dev bench sets it)"))
    return os.path.abspath(path)


def program(name):
    path = os.path.join(PROGRAMS, name)
    if not os.access(path, os.X_OK):
        raise Failed("%s is not built: bazel build //bench/..." % path)
    return path


def run(command, env=None):
    """Standard output; Failed when the exit code is not 0."""
    try:
        p = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, check=False, env=env)
    except OSError as e:
        raise Failed("%s: %s" % (command[0], e.strerror)) from e
    if p.returncode != 0:
        lines = (p.stderr.strip() or p.stdout.strip() or "no message").splitlines()
        raise Failed("%s: exit code %d: %s"
                     % (os.path.basename(command[0]), p.returncode, lines[-1]))
    return p.stdout


def number(text):
    try:
        return float(text)
    except ValueError:
        return text


def words(line):
    """The NAME=VALUE words of a line, numbers as such."""
    pairs = (word.split("=", 1) for word in line.split() if "=" in word)
    return {name: number(value) for name, value in pairs}


def line_of(output, first):
    """The words of the line that begins with `first`."""
    for line in output.splitlines():
        if line.split(" ", 1)[0] == first:
            return words(line)
    raise Failed("there is no line %s in %r" % (first, output[:200]))


def median(samples, name):
    return statistics.median(s[name] for s in samples)


def big(value):
    """1234567 as "1.23 M ", for a unit to follow."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return "%.3g %s " % (value / limit, unit)
    return "%.3g " % value
