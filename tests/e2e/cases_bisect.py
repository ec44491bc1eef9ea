"""skein bisect against seeded corruptions, of which the wrong instruction is known; replay --log."""

import itertools
import json

from lab import need

READY = "console:SKEIN-READY"

SEEDS = 50
QUICK_SEEDS = (3, 7, 18)
MOVED_SEEDS = 20


def log(lab, name, vcpu, start, end):
    """The lines of a trace, as objects."""
    result = lab.skein("replay", "--json", "--log",
                       "cpu=%d,start=%d,end=%d" % (vcpu, start, end), lab.dir(name))
    need(result.code in (0, 3), "replay --log: exit code %d: %s" % (result.code, result.err[:200]))
    return [json.loads(line) for line in result.out.splitlines()]


def truth(lab, name, place):
    """(vCPU, icount, PC) of the instruction that meets the event, from the good recording."""
    low = max(place["low_icount"] - 1, 0)
    high = max(place["high_icount"], place["moved_to"]) + 64
    lines = log(lab, name, place["vcpu"], low, high)
    found = [x["icount"] for x in lines
             if x["type"] == "event" and x["event"]["tick"] == place["tick"]
             and x["event"]["shard"] == place["vcpu"]]
    need(found, "the event is not in the trace of the good recording")
    icount = min(found[0], place["moved_to"] or found[0])
    pc = [x["pc"] for x in lines if x["type"] == "insn" and x["icount"] >= icount]
    return place["vcpu"], icount, int(pc[0], 16) if pc else 0


def check_seed(lab, seed, name="rec"):
    """Whether bisect names the instruction; and what both say."""
    place = lab.mutate("seed", seed, "bad")
    right = truth(lab, name, place)
    result = lab.skein("bisect", "--json", lab.dir("bad"))
    need(result.out, "bisect: %s" % result.err[:300])
    answer = json.loads(result.out)
    said = tuple(answer.get(key) for key in ("vcpu", "icount", "pc"))
    lab.remove("bad")
    return said == right and result.code == 1, place, right, said, answer


def record(lab):
    lab.record("signals", start=READY, arg="1").need_code(0, "record")


def check_seeds(lab, seeds):
    wrong = []
    for seed in seeds:
        exact, place, right, said, answer = check_seed(lab, seed)
        if not exact:
            wrong.append("seed %d (%s, %s): %s is right, %s (%s) was said"
                         % (seed, place["kind"], place["what"], right, said, answer["outcome"]))
    need(not wrong, "; ".join(wrong))


def bisect(lab):
    record(lab)
    check_seeds(lab, QUICK_SEEDS)


def bisect_50(lab):
    record(lab)
    check_seeds(lab, range(1, SEEDS + 1))


def moves_token(lab, seed):
    place = lab.mutate("seed", seed, "bad")
    lab.remove("bad")
    return place["kind"] == "token" and place["moved_to"] != 0


def bisect_moved(lab):
    """Hand-offs in a wrong place: many of them change nothing but their own digest."""
    record(lab)
    moved = (seed for seed in itertools.count(SEEDS + 1) if moves_token(lab, seed))
    check_seeds(lab, itertools.islice(moved, MOVED_SEEDS))


def bisect_reference(lab):
    record(lab)
    result = lab.skein("bisect", "--json", lab.dir()).need_code(0, "bisect of a good recording")
    need(json.loads(result.out)["outcome"] == "same", result.out[:200])
    place = lab.mutate("value", 40, "bad")
    right = truth(lab, "rec", place)
    result = lab.skein("bisect", "--json", "--reference", lab.dir(), lab.dir("bad"))
    answer = json.loads(result.need_code(1, "bisect --reference").out)
    said = tuple(answer.get(key) for key in ("vcpu", "icount", "pc"))
    need(said == right, "%s is right, %s was said" % (right, said))


def replay_log(lab):
    record(lab)
    lines = log(lab, "rec", 1, 1000, 3000)
    insns = [x for x in lines if x["type"] == "insn"]
    need([x["icount"] for x in insns] == list(range(1000, 3000)), "instructions are missing")
    registers = dict(lines[0]["registers"])
    for x in lines[1:]:
        if x["type"] == "change":
            registers.update(x["registers"])
        if x["type"] == "insn" and x["icount"] >= 2000:
            break
        if x["type"] == "insn":
            registers.update(x["registers"])
    again = log(lab, "rec", 1, 2000, 2001)[0]["registers"]
    differ = [r for r in again if r != "rip" and again[r] != registers[r]]
    need(not differ, "a trace from elsewhere has other registers: %s" % differ)


def add_cases(case):
    case("bisect", timeout_s=1200)(bisect)
    case("bisect-50", "soak", 7200)(bisect_50)
    case("bisect-moved", "soak", 3600)(bisect_moved)
    case("bisect-same-and-reference", "soak")(bisect_reference)
    case("replay-log")(replay_log)
