"""Checkpoints: taken while recording and while replaying, begun at, damaged, and their maker killed."""

import json
import os
import re
import signal
import time

from lab import last_lines, need, no_failure_in, verdict_line

READY = "console:SKEIN-READY"


def checkpoints(lab, name="rec"):
    result = lab.skein("info", "--json", lab.dir(name)).need_code(0, "info")
    return json.loads(result.out)["checkpoints"]


def replay_from(lab, where, code=0, name="rec"):
    """Replays from there; it must be the same, as far as the recording goes."""
    result = lab.skein("replay", "-q", "--json", "--from", str(where), lab.dir(name))
    verdict = json.loads(result.out) if result.out else {}
    need(result.code == code, "replay --from %s: exit code %d instead of %d: %s %s"
         % (where, result.code, code, verdict_line(verdict), last_lines(result.err)))
    return verdict


def replay_from_some(lab, found, code=0, name="rec"):
    """From the first, the last and one between: each has fewer events to come."""
    left = None
    for c in [found[i] for i in sorted({0, len(found) // 2, len(found) - 1})]:
        verdict = replay_from(lab, c["number"], code, name)
        need(left is None or verdict["events_done"] <= left,
             "from checkpoint %d there are more events than before" % c["number"])
        left = verdict["events_done"]


def whole(found):
    bad = [c for c in found if not c["ok"]]
    need(not bad, "checkpoint %s" % bad[:1])
    need(all(a["icount"] <= b["icount"] for a, b in zip(found, found[1:])), "they run backwards")
    return found


def record_with_epochs(lab, smp):
    record_epochs(lab, "0.5", 2, smp=smp)
    found = whole(checkpoints(lab))
    need(not [n for n in os.listdir("/dev/shm") if ".checkpoint." in n and "-%d-" % lab.processes[0].pid
              in n], "a raw checkpoint is left in /dev/shm")
    replay_from_some(lab, found)
    last = found[-1]
    verdict = replay_from(lab, "icount=%d" % last["icount"])
    need(verdict["events_done"] < lab.summary()["events"], "it began at the start")
    verdict = lab.verify()
    need(verdict["events_done"] == verdict["events_total"], "verify: not all events")


def add_in_replay(lab):
    lab.record("demo", arg="2", start=READY)
    lab.skein("replay", "-q", "--epoch", "0.2", lab.dir()).need_code(0, "replay --epoch")
    found = whole(checkpoints(lab))
    need(found, "no checkpoint was taken")
    lab.skein("replay", "-q", "--epoch", "0.2", lab.dir()).need_code(2, "once more").need_one_line(
        "--from %d" % found[-1]["number"])
    replay_from_some(lab, found)


def flip(path):
    with open(path, "r+b") as f:
        f.seek(os.path.getsize(path) // 2)
        byte = f.read(1)[0]
        f.seek(-1, os.SEEK_CUR)
        f.write(bytes([byte ^ 1]))


def wait_for_checkpoints(lab, p, count):
    """Until there are so many, however fast the host is; the folder."""
    folder = lab.dir() + "/checkpoints"

    def enough():
        names = os.listdir(folder) if os.path.isdir(folder) else []
        return sum(bool(re.fullmatch(r"\d+\.skc", n)) for n in names) >= count

    lab.wait_until(p, enough, "that there are %d checkpoints" % count, 0.02)
    return folder


def start_with_epochs(lab, seconds, count, workload="forever", **kw):
    """Returns when there are that many checkpoints."""
    p = lab.start(*lab.record_args(workload, start=READY, options=["--epoch", seconds], **kw))
    lab.wait_for(p, "SKEIN-READY")
    return p, wait_for_checkpoints(lab, p, count)


def record_epochs(lab, seconds, count, **kw):
    """The demo, until there are so many checkpoints."""
    p, _ = start_with_epochs(lab, seconds, count, workload="demo", arg="1000", **kw)
    p.send_signal(signal.SIGINT)
    no_failure_in(lab.finish(p).need_code(0, "record").out)


def nothing_happens(lab):
    """vCPUs that sleep for several checkpoints, and those in which nothing has changed."""
    p, _ = start_with_epochs(lab, "0.1", 12, smp=4, append="skein.delay=600")
    p.send_signal(signal.SIGINT)
    lab.finish(p).need_code(0, "record")
    found = whole(checkpoints(lab))
    need([c for c in found if c["pages"] == 0], "something changed in every epoch")
    lab.verify()
    for c in found:
        replay_from(lab, c["number"])


def any_registers(lab):
    """Whatever user mode has in its registers, a checkpoint can be loaded."""
    p, _ = start_with_epochs(lab, "0.1", 9, workload="fpu", arg="1000000000")
    p.send_signal(signal.SIGINT)
    said = lab.finish(p).need_code(0, "record").out
    no_failure_in(said)
    need("SKEIN-DONE" not in said, "the guest ended before it was stopped")
    whole(checkpoints(lab))
    lab.verify()


def kill_the_maker(lab):
    p, folder = start_with_epochs(lab, "0.3", 3)
    qemu = lab.qemu_of(p)
    p.send_signal(signal.SIGKILL)
    lab.finish(p)
    lab.wait_until_gone(qemu)
    recovered = lab.recover()
    code = 0 if recovered["complete"] else 3  # whether QEMU had the time to end it well
    need(recovered["checkpoints_kept"] >= 3, "%d were kept" % recovered["checkpoints_kept"])
    need(not [n for n in os.listdir(folder) if n.endswith(".partial")], "half a one is left")
    found = whole(checkpoints(lab))
    need(len(found) == recovered["checkpoints_kept"], "there are %d" % len(found))
    replay_from_some(lab, found, code)
    flip(folder + "/000002.skc")
    result = lab.skein("replay", "-q", "--from", "3", lab.dir()).need_code(2, "from a damaged one")
    result.need_one_line("000002.skc is damaged", "checkpoint 1 can be used")
    replay_from(lab, 1, code)


def add_cases(case):
    for smp in (2, 4):
        @case("checkpoints-%dcpu" % smp, "quick soak", 400)
        def run(lab, smp=smp):
            record_with_epochs(lab, smp)
    case("checkpoints-idle", "quick soak", 400)(nothing_happens)
    case("checkpoints-fpu", "quick soak", 400)(any_registers)
    case("checkpoints-in-replay", "quick soak", 400)(add_in_replay)
    case("checkpoints-kill", "quick soak", 400)(kill_the_maker)
