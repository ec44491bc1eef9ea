"""Devices that are left out of a recording (rr-ignore): for user mode, and not for the kernel."""

import json
import shlex

from cases_devices import READY, use_devices_image
from lab import need
from monitors import Vm

SERIAL = "skein-0123456789"


def devices(lab, name):
    """QEMU's words for it."""
    if name == "e1000":
        return ["-device", "e1000,id=mine,rr-ignore=true,romfile="]
    if name == "virtio-net-pci":
        return ["-netdev", "user,id=n0", "-device", "virtio-net-pci,id=mine,rr-ignore=true,romfile=,"
                "netdev=n0,mac=76:69:72:74:69:6f"]
    path = lab.dir("ignored.img")
    with open(path, "wb") as f:
        f.truncate(16 << 20)
    return ["-drive", "file=%s,format=raw,if=none,id=d0" % path,
            "-device", "nvme,id=mine,drive=d0,serial=%s,rr-ignore=true" % SERIAL]


def driven(lab, name, smp):
    """A program in the guest drives the device; what it got goes to the kernel."""
    workload, arg, dirty = {
        "e1000": ("usernet", "20", 20), "nvme": ("usernvme", SERIAL, 4),
        "virtio-net-pci": ("uservirtio", "", 8)}[name]
    # Debian's kernel for clouds has NVMe's driver built in.
    lab.record(workload, arg=arg, smp=smp, start=READY, append="initcall_blacklist=nvme_init",
               extra=devices(lab, name))
    verdict = lab.verify()
    need(verdict["events_done"] == verdict["events_total"], "not all was replayed")
    summary = lab.summary()
    threads = summary["events_by_shard"][-1]
    need(threads.get("mem", 0) == 0, "DMA of an ignored device is recorded: %s" % threads)
    need(summary["events_by_kind"]["page_dirty"] >= dirty and
         (name != "nvme" or threads["page_dirty"] >= dirty), "its pages are not user-dirty")


def used_by_kernel(lab, name, smp):
    """The kernel's own driver: the recording ends before it uses the device, and replays."""
    use_devices_image(lab)
    workload, arg = ("storage", "") if name == "nvme" else ("network", "1")
    result = lab.skein(*lab.record_args(workload, arg=arg, smp=smp, start=READY,
                                        extra=devices(lab, name)))
    result.need_code(3, "record")
    words = ["the kernel used %s (mine), which has rr-ignore: BAR " % name, "PC 0xffffffff"]
    last = result.err.splitlines()[-1]
    need(all(w in last for w in words), "it says %s" % last)
    verdict = lab.verify()
    need(verdict["events_done"] == verdict["events_total"] > 0, "not all was replayed")
    end = json.loads(lab.skein("info", "--json", lab.dir()).out)
    need(end["complete"] and end["end"] == "ignored" and words[0] in end["end_reason"],
         "info says %s, %s" % (end["end"], end["end_reason"]))


def used_under_monitor(lab):
    """The VM goes on, and its owner is told."""
    use_devices_image(lab)
    printed = lab.skein("record", "--print-args", "--smp", "2", "--memory", "256M")
    args = shlex.split(printed.need_code(0, "record --print-args").out) + devices(lab, "e1000")
    with Vm(lab, args=args, workload="network skein.arg=1") as vm:
        vm.wait_for("SKEIN-READY")
        need("recording into" in vm.tell("rr_record one"), "rr_record")
        end = vm.ended()  # the driver looks at the card every two seconds
        need(end["complete"] and "the kernel used e1000 (mine)" in end["reason"], "ended: %s" % end)
        need(vm.ask("query-status")["status"] == "running", "the VM stands")
        need("nothing is being recorded" in vm.tell("rr_end_record"), "rr_end_record")
    lab.verify("one")


def add_cases(case):
    for name in "nvme", "e1000", "virtio-net-pci":
        for smp in (1, 2):
            case("ignored-%s-%dcpu" % (name, smp), timeout_s=300)(
                lambda lab, name=name, smp=smp: driven(lab, name, smp))
            sets = "quick soak" if name == "nvme" and smp == 2 else "soak"
            case("ignored-kernel-%s-%dcpu" % (name, smp), sets, 300)(
                lambda lab, name=name, smp=smp: used_by_kernel(lab, name, smp))
    case("ignored-kernel-monitor", timeout_s=300)(used_under_monitor)
