"""What the end-to-end cases share: running skein, guests, and judging what it said."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time


class Failed(Exception):
    """The case failed; the text says why."""


class Skipped(Exception):
    """The case cannot be run here; the text says why."""


def need(condition, why):
    if not condition:
        raise Failed(why)


def no_failure_in(console):
    """What a workload says when a check of its own fails."""
    bad = [line for line in console.splitlines() if line.startswith("fail ")]
    need(not bad, "in the guest: %s" % bad[:1])


def last_lines(text, count=2):
    return " / ".join(line.strip() for line in text.strip().splitlines()[-count:])


def children(parent):
    """By their own word: /proc's list of a thread's children goes when the thread does."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid, encoding="utf-8", errors="replace") as f:
                if int(f.read().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(pid))
        except OSError:
            pass  # it has ended meanwhile
    return found


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def need_code(self, code, what):
        need(self.code == code,
             "%s: exit code %d instead of %d: %s" % (what, self.code, code, last_lines(self.err)))
        return self

    def need_one_line(self, *words):
        need(len(self.err.splitlines()) == 1, "not one line on stderr: %r" % self.err[:400])
        for word in words:
            need(word in self.err, "%r is not in %r" % (word, self.err))
        return self


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


class Lab:
    """Everything a case needs; one per case."""

    def __init__(self, paths, timeout_s):
        self.paths = paths
        self.deadline = time.monotonic() + timeout_s
        self.tmp = tempfile.mkdtemp(prefix="skein-e2e-")
        self.processes = []

    def dir(self, name="rec"):
        return os.path.join(self.tmp, name)

    def left_s(self):
        left = self.deadline - time.monotonic()
        need(left > 0, "out of time")
        return left

    def start(self, *args, **variables):
        paths = [os.path.join(self.tmp, "%s.%d" % (name, len(self.processes)))
                 for name in ("out", "err")]
        env = dict(os.environ, SKEIN_QEMU=self.paths.qemu, **variables)
        with open(paths[0], "wb") as out, open(paths[1], "wb") as err:
            p = subprocess.Popen([self.paths.skein, *args], env=env, stdin=subprocess.DEVNULL,
                                 stdout=out, stderr=err)
        p.paths = paths
        self.processes.append(p)
        return p

    # The process shares its file's position with whoever holds the file it was given, and a seek
    # there would move where it writes: reading has a file of its own.
    def output(self, p):
        return text_of(p.paths[0])

    def errors(self, p):
        return text_of(p.paths[1])

    def finish(self, p):
        try:
            p.wait(timeout=self.left_s())
        except subprocess.TimeoutExpired as late:
            p.kill()
            p.wait()
            raise Failed("timed out: skein %s: %s"
                         % (p.args[1], last_lines(self.output(p)))) from late
        return Result(p.returncode, self.output(p), self.errors(p))

    def skein(self, *args):
        return self.finish(self.start(*args))

    def record_args(self, workload, name="rec", smp=2, scope="kernel", start="boot", stop="exit",
                    arg="", append="", memory="384M", extra=(), options=()):
        words = "console=ttyS0 panic=-1 skein.workload=%s" % workload
        # With several vCPUs a busy host can make the kernel's look at its timer fail at boot.
        words += " no_timer_check" if smp > 1 else ""
        words += " skein.arg=%s" % arg if arg else ""
        words += " " + append if append else ""
        args = ["record", "-o", self.dir(name), "--kernel", self.paths.kernel, "--initrd",
                self.paths.initrd, "--append", words, "--smp", str(smp), "--memory", memory,
                "--scope", scope, "--start", start, "--stop", stop,
                "--json=" + self.dir(name) + ".json", *options]
        return args + (["--", *extra] if extra else [])

    def record(self, workload, code=0, done=True, **kw):
        """Records a guest; with done, its workload must have ended well."""
        result = self.skein(*self.record_args(workload, **kw))
        no_failure_in(result.out)
        if done:
            match = re.search(r"SKEIN-DONE rc=(\d+)", result.out)
            need(match, "the guest did not finish: %s / %s"
                 % (last_lines(result.out), last_lines(result.err)))
            need(match.group(1) == "0", "the workload failed: rc=%s" % match.group(1))
        return result.need_code(code, "record")

    def verify(self, name="rec", code=0):
        result = self.skein("verify", "--json", self.dir(name))
        verdict = json.loads(result.out)[0] if result.out else {}
        need(result.code == code, "verify: exit code %d instead of %d: %s %s"
             % (result.code, code, verdict_line(verdict), last_lines(result.err)))
        return verdict

    def recover(self, name="rec"):
        """What files and shared memory hold together; nothing may be missing."""
        result = self.skein("recover", "--json", self.dir(name)).need_code(0, "recover")
        return json.loads(result.out)

    def wait_until_gone(self, pid):
        while os.path.exists("/proc/%d" % pid):
            self.left_s()
            time.sleep(0.05)

    def summary(self, name="rec"):
        with open(self.dir(name) + ".json", encoding="utf-8") as f:
            return json.load(f)

    def mutate(self, change, n, name):
        """A copy of rec with one change; where it is."""
        p = subprocess.run([self.paths.mutate, self.dir(), self.dir(name), change, str(n)],
                           capture_output=True, text=True, timeout=self.left_s(), check=False)
        need(p.returncode == 0, "mutate %s: %s" % (change, p.stderr.strip()))
        return json.loads(p.stdout)

    def remove(self, name):
        shutil.rmtree(self.dir(name))

    def wait_until(self, p, found, what, pause_s=0.1):
        """What found() gives, when it is true; the process may end when it has said what it is."""
        while True:
            ended = p.poll() is not None
            if answer := found():
                return answer
            need(not ended, "skein ended before it said %s: %s / %s"
                 % (what, last_lines(self.output(p)), last_lines(self.errors(p))))
            self.left_s()
            time.sleep(pause_s)

    def wait_for(self, p, text):
        """Until the guest's console shows the text."""
        self.wait_until(p, lambda: text in self.output(p), text)

    def qemu_of(self, p):
        found = children(p.pid)
        need(len(found) == 1, "skein has %d children" % len(found))
        return found[0]

    def close(self, keep):
        for p in self.processes:
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
                try:
                    p.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    p.kill()
                    p.wait()
            for name in os.listdir("/dev/shm"):
                if name.startswith("skein-") and "-%d-" % p.pid in name:
                    os.unlink("/dev/shm/" + name)
        if not keep:
            shutil.rmtree(self.tmp, ignore_errors=True)


def verdict_line(v):
    d = v.get("divergence")
    where = ""
    if d:
        where = (" at vCPU %(vcpu)d slice %(slice)d tick %(tick)d (%(kind)s) icount %(icount)d "
                 "PC %(pc)#x expected %(expected)#x got %(got)#x" % d)
    return "%s%s: %s" % (v.get("verdict"), where, v.get("message"))
