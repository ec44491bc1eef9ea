"""Recordings of VMs that run already: rr_record in QEMU's monitors, skein record --attach."""

import contextlib
import glob
import json
import os
import signal
import subprocess

from cases_checkpoints import wait_for_checkpoints
from lab import Failed, Skipped, need
from monitors import Vm, session_of, wait_until_stuck


def need_words(text, *words):
    for word in words:
        need(word in text, "%r is not in %r" % (word, text))


def nothing_left(lab, *names):
    """In memory, of these recordings."""
    for name in names:
        uuid = json.loads(lab.skein("info", "--json", lab.dir(name)).out)["uuid"]
        while glob.glob("/dev/shm/skein-%s-*" % uuid):
            lab.left_s()


def by_monitor(lab, vm, name, work=True):
    need_words(vm.tell("rr_record " + name), "recording into " + lab.dir(name))
    if work:
        vm.runs()
    need_words(vm.tell("rr_end_record"), lab.dir(name) + ": ", " events, ", " slices, ")


def wait_until_no_more(vm, files):
    """QEMU's main loop closes what it had, a moment after it has answered."""
    while (holds := vm.holdings())[0] > files or holds[1]:
        try:
            vm.wait()
        except Failed as late:
            raise Failed("QEMU holds %s, before it were %d files" % (holds, files)) from late


def three_in_a_row(lab):
    with Vm(lab) as vm:
        vm.wait_for("SKEIN-READY")
        need_words(vm.tell("rr_end_record"), "nothing is being recorded")
        by_monitor(lab, vm, "one")
        need(vm.ended()["complete"], "the event says that it is not complete")

        need(vm.ask("rr-record", name="two") == {"path": lab.dir("two")}, "rr-record")
        need_words(vm.ask("rr-record", name="two-b"), "under way")
        need_words(vm.tell("rr_record two-b"), "under way")
        vm.runs()
        end = vm.ask("rr-end-record")
        need(end["complete"] and end["path"] == lab.dir("two") and end["events"] > 0,
             "rr-end-record: %s" % end)
        need(vm.ended() == end, "the event differs from the answer")
        need_words(vm.ask("rr-end-record"), "nothing is being recorded")
        need_words(vm.tell("rr_record one"), "one exists already")
        need_words(vm.ask("rr-record", name="no/where"), "no/where")

        files, _ = vm.holdings()
        p = lab.start("record", "--attach", vm.files["qmp"], "-o", lab.dir("three"))
        lab.wait_for(p, "ok demo")
        need_words(vm.tell("rr_record four"), "under way")
        need_words(vm.tell("rr_end_record"), "begun by skein record")
        p.send_signal(signal.SIGINT)
        lab.finish(p).need_code(0, "record --attach")
        wait_until_no_more(vm, files)
        by_monitor(lab, vm, "four", work=False)
        vm.runs()
        wait_until_no_more(vm, files)
    for name in "one", "two", "three", "four":
        lab.verify(name)
        nothing_left(lab, name)


def attach_ends(lab):
    """--attach ends by a text, by time, when the guest is reset; and it refuses."""
    with Vm(lab) as vm:
        vm.wait_for("SKEIN-READY")
        attach = ["record", "--attach", vm.files["qmp"], "-o"]
        lab.skein(*attach, lab.dir("text"), "--stop", "console:ok demo").need_code(0, "--stop")
        lab.skein(*attach, lab.dir("time"), "--timeout", "1").need_code(0, "--timeout")
        lab.skein(*attach, lab.dir("time")).need_code(2, "a name that exists")
        for words in (["--kernel", lab.paths.kernel], ["--start", "console:x"], ["--repeat", "2"]):
            lab.skein(*attach, lab.dir("no"), *words).need_code(2, "--attach").need_one_line()
        p = lab.start(*attach, lab.dir("reset"))
        lab.wait_for(p, "ok demo")
        vm.tell("system_reset")
        lab.finish(p).need_code(0, "record until the reset")
        need(not os.path.exists(lab.dir("no")), "a recording is left")
    lab.skein("record", "--attach", vm.files["qmp"], "-o",
              lab.dir("no")).need_code(2, "no VM").need_one_line(vm.files["qmp"])
    for name in "text", "time", "reset":
        lab.verify(name)


def attach_options(lab):
    """Checkpoints and chaos in a VM that runs already."""
    with Vm(lab) as vm:
        vm.wait_for("SKEIN-READY")
        p = lab.start("record", "--attach", vm.files["qmp"], "-o", lab.dir(), "--epoch", "0.5",
                      "--chaos", "3")
        wait_for_checkpoints(lab, p, 3)
        p.send_signal(signal.SIGINT)
        lab.finish(p).need_code(0, "record --attach --epoch --chaos")
        vm.runs()
    result = lab.skein("verify", "--json", "-j", "2", lab.dir()).need_code(0, "verify")
    epochs = len(json.loads(result.out)[0]["epochs"])
    need(epochs >= 4, "%d epochs with 3 checkpoints" % epochs)
    seed = json.loads(lab.skein("info", "--json", lab.dir()).out).get("chaos")
    need(seed == 3, "the recording says chaos %s" % seed)


def two_vms(lab):
    with Vm(lab, "a") as a, Vm(lab, "b", smp=1) as b:
        for vm in a, b:
            vm.wait_for("SKEIN-READY")
        for vm, name in ((a, "one"), (b, "two")):
            need_words(vm.tell("rr_record " + name), "recording into")
        for vm in a, b:
            vm.runs()
        for vm in a, b:
            need_words(vm.tell("rr_end_record"), " events, ")
    for name in "one", "two":
        lab.verify(name)


def collector_killed(lab):
    with Vm(lab) as vm:
        vm.wait_for("SKEIN-READY")
        vm.tell("rr_record room")
        vm.runs()
        os.kill(vm.collector("room"), signal.SIGKILL)
        need_words(vm.ended()["reason"], "skein recover")
        need_words(vm.tell("rr_end_record"), "nothing is being recorded")
        vm.runs()

        vm.tell("rr_record full")
        pid = vm.collector("full")
        session = session_of(pid)
        os.kill(pid, signal.SIGSTOP)
        wait_until_stuck(vm, session)
        os.kill(pid, signal.SIGKILL)
        need(not vm.ended()["complete"], "it is complete")
        vm.runs()
        by_monitor(lab, vm, "after")
        vm.runs()

        # What is there can be recovered while the VM runs.
        lab.recover("room")
        result = lab.skein("recover", lab.dir("full"))
        need(result.code in (0, 3), "recover: %d: %s" % (result.code, result.err))
    lab.verify("room")
    verdict = lab.verify("full", code=3)
    need(verdict["events_done"] > 0, "nothing of it was replayed")
    lab.verify("after")
    nothing_left(lab, "room", "full", "after")


def attach_killed(lab):
    """The VM goes on when skein record --attach is killed, and the next recording is as good."""
    with Vm(lab) as vm:
        vm.wait_for("SKEIN-READY")
        p = lab.start("record", "--attach", vm.files["qmp"], "-o", lab.dir())
        lab.wait_for(p, "ok demo")
        p.kill()
        p.wait()
        vm.runs()
        while vm.ask("query-skein")["recording"]:
            vm.wait()
        by_monitor(lab, vm, "after", work=False)
        lab.recover()
    lab.verify()
    lab.verify("after")


def disk_full(lab):
    if os.geteuid() != 0:
        raise Skipped("only root can mount a small disk")
    small = lab.dir("small")
    os.mkdir(small)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", small], check=True)
    try:
        with Vm(lab) as vm:
            vm.wait_for("SKEIN-READY")
            need_words(vm.tell("rr_record small/rec"), "recording into")
            end = vm.ended()
            need(not end["complete"] and "No space" in end["reason"], "it ended with %s" % end)
            vm.runs()
            by_monitor(lab, vm, "after", work=False)
        lab.verify("after")
        subprocess.run(["mount", "-o", "remount,size=512m", small], check=True)
        # The VM may have been slow enough for all of it to fit into memory; but not the console.
        recovered = lab.skein("recover", small + "/rec")
        complete = json.loads(lab.skein("info", "--json", small + "/rec").out)["complete"]
        need(recovered.code == 0 if complete else "console.log" in recovered.out + recovered.err,
             "recover: %s" % recovered.err)
        lab.verify("small/rec", code=0 if complete else 3)
    finally:
        subprocess.run(["umount", small], check=True)


def unsuitable(lab):
    with Vm(lab, args=["-machine", "pc", "-accel", "tcg,thread=single", "-cpu", "max", "-m", "256",
                       "-L", "/usr/share/qemu", "-L", "/usr/share/seabios", "-display", "none",
                       "-nic", "none", "-smp", "2,sockets=2", "-object", "iothread,id=t"]) as vm:
        hints = ["-accel tcg,thread=multi", "smm=off", "vmport=off", "-svm", "vapic=off",
                 "-vga none", "no iothreads", "-smp with", "skein record --print-args"]
        need_words(vm.tell("rr_record no"), *hints)
        need_words(vm.ask("rr-record", name="no"), *hints)
        need_words(vm.ask("query-skein")["unsuitable"], *hints)
        result = lab.skein("record", "--attach", vm.files["qmp"], "-o", lab.dir("no"))
        result.need_code(2, "record --attach").need_one_line(*hints)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(lab.dir("no"))
        need(False, "a folder was made")


def add_cases(case):
    case("session-three")(three_in_a_row)
    case("session-attach")(attach_ends)
    case("session-attach-options")(attach_options)
    case("session-two-vms")(two_vms)
    case("session-killed", timeout_s=400)(collector_killed)
    case("session-attach-killed")(attach_killed)
    case("session-disk-full")(disk_full)
    case("session-unsuitable")(unsuitable)
