"""The cases, by name. Each is a function of a Lab; it returns nothing, or raises."""

import contextlib
import glob
import os
import shutil
import signal
import socket
import subprocess
import time

import cases_bench
import cases_bisect
import cases_checkpoints
import cases_random
import cases_refused
import cases_verify
import cases_bugs
import cases_chaos
import cases_devices
import cases_ignored
import cases_gdb
import cases_sess
import cases_stress
import cases_sym
from lab import Failed, Skipped, last_lines, need, verdict_line

CASES = {}  # name -> Case
READY = "console:SKEIN-READY"

# Small enough for an emulator; the rest of the arguments are the workloads' defaults.
ARGS = {"demo": "1", "cow": "32", "dd": "2000", "mixed": "2", "user": "1"}

WORKLOADS = ["user", "mixed", "dd", "mmapshare", "iouring", "userfaultfd", "madvise", "ptrace",
             "fpu", "int80", "cow", "segments", "signals", "strings"]


class Case:
    def __init__(self, run, sets, timeout_s):
        self.run, self.sets, self.timeout_s = run, sets, timeout_s


def case(name, sets="quick soak", timeout_s=900):
    def add(run):
        CASES[name] = Case(run, sets.split(), timeout_s)
        return run
    return add


def record_and_verify(lab, workload, **kw):
    kw.setdefault("arg", ARGS.get(workload, ""))
    result = lab.record(workload, **kw)
    verdict = lab.verify(kw.get("name", "rec"))
    need(verdict["events_done"] == verdict["events_total"],
         "%d of %d events were replayed" % (verdict["events_done"], verdict["events_total"]))
    return result


def add_matrix():
    for start_name, start in (("boot", "boot"), ("ready", READY)):
        for scope in ("kernel", "system"):
            for smp in (1, 2, 4):
                quick = scope == "kernel" or smp == 2
                @case("%s-%s-%dcpu" % (start_name, scope, smp),
                      "quick soak" if quick else "soak", 400)
                def run(lab, start=start, scope=scope, smp=smp):
                    record_and_verify(lab, "demo", start=start, scope=scope, smp=smp)
                    s = lab.summary()
                    need(s["complete"] and s["end"] == "shutdown", "not complete: %s" % s["end"])
                    need(smp == 1 or s["edges"] > 0, "no cross-core edges")


def add_workloads():
    for workload in WORKLOADS:
        for scope in ("kernel", "system"):
            @case("workload-%s%s" % (workload, "" if scope == "kernel" else "-system"),
                  "quick soak" if scope == "kernel" else "soak")
            def run(lab, workload=workload, scope=scope):
                result = record_and_verify(lab, workload, start=READY, scope=scope)
                skips = [x for x in result.out.splitlines() if x.startswith("skip ")]
                oks = [x for x in result.out.splitlines() if x.startswith("ok ")]
                if skips and not oks:
                    raise Skipped(skips[0][5:])


add_matrix()
add_workloads()
cases_random.add_cases(case)
cases_bench.add_cases(case)
cases_verify.add_cases(case)
cases_checkpoints.add_cases(case)
cases_bugs.add_cases(case)
cases_chaos.add_cases(case)
cases_devices.add_cases(case)
cases_ignored.add_cases(case)
cases_refused.add_cases(case)
cases_gdb.add_cases(case)
cases_sess.add_cases(case)
cases_stress.add_cases(case)
cases_sym.add_cases(case)
cases_bisect.add_cases(case)


def repeat(lab, times):
    for i in range(times):
        name = "rec%d" % i
        try:
            record_and_verify(lab, "demo", name=name, start=READY)
        except Failed as e:
            raise Failed("recording %d of %d: %s" % (i + 1, times, e)) from e
        shutil.rmtree(lab.dir(name))


@case("repeat-3", "quick", 400)
def repeat_3(lab):
    repeat(lab, 3)


@case("repeat-20", "soak", 2400)
def repeat_20(lab):
    repeat(lab, 20)


@case("panic")
def panic(lab):
    result = lab.record("panic", done=False, start=READY, append="skein.delay=1")
    need("Kernel panic - not syncing" in result.out, "the guest did not panic")
    need(lab.summary()["end"] in ("reset", "panic"), "it ended by %s" % lab.summary()["end"])
    lab.verify()


@case("reboot")
def reboot(lab):
    lab.record("reboot", done=False)
    need(lab.summary()["end"] == "reset", "it ended by %s" % lab.summary()["end"])
    lab.verify()


@case("guestport")
def guestport(lab):
    lab.record("guestport", start="guest", stop="guest", done=False)
    lab.verify()


@case("guestport-around-demo")
def guestport_demo(lab):
    lab.record("demo", arg="1", append="skein.port=1", start="guest", stop="guest", done=False)
    need(lab.summary()["events"] > 1000, "hardly any events")
    lab.verify()


@case("stopped-by-guest")
def stopped_by_guest(lab):
    lab.record("demo", arg="1", append="skein.port=1", start="boot", stop="guest", done=False)
    need(lab.summary()["end"] == "stopped", "it ended by %s" % lab.summary()["end"])
    lab.verify()


@case("stop-on-console")
def stop_on_console(lab):
    lab.record("demo", arg="1", start=READY, stop="console:SKEIN-DONE", done=False)
    need(lab.summary()["end"] == "stopped", "it ended by %s" % lab.summary()["end"])
    lab.verify()


def start_forever(lab, **kw):
    p = lab.start(*lab.record_args("forever", start=READY, **kw))
    lab.wait_for(p, "SKEIN-READY")
    time.sleep(4)
    # The manifest knows of the snapshot once it is packed: what is killed before can be recovered,
    # but not replayed as it is.
    lab.wait_until(p, lambda: not glob.glob("/dev/shm/skein-*-%d-record.snapshot" % p.pid),
                   "that the snapshot is packed")
    if p.poll() is not None:
        raise Failed("skein record has ended: %s" % last_lines(lab.finish(p).err))
    return p


@case("interrupted")
def interrupted(lab):
    p = start_forever(lab)
    p.send_signal(signal.SIGINT)
    lab.finish(p).need_code(0, "record")
    lab.verify()


@case("timeout")
def timeout(lab):
    lab.record("forever", done=False, start="boot", options=["--timeout", "6"])
    lab.verify()


@case("qmp-quit")
def qmp_quit(lab):
    """The VM is powered off from outside: whatever there is must be the same."""
    path = os.path.join(lab.tmp, "qmp")
    p = start_forever(lab, extra=["-qmp", "unix:%s,server=on,wait=off" % path])
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(b'{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n')
        # A QEMU that quits before it has read the last newline resets the connection.
        with contextlib.suppress(ConnectionResetError):
            while s.recv(4096):
                pass
    result = lab.finish(p)
    need(result.code in (0, 3), "record: exit code %d: %s" % (result.code, result.err))
    verdict = lab.verify(code=result.code)
    need(verdict["events_done"] > 1000, "only %d events were replayed" % verdict["events_done"])


@case("qemu-killed")
def qemu_killed(lab):
    p = start_forever(lab)
    os.kill(lab.qemu_of(p), signal.SIGKILL)
    result = lab.finish(p).need_code(3, "record")
    need("killed by signal 9" in result.err, "it does not say why: %s" % result.err)
    verdict = lab.verify(code=3)
    need(verdict["events_done"] > 1000, "only %d events were replayed" % verdict["events_done"])


@case("skein-killed")
def skein_killed(lab):
    p = start_forever(lab)
    qemu = lab.qemu_of(p)
    p.kill()
    p.wait()
    lab.wait_until_gone(qemu)
    lab.verify(code=3)
    recovered = lab.recover()
    need(recovered["events_from_memory"] > 0, "nothing was in shared memory: %s" % recovered)
    lab.verify()  # QEMU, left alone, has ended the recording by itself


@case("both-killed")
def both_killed(lab):
    p = start_forever(lab)
    qemu = lab.qemu_of(p)
    os.kill(qemu, signal.SIGSTOP)  # it is told when skein dies, and must not end well
    p.kill()
    os.kill(qemu, signal.SIGKILL)
    p.wait()
    lab.wait_until_gone(qemu)
    lab.recover()
    verdict = lab.verify(code=3)
    need(verdict["events_done"] > 1000, "only %d events were replayed" % verdict["events_done"])
    again = lab.recover()
    need(again["events_from_memory"] == 0, "something was left in shared memory: %s" % again)


@case("two-at-once")
def two_at_once(lab):
    ps = [lab.start(*lab.record_args("demo", name=name, arg="1", smp=1, start=READY))
          for name in ("a", "b")]
    for p in ps:
        lab.finish(p).need_code(0, "record")
    for name in ("a", "b"):
        lab.verify(name)


@case("durability-block")
def durability_block(lab):
    record_and_verify(lab, "demo", start=READY, options=["--durability", "block"])


# Negative tests: one change, all checksums valid, and the replay must find it, there.

def neighbourhood(verdict, place, what):
    d = verdict.get("divergence")
    need(verdict["verdict"] == "diverged" and d, "%s: %s" % (what, verdict_line(verdict)))
    need(d["vcpu"] == place["vcpu"], "%s on vCPU %d reported as: %s"
         % (what, place["vcpu"], verdict_line(verdict)))
    need(place["tick"] <= d["tick"] <= max(place["until_tick"], place["tick"]) + 1,
         "%s at ticks %d to %d reported as: %s"
         % (what, place["tick"], place["until_tick"], verdict_line(verdict)))


def negative(lab, change, kind):
    record_and_verify(lab, "demo", arg="1", start=READY)
    count = lab.summary()["events_by_kind"].get(kind, 0)
    need(count > 0, "no %s in the recording" % kind)
    for n in sorted({max(1, count // 50), max(1, count // 10)}):
        name = "%s-%d" % (change, n)
        place = lab.mutate(change, n, name)
        neighbourhood(lab.verify(name, code=1), place, "%s %d" % (change, n))
        shutil.rmtree(lab.dir(name))


for change_, kind_ in (("user-read", "user_read"), ("value", "value"), ("icount", "interrupt"),
                       ("drop", "value"), ("swap", "token")):
    @case("negative-" + change_)
    def run_negative(lab, change=change_, kind=kind_):
        negative(lab, change, kind)


@case("negative-snapshot")
def negative_snapshot(lab):
    record_and_verify(lab, "demo", arg="1", start=READY)
    lab.mutate("snapshot", 6, "changed")
    verdict = lab.verify("changed", code=1)
    need(verdict["verdict"] == "diverged", verdict_line(verdict))


# Bad input: one line, exit code 2, nothing lost.

def refused(lab, *words, verbs=("replay", "verify"), name="rec"):
    for verb in verbs:
        lab.skein(verb, lab.dir(name)).need_code(2, verb).need_one_line(*words)


@case("bad-recordings")
def bad_recordings(lab):
    refused(lab, lab.dir(), verbs=("replay", "verify", "info"))
    os.mkdir(lab.dir())
    refused(lab, lab.dir(), verbs=("replay", "verify", "info"))
    os.rmdir(lab.dir())
    record_and_verify(lab, "demo", arg="1", start=READY, smp=1)
    record_and_verify(lab, "demo", arg="1", start="boot", smp=1, memory="256M", name="other")

    segment = os.path.join(lab.dir(), "segments", "000001.skn")
    shutil.copy(segment, segment + ".kept")
    os.truncate(segment, os.path.getsize(segment) // 2)
    refused(lab, "000001.skn")
    shutil.copy(segment + ".kept", segment)
    with open(segment, "r+b") as f:
        f.seek(os.path.getsize(segment) // 2)
        byte = f.read(1)[0]
        f.seek(-1, os.SEEK_CUR)
        f.write(bytes([byte ^ 1]))
    refused(lab, "000001.skn")
    os.rename(segment + ".kept", segment)

    snapshot = os.path.join(lab.dir(), "snapshot.zst")
    os.rename(snapshot, snapshot + ".kept")
    shutil.copy(os.path.join(lab.dir("other"), "snapshot.zst"), snapshot)
    refused(lab, "snapshot")
    os.rename(snapshot + ".kept", snapshot)
    lab.verify()


@case("bad-requests", timeout_s=60)
def bad_requests(lab):
    for extra in (["-icount", "shift=auto"], ["-smp", "2"], ["-object", "iothread,id=t"],
                  ["-netdev", "tap,id=n,vhost=on"], ["-accel", "kvm"],
                  ["-device", "ich9-ahci"], ["-pflash", "flash.img"],
                  ["-device", "nonexistent-device"]):
        result = lab.skein(*lab.record_args("demo", extra=extra))
        result.need_code(2, "record " + " ".join(extra)).need_one_line(extra[0].lstrip("-"))
    result = lab.skein(*lab.record_args("demo", smp=65))
    result.need_code(2, "record --smp 65").need_one_line("65")
    need(not os.path.exists(lab.dir()), "a refused recording left its directory behind")


@case("qemu-without-recorder", timeout_s=60)
def qemu_without_recorder(lab):
    if not lab.paths.stock_qemu:
        raise Skipped("no stock QEMU (SKEIN_STOCK_QEMU)")
    result = lab.skein(*lab.record_args("demo", options=["--qemu", lab.paths.stock_qemu]))
    result.need_code(2, "record").need_one_line("skein-record")


@case("existing-directory", timeout_s=60)
def existing_directory(lab):
    os.mkdir(lab.dir())
    with open(os.path.join(lab.dir(), "precious"), "w", encoding="ascii") as f:
        f.write("data")
    lab.skein(*lab.record_args("demo")).need_code(2, "record").need_one_line(lab.dir())
    need(os.listdir(lab.dir()) == ["precious"], "the directory was touched")


@case("full-disk", "soak", 120)
def full_disk(lab):
    """A small tmpfs: the recording ends, says why, and is readable as far as it goes."""
    mount = os.path.join(lab.tmp, "small")
    os.mkdir(mount)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8M", "tmpfs", mount],
                      capture_output=True, check=False).returncode != 0:
        raise Skipped("no right to mount a tmpfs")
    try:
        result = lab.skein(*lab.record_args("demo", name="small/rec"))
        need(result.code in (2, 3) and "No space left" in result.err,
             "exit code %d: %s" % (result.code, result.err))
    finally:
        subprocess.run(["umount", "-l", mount], check=False)


def add_named(name):
    """A case that is made when it is asked for."""
    if name not in CASES and not cases_random.add_named(case, name):
        cases_stress.add_named(case, name)


def random_case(r):
    name = "random-%d" % r.randint(1000, 10**9 - 1)
    if r.random() < 0.3:
        name = cases_stress.random_name(r)
    add_named(name)
    return name
