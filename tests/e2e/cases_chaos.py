"""Recordings under chaos, and recordings that are to catch a failure."""

import os

from lab import need

READY = "console:SKEIN-READY"
# Workload, its argument, vCPUs, scope, sets.
MATRIX = (("demo", "1", 2, "kernel", "quick soak"), ("demo", "1", 4, "kernel", "quick soak"),
          ("mmapshare", "", 2, "kernel", "quick soak"), ("signals", "", 4, "kernel", "quick soak"),
          ("demo", "1", 1, "kernel", "soak"), ("demo", "1", 2, "system", "soak"),
          ("mixed", "2", 4, "kernel", "soak"), ("iouring", "", 2, "kernel", "soak"),
          ("ptrace", "", 2, "kernel", "soak"), ("cow", "32", 4, "kernel", "soak"),
          ("userfaultfd", "", 2, "kernel", "soak"), ("fpu", "", 4, "kernel", "soak"))


def record_and_verify(lab, workload, seed, **kw):
    result = lab.record(workload, options=["--chaos", str(seed)], **kw)
    verdict = lab.verify()
    need(verdict["events_done"] == verdict["events_total"],
         "%d of %d events were replayed" % (verdict["events_done"], verdict["events_total"]))
    return result


def from_boot(lab):
    """Firmware, the start of the second vCPU, and the kernel's own start."""
    record_and_verify(lab, "demo", 3, arg="1", start="boot")


def hands_over_more(lab):
    """As often as a quiet guest would never do by itself."""
    lab.record("user", arg="1", name="plain", start=READY)
    lab.record("user", arg="1", name="chaos", start=READY, options=["--chaos", "1"])
    # Each exit to user mode has a mark, too, and a guest that takes longer has more timer ticks.
    kinds = [lab.summary(name)["events_by_kind"] for name in ("plain", "chaos")]
    plain, chaos = (k["mark"] - k["entry"] for k in kinds)
    need(chaos > plain + 200, "%d marks with chaos, %d without" % (chaos, plain))


def until_panic(lab):
    result = lab.record("panic", done=False, start=READY, append="skein.delay=1",
                        options=["--until", "panic"])
    need("found in run 1 of 1" in result.err, result.err)
    need(lab.summary()["recording"]["end"] in ("reset", "panic"), "it did not end by the panic")
    lab.verify()
    with open(os.path.join(lab.dir(), "console.log"), encoding="ascii", errors="replace") as f:
        need("Kernel panic - not syncing" in f.read(), "the panic is not in the recording")


def until_exit(lab):
    """A workload that does not exist fails with 2."""
    args = lab.record_args("nonesuch", start=READY, append="skein.delay=1",
                           options=["--until", "exit:2"])
    lab.skein(*args).need_code(0, "record")
    need(lab.summary()["what"] == "the workload ended with 2", lab.summary()["what"])
    lab.verify()


def until_console(lab):
    """The guest would go on for ever: the recording ends soon after the text."""
    lab.record("forever", done=False, start=READY, options=[
        "--until", "console:ok demo round 1", "--timeout", "100"])
    need(lab.summary()["recording"]["end"] == "stopped", "it was not stopped")
    lab.verify()


def until_never(lab):
    result = lab.record("user", arg="1", code=4, start=READY, options=[
        "--until", "exit:9", "--repeat", "2", "--chaos", "4"])
    need(result.err.count(" not found\n") == 2, result.err)
    need([r["found"] for r in lab.summary()["runs"]] == [False, False], "another number of runs")
    need(not os.path.exists(lab.dir()), "something was kept")


def add_cases(case):
    for i, (workload, arg, smp, scope, sets) in enumerate(MATRIX):
        @case("chaos-%s-%dcpu%s" % (workload, smp, "" if scope == "kernel" else "-system"), sets,
              400)
        def run(lab, workload=workload, arg=arg, smp=smp, scope=scope, seed=i + 1):
            record_and_verify(lab, workload, seed, arg=arg, smp=smp, scope=scope, start=READY)
    case("chaos-from-boot", timeout_s=400)(from_boot)
    case("chaos-hands-over-more", timeout_s=400)(hands_over_more)
    case("until-panic")(until_panic)
    case("until-exit")(until_exit)
    case("until-console")(until_console)
    case("until-never", timeout_s=400)(until_never)
