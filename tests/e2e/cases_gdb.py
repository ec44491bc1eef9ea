"""gdb on a replay: a session for each command, on one recording of a guest with four vCPUs."""

import json
import re

from gdb_session import session
from lab import need

LINKED_TEXT = 0xffffffff81000000
JIFFIES = "*(unsigned long *)&jiffies_64"


def same(said, a, b):
    need(said.get(a) is not None and said[a] == said.get(b),
         "%s and %s differ: %s, %s" % (a, b, said.get(a), said.get(b)))


def has(said, name, *words):
    for word in words:
        need(word in said.get(name, ""), "%r is not in %s: %s" % (word, name, said.get(name)))


def breakpoints(lab):
    said, _ = session(lab, """
say("threads", run("info threads"))
run("break ksys_write")
for name in "one", "two":
    run("continue")
    say(name, run("info symbol $rip"))
    say(name + "_at", place())
run("delete")
run("hbreak do_syscall_64")
show("hard", "continue")
say("code", run("x/2i $rip"))
say("stack", run("x/4gx $rsp"))
say("where", run("monitor skein where"))
""")
    for vcpu in range(4):
        has(said, "threads", "vCPU %d" % vcpu)
    has(said, "threads", "[in the kernel, next]")
    has(said, "one", "ksys_write in section")
    has(said, "two", "ksys_write in section")
    need(int(said["two_at"]) > int(said["one_at"]), "the second stop is not later")
    has(said, "hard", "hit", "do_syscall_64")
    has(said, "code", "=>")
    has(said, "where", "vCPU 3", "slice ", "checkpoints: ", "next event")


def steps(lab):
    """Backwards comes by where forwards went: at each icount the same registers."""
    said, _ = session(lab, """
vcpu = int(run("monitor skein goto slice 40").split("next is vCPU ")[1].split(":")[0])
run("thread %d" % (vcpu + 1))
def state():
    own = run("monitor skein where").split("vCPU %d " % vcpu)[1].split("icount ")[1]
    return int(own.split(",")[0]), run("info registers")
def walk(command, until):
    seen = {}
    while True:
        icount, registers = state()
        if icount not in seen or command == "stepi":
            seen[icount] = registers
        if until(icount):
            return seen
        run(command)
first = state()[0]
forward = walk("stepi", lambda n: n >= first + 400)
backward = walk("reverse-stepi", lambda n: n <= first)
def differences(n):
    pairs = zip(forward.get(n, "").splitlines(), backward[n].splitlines())
    return [(n, there, back) for there, back in pairs if there != back]
say("different", [one for n in backward if forward.get(n) != backward[n]
                  for one in differences(n) or [(n, "", "all")]])
say("steps", len(backward))
say("there", len(forward))
""")
    need(said["different"] == "[]", "other registers on the way back: %s" % said["different"])
    need(said["steps"] == said["there"] == "401",
         "%s steps there, %s back" % (said["there"], said["steps"]))


def watch(lab):
    """A word's writes, and reads, in both directions: the same values at the same places."""
    said, _ = session(lab, """
run("watch %(w)s")
stops = []
for i in range(4):
    run("continue")
    stops.append((value("%(w)s"), here()))
say("writes", run("info symbol $rip"))
old = []
for i in range(3):
    show("back%%d" %% i, "reverse-continue")
    old.append(value("%(w)s"))
say("forward_values", [v for v, _ in stops[2::-1]])
say("backward_values", old)
again = []
for i in range(3):
    run("continue")
    again.append((value("%(w)s"), here()))
say("stops", stops[1:])
say("stops_again", again)
run("delete")
run("rwatch %(w)s")
show("read", "continue")
at = place()
show("read_back", "reverse-continue")
run("delete")
run("awatch %(w)s")
show("access", "continue")
""" % {"w": JIFFIES})
    same(said, "forward_values", "backward_values")
    same(said, "stops", "stops_again")
    has(said, "back0", "Old value", "New value")
    has(said, "writes", "jiffies")
    has(said, "read", "read watchpoint", "Value = ")
    has(said, "access", "access (read/write) watchpoint")


def ends(lab):
    said, result = session(lab, """
say("first", here())
show("before", "reverse-stepi")
show("end", "continue")
say("where", run("monitor skein where"))
say("last", here())
show("still", "stepi")
run("reverse-stepi")
say("one_back", place() < int(here().split(":")[2]) + 1)
show("begin", "reverse-continue")
say("first_again", here())
show("end_again", "continue")
say("last_again", here())
say("where_again", run("monitor skein where"))
""")
    for name in "before", "end", "still", "begin", "end_again":
        has(said, name, "No more reverse-execution history")
    has(said, "where", "the replay is the same")
    has(said, "where_again", "the replay is the same")
    same(said, "first", "first_again")
    same(said, "last", "last_again")
    with open(lab.dir("gdb.json"), encoding="utf-8") as f:
        need(json.load(f)["verdict"] == "same", "not the same: %s" % result.err)


def last_write(lab):
    """From the end to the last write of a word, and forward again to the same stop."""
    said, _ = session(lab, """
run("watch %(w)s")
for i in range(5):
    run("continue")
say("forward", here())
run("delete")
run("stepi 500")
run("watch %(w)s")
show("back", "reverse-continue")
say("before", place())
run("continue")
say("again", here())
run("delete")
run("break tick_do_update_jiffies64")
show("callee", "reverse-continue")
say("culprit", run("info symbol $rip"))
""" % {"w": JIFFIES})
    same(said, "forward", "again")
    has(said, "back", "Old value", "New value")
    need(int(said["before"]) + 1 == int(said["again"].split(":")[2]), "not at the write")
    has(said, "callee", "Breakpoint")
    has(said, "culprit", "tick_do_update_jiffies64 in section")


def reverse_step(lab):
    """gdb makes these of single steps and breakpoints."""
    said, _ = session(lab, """
run("break ksys_write")
run("continue")
run("delete")
at = place()
run("reverse-step")
say("caller", run("info symbol $rip"))
say("earlier", place() < at)
run("reverse-finish")
say("its_caller", run("info symbol $rip"))
run("stepi")
say("callee", run("info symbol $rip"))
run("reverse-next")
say("next", place() < at)
""")
    has(said, "caller", "x64_sys_write")
    has(said, "earlier", "True")
    has(said, "next", "True")
    need(said["its_caller"] != said["caller"], "reverse-finish stays in %s" % said["caller"])


def goto(lab):
    said, _ = session(lab, """
def go(where):
    answer = run("monitor skein goto " + where)
    run("thread " + answer.split("thread ")[1].split()[0])
    return answer
say("slice", go("slice 300"))
first = here()
say("icount", go("icount 400000"))
say("icount_place", place())
say("own", go("icount 2:100000"))
say("tick", go("tick 1:500"))
say("back", go("slice 300"))
say("a", first)
say("b", here())
say("nowhere", run("monitor skein goto icount 99999999999"))
say("bad", run("monitor skein goto sideways"))
""")
    has(said, "slice", "slice 300,")
    has(said, "own", "vCPU 2 (in the kernel, next): icount 100000,")
    has(said, "tick", "tick 500,")
    has(said, "nowhere", "does not get there", "the replay is the same")
    has(said, "bad", "goto slice N")
    need(said["icount_place"] == "400000", "icount %s" % said["icount_place"])
    same(said, "a", "b")


def late_breakpoint(lab):
    """Set when the replay has been by once: no jump made then goes past it."""
    said, _ = session(lab, """
def stops():
    run("break scheduler_tick")
    found = []
    for i in range(20):
        run("continue")
        found.append((run("info symbol $rip"), here()))
    run("delete")
    return found
say("first", stops())
show("end", "continue")
show("begin", "reverse-continue")
say("again", stops())
""")
    has(said, "first", "scheduler_tick in section")
    has(said, "end", "No more reverse-execution history")
    same(said, "first", "again")


def interrupt(lab):
    """Ctrl-C somewhere; from there to the end, and back to the same place."""
    said, _ = session(lab, """
import os, signal, threading
def stopped_after(seconds):
    timer = threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    try:
        gdb.execute("continue")
    except (KeyboardInterrupt, gdb.error):
        pass # it came before there was anything to stop
    timer.cancel()
    return 0 < place() < end
run("continue")
end = place()
# Neither at the beginning nor at the end, however fast the host is.
for tries in range(8):
    run("monitor skein goto icount 0")
    stopped = stopped_after(1 / 2 ** tries)
    if stopped:
        break
say("stopped", stopped)
target = place()
show("end", "continue")
run("monitor skein goto icount %d" % target)
say("again", place() == target)
""")
    has(said, "stopped", "True")
    has(said, "again", "True")


def diverged(lab):
    """It stops where the replay differs, says what differs, and one can go back from there."""
    lab.record("user", arg="1", start="console:SKEIN-READY")
    lab.mutate("value", 400, "changed")
    said, result = session(lab, """
show("stop", "continue")
say("where", run("monitor skein where"))
end = place()
run("reverse-stepi")
say("back", place() < end)
""", code=1, recording=lab.dir("changed"))
    has(said, "where", "the replay differs here", "digest")
    has(said, "back", "True")
    need("diverged" in result.out + result.err, "skein does not say so: %s" % result.err)


def vmlinux(lab):
    """A file with the kernel's symbols where it is linked: KASLR has put the guest's elsewhere."""
    lab.record("user", arg="1", name="linked", start="console:SKEIN-READY", append="nokaslr")
    elf = lab.dir("vmlinux")
    lab.skein("symbols", "-o", elf, lab.dir("linked")).need_code(0, "symbols")
    said, _ = session(lab, """
say("offset", run("skein-symbols"))
say("text", run("info address _stext"))
run("break ksys_write")
run("continue")
say("stop", run("info symbol $rip"))
""", options=["--vmlinux", elf])
    offset = re.search("KASLR offset 0x([0-9a-f]+)", said["offset"])
    need(offset and int(offset[1], 16) != 0, "no offset is printed: %s" % said["offset"])
    has(said, "text", "%#x" % (LINKED_TEXT + int(offset[1], 16)))
    has(said, "stop", "ksys_write")


def refused(lab):
    """Nothing that gdb does changes the replay."""
    said, _ = session(lab, """
def refusal(command):
    try:
        run(command)
        return "done"
    except gdb.error as e:
        return str(e)
run("break ksys_write")
run("continue")
say("register", refusal("set $rax = 5"))
say("pc", refusal("jump *0xffffffff81000000"))
old = value("*(unsigned long *)$rsp")
say("memory", refusal("set var *(unsigned long *)$rsp = 1"))
say("kept", value("*(unsigned long *)$rsp") == old)
run("delete")
run("continue")
say("where", run("monitor skein where"))
""")
    for name in "register", "pc", "memory":
        need(said[name] != "done", "%s was written" % name)
    has(said, "register", "a replay cannot be changed")
    has(said, "kept", "True")
    has(said, "where", "the replay is the same")


def add_cases(case):
    for run in (breakpoints, steps, watch, ends, last_write, reverse_step, goto,
                late_breakpoint, interrupt, diverged, vmlinux, refused):
        case("gdb-" + run.__name__.replace("_", "-"))(run)
