"""skein verify -j of recordings with checkpoints: epoch by epoch, and what can be wrong with one."""

import glob
import json
import os
import shutil
import signal
import time
import xml.etree.ElementTree

from cases_checkpoints import record_epochs
from lab import children, last_lines, need


def verify(lab, name, code, *args):
    result = lab.skein("verify", "-j", "2", "--json", *args, lab.dir(name))
    need(result.code == code, "verify %s: exit code %d instead of %d: %s"
         % (name, result.code, code, last_lines(result.err) or result.out[-400:]))
    return json.loads(result.out)[0]


def verdicts(recording):
    return [case["verdict"] for case in recording["epochs"]]


def copy(lab, name):
    shutil.copytree(lab.dir(), lab.dir(name))
    return lab.dir(name)


def all_the_same(lab):
    """Also what the epochs hold together is what the recording holds."""
    junit = os.path.join(lab.tmp, "junit.xml")
    good = verify(lab, "rec", 0, "--junit", junit)
    count = len(good["epochs"])
    need(count >= 3, "only %d epochs" % count)
    need(verdicts(good) == count * ["same"], "epochs: %s" % verdicts(good))
    need(good["events_done"] == good["events_total"],
         "%d of %d events" % (good["events_done"], good["events_total"]))
    shutil.rmtree(os.path.join(copy(lab, "plain"), "checkpoints"))
    plain = lab.verify("plain")
    for what in "events_done", "slices_done", "console_bytes_done":
        need(plain[what] == good[what],
             "%s: %d in epochs, %d in one" % (what, good[what], plain[what]))
    suite = xml.etree.ElementTree.parse(junit).getroot().find("testsuite")
    need(len(suite.findall("testcase")) == count, "JUnit has %d cases" % len(suite))
    return count


def a_changed_event(lab):
    """In one epoch, and all others are as they were."""
    place = lab.mutate("value", 400, "changed")
    if not os.path.exists(os.path.join(lab.dir("changed"), "checkpoints")):
        shutil.copytree(os.path.join(lab.dir(), "checkpoints"),
                        os.path.join(lab.dir("changed"), "checkpoints"))
    bad = verify(lab, "changed", 1)
    need(sorted(set(verdicts(bad))) == ["diverged", "same"] and verdicts(bad).count("diverged") == 1,
         "a changed event: %s" % verdicts(bad))
    epoch = verdicts(bad).index("diverged") + 1
    need(bad["first_diverged_epoch"] == epoch, "first: %s" % bad["first_diverged_epoch"])
    found = bad["divergence"]
    if found["vcpu"] == place["vcpu"] and place["until_tick"] != 0:
        need(place["tick"] <= found["tick"] <= place["until_tick"],
             "tick %d was changed, found at %d" % (place["tick"], found["tick"]))


def a_damaged_checkpoint(lab, count):
    path = sorted(glob.glob(os.path.join(copy(lab, "damaged"), "checkpoints/*")))[1]
    with open(path, "r+b") as f:
        f.seek(os.path.getsize(path) // 2)
        byte = f.read(1)[0]
        f.seek(os.path.getsize(path) // 2)
        f.write(bytes([byte ^ 1]))
    bad = verify(lab, "damaged", 2)
    need(verdicts(bad)[0] == "same", "before a damaged checkpoint: %s" % verdicts(bad))
    need("unreadable" in verdicts(bad) and "diverged" not in verdicts(bad)
         and "crashed" not in verdicts(bad), "a damaged checkpoint: %s" % verdicts(bad))
    need(os.path.basename(path) in json.dumps(bad) and count >= len(bad["epochs"]) - 1,
         "the damaged checkpoint is not named: %s" % bad["message"])


def a_killed_qemu(lab, count):
    """Costs its epoch; --resume does that again, and no other."""
    results = os.path.join(lab.tmp, "results")
    p = lab.start("verify", "--json", "--resume", results, lab.dir())
    while not [c for c in children(p.pid) if os.path.exists(results)]:
        need(p.poll() is None, "verify has ended")
        time.sleep(0.01)
    time.sleep(0.1)
    while not (running := children(p.pid)):  # between two epochs
        need(p.poll() is None, "verify has ended")
    for child in running:
        os.kill(child, signal.SIGKILL)
    result = lab.finish(p).need_code(1, "verify with a killed QEMU")
    got = verdicts(json.loads(result.out)[0])
    need(sorted(got) == ["crashed"] + (count - 1) * ["same"], "a killed QEMU: %s" % got)
    again = verify(lab, "rec", 0, "--resume", results)
    kept = [case["kept"] for case in again["epochs"]]
    need(kept == [verdict == "same" for verdict in got], "kept: %s" % kept)


def add_cases(case):
    @case("verify-epochs", "quick", 600)
    def verify_epochs(lab):
        record_epochs(lab, "0.3", 3)
        count = all_the_same(lab)
        a_changed_event(lab)
        a_damaged_checkpoint(lab, count)
        a_killed_qemu(lab, count)
