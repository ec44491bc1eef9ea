"""stress-ng in a guest of four vCPUs: all stressors of a class at once, none left out."""

import argparse
import re

from lab import Skipped, last_lines, need

CLASSES = ("cpu", "cpu-cache", "device", "filesystem", "interrupt", "io", "memory", "network", "os",
           "pipe", "scheduler", "security", "vm")
# The others take as long; these three meet the most of the kernel.
QUICK = ("os", "network", "vm")
SECONDS = 3


def use_apps(lab):
    if not lab.paths.apps or not lab.paths.initrd_virtio:
        raise Skipped("no disk of programs (SKEIN_APPS, SKEIN_INITRD_VIRTIO)")
    lab.paths = argparse.Namespace(**vars(lab.paths))
    lab.paths.initrd = lab.paths.initrd_virtio
    return ["-drive", "file=%s,format=raw,if=none,id=d0,readonly=on" % lab.paths.apps,
            "-device", "virtio-blk-pci,drive=d0"]


def stress(lab, name, seconds=SECONDS, smp=4):
    disk = use_apps(lab)
    # With more vCPUs than cores a busy host makes the kernel's look at its timer fail at boot.
    result = lab.record("stress", arg="%s,%d" % (name, seconds), smp=smp, memory="1G", extra=disk,
                        append="quiet no_timer_check skein.root=/dev/vda",
                        start="console:SKEIN-READY")
    need("\nok stress %s" % name in result.out, "stress-ng: %s" % last_lines(result.out, 4))
    verdict = lab.verify()
    need(verdict["events_done"] == verdict["events_total"],
         "%d of %d events were replayed" % (verdict["events_done"], verdict["events_total"]))


def add_cases(case):
    for name in CLASSES:
        case("stress-" + name, "quick soak" if name in QUICK else "soak", 600)(
            lambda lab, name=name: stress(lab, name))


def random_name(r):
    return "stress-%s-%ds-%dcpu" % (r.choice(CLASSES), r.randint(1, 10), r.randint(1, 6))


def add_named(case, name):
    """Other lengths and numbers of vCPUs: stress-CLASS-SECONDSs-VCPUScpu."""
    found = re.fullmatch("stress-(%s)-([0-9]+)s-([1-9])cpu" % "|".join(CLASSES), name)
    if found:
        case(name, "random", 900)(
            lambda lab: stress(lab, found[1], int(found[2]), int(found[3])))
    return found
