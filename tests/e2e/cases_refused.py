"""Devices that are refused by name when a recording begins, or while it lasts."""

import shlex

from cases_devices import READY
from lab import need
from monitors import Vm


def refused(lab):
    words = ["-drive", "file=null-co://,if=none,id=d0,format=raw"]
    nvme = words + ["-device", "nvme,id=mine,drive=d0,serial=x,rr-ignore=on"]
    for scope, extra, line in (
            ("kernel", ["-device", "pci-testdev,id=no"], "device pci-testdev (no): not supported"),
            ("kernel", ["-device", "virtio-scsi-pci,id=no"], "device virtio-scsi-pci (no): not supp"),
            ("kernel", ["-device", "megasas"], "device megasas: not supported"),
            ("kernel", ["-device", "virtio-rng-pci,id=no,rr-ignore=on"],
             "rr-ignore on virtio-rng-pci (no)"),
            ("kernel", ["-device", "e1000e,id=no,romfile=,rr-ignore=on"],
             "device e1000e (no): not supported"),
            ("system", nvme, "rr-ignore on nvme (mine): --scope system")):
        result = lab.skein(*lab.record_args("demo", scope=scope, extra=extra))
        result.need_code(2, "record with " + extra[-1]).need_one_line(line)
        # A session that begins later is refused then.
        result = lab.skein(*lab.record_args("demo", scope=scope, start=READY, extra=extra))
        need(result.code in (1, 2) and line in result.err, "%s: %s" % (line, result.err))


def by_monitor(lab):
    printed = lab.skein("record", "--print-args", "--smp", "1", "--memory", "256M")
    args = shlex.split(printed.need_code(0, "record --print-args").out)
    with Vm(lab, args=args) as vm:
        vm.wait_for("SKEIN-READY")
        need("recording into" in vm.tell("rr_record one"), "rr_record")
        for driver in "virtio-rng-pci", "pci-testdev":
            said = vm.ask("device_add", driver=driver, id="late")
            need("cannot add device %s (late) while" % driver in str(said), "device_add: %s" % said)
        vm.runs()
        need(" events, " in vm.tell("rr_end_record"), "rr_end_record")
        said = vm.ask("device_add", driver="pci-testdev", id="late")
        need(said == {}, "device_add without a recording: %s" % said)
        line = "cannot record with device pci-testdev (late): not supported"
        need(line in vm.tell("rr_record two"), "rr_record takes any device")
        need(line in vm.ask("rr-record", name="two"), "rr-record takes any device")
        need(line in vm.ask("query-skein")["unsuitable"], "query-skein does not say it")
        lab.skein("record", "--attach", vm.files["qmp"], "-o",
                  lab.dir("two")).need_code(2, "record --attach").need_one_line(line)
    lab.verify("one")


def add_cases(case):
    case("device-refused", timeout_s=300)(refused)
    case("device-refused-monitor", timeout_s=300)(by_monitor)
