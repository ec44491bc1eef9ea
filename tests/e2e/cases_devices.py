"""Devices, each read and written: recorded with 1, 2 and 4 vCPUs, verified without the device."""

import argparse
import os

import hosts
from lab import Skipped, last_lines, need

READY = "console:SKEIN-READY"
DISK_BYTES = 48 << 20

DISKS = {
    "ide-raw": ("raw", ["-device", "ide-hd,drive=d0,bus=ide.0"]),
    "ide-qcow2": ("qcow2", ["-device", "ide-hd,drive=d0,bus=ide.0"]),
    "nvme": ("raw", ["-device", "nvme,drive=d0,serial=skein"]),
    "nvme-qcow2": ("qcow2", ["-device", "nvme,drive=d0,serial=skein"]),
    "virtio-blk": ("raw", ["-device", "virtio-blk-pci,drive=d0"]),
    "virtio-blk-qcow2": ("qcow2", ["-device", "virtio-blk-pci,drive=d0"]),
}
NETS = {"e1000": "e1000", "virtio-net": "virtio-net-pci"}


def use_devices_image(lab):
    """Debian's kernel for any machine: the one for clouds has no drivers for e1000 and PS/2 mice."""
    if not lab.paths.initrd_devices or not lab.paths.kernel_devices:
        raise Skipped("no guest with drivers for all devices (SKEIN_KERNEL_DEVICES)")
    lab.paths = argparse.Namespace(**vars(lab.paths))
    lab.paths.kernel, lab.paths.initrd = lab.paths.kernel_devices, lab.paths.initrd_devices


def check(lab, result, oks):
    need("SKEIN-DONE rc=0" in result.out, "the workload failed: %s" % last_lines(result.out, 4))
    result.need_code(0, "record")
    for text in oks:
        need("\nok " + text in result.out, "the guest did not say: ok %s: %s"
             % (text, last_lines(result.out, 12)))
    verdict = lab.verify()
    need(verdict["events_done"] == verdict["events_total"],
         "%d of %d events were replayed" % (verdict["events_done"], verdict["events_total"]))
    return lab.summary()["events_by_kind"]


def disk(lab, name, smp):
    use_devices_image(lab)
    form, device = DISKS[name]
    path = hosts.make_disk(lab, DISK_BYTES, form)
    result = lab.skein(*lab.record_args("storage", smp=smp, start=READY, extra=[
        "-drive", "file=%s,format=%s,if=none,id=d0" % (path, form), *device]))
    os.unlink(path)  # a replay needs none
    kinds = check(lab, result, ["storage:", "disk:"])
    need(kinds["mem"] > 100, "only %d changes of memory by the disk" % kinds["mem"])


def net(lab, name, smp):
    use_devices_image(lab)
    with hosts.file_server(300000) as port:
        web, control = hosts.free_ports(2)
        forward = "".join(",hostfwd=tcp:127.0.0.1:%d-:%d" % pair
                          for pair in ((web, 80), (control, 81)))
        p = lab.start(*lab.record_args("network", smp=smp, arg=str(port), start=READY, extra=[
            "-netdev", "user,id=n0" + forward, "-device", NETS[name] + ",netdev=n0,romfile="]))
        lab.wait_for(p, "SKEIN-SERVING")
        hosts.fetch_some(web, 4)
        hosts.say(control, "thank you")
        result = lab.finish(p)
    check(lab, result, ["network: fetched from the host", "network: served to the host: thank you"])


def small(lab, smp):
    use_devices_image(lab)
    monitor, console = lab.dir("qmp"), lab.dir("hvc")
    with hosts.echo(console):
        p = lab.start(*lab.record_args("devices", smp=smp, start=READY, extra=[
            "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
            "-chardev", "socket,id=c0,path=" + console, "-device", "virtconsole,chardev=c0",
            "-qmp", "unix:%s,server=on,wait=off" % monitor]))
        lab.wait_for(p, "SKEIN-INPUT")
        hosts.type_and_move(monitor, lambda: "SKEIN-DONE" in lab.output(p) or p.poll() is not None)
        result = lab.finish(p)
    check(lab, result, ["devices: clocks", "devices: random numbers",
                        "devices: the console of virtio", "devices: keyboard and mouse"])


def cloud_disk(lab):
    """The kernel of the other tests, with its own driver for virtio."""
    if not lab.paths.initrd_virtio:
        raise Skipped("no guest image with drivers for disks (SKEIN_INITRD_VIRTIO)")
    lab.paths = argparse.Namespace(**vars(lab.paths))
    lab.paths.initrd = lab.paths.initrd_virtio
    path = lab.dir("disk")
    with open(path, "wb") as f:
        f.truncate(16 << 20)
    check(lab, lab.skein(*lab.record_args("disk", start=READY, extra=[
        "-drive", "file=%s,format=raw,if=none,id=d0" % path,
        "-device", "virtio-blk-pci,drive=d0"])), ["disk:"])


def old_timer(lab):
    """The PIT's interrupts by way of the PIC: no APIC, no HPET."""
    use_devices_image(lab)
    result = lab.skein(*lab.record_args("mixed", smp=1, arg="2", start=READY,
                                        append="hpet=disable nolapic noapic"))
    check(lab, result, ["mixed:"])
    need(lab.summary()["events_by_kind"]["interrupt"] > 20, "hardly any interrupt")


def map_changes(lab):
    """BARs come and go in the memory map while other vCPUs read registers of devices."""
    result = lab.skein(*lab.record_args("remap", smp=4, arg="300", start=READY, extra=[
        "-device", "e1000,romfile="]))
    check(lab, result, ["remap: 300 changes of the memory map"])


def add_cases(case):
    for smp in (1, 2, 4):
        for name in DISKS:
            # A format is the host's matter: one number of vCPUs tells whether it matters.
            sets = "soak" if name.endswith("qcow2") and smp != 2 else "quick soak"
            case("device-%s-%dcpu" % (name, smp), sets, 600)(
                lambda lab, name=name, smp=smp: disk(lab, name, smp))
        for name in NETS:
            case("device-%s-%dcpu" % (name, smp), timeout_s=600)(
                lambda lab, name=name, smp=smp: net(lab, name, smp))
        case("device-small-%dcpu" % smp, timeout_s=600)(lambda lab, smp=smp: small(lab, smp))
    case("device-pit-1cpu", timeout_s=300)(old_timer)
    case("device-map-changes", timeout_s=300)(map_changes)
    case("workload-disk")(cloud_disk)
