"""How a guest is started under each scheme: the same machine, kernel, image, disks and network."""

import shlex
import subprocess

from errors import Unusable
from plan import RECORDED

MEMORY = "1G"
SCOPES = {"skein": "kernel", "system": "system"}


def common_arguments(paths, cores):
    """Of a VM that can be recorded; without the accelerator, which is the scheme's matter."""
    p = subprocess.run([paths["skein"], "record", "--print-args", "--smp", str(cores), "--memory",
                        MEMORY], capture_output=True, text=True, check=False)
    if p.returncode != 0:
        raise Unusable("skein record --print-args: " + p.stderr.strip())
    words = shlex.split(p.stdout)
    at = words.index("-accel")
    return words[:at] + words[at + 2:]


def kernel_words(bench, trial_words):
    # With more vCPUs than cores a busy host makes the kernel's look at its timer fail at boot.
    # TCG's processors do not say that their TSC is that of all: Linux would read the HPET instead,
    # by a system call, under QEMU's one big lock.
    words = ["console=ttyS0", "panic=-1", "quiet", "no_timer_check", "tsc=reliable",
             "skein.workload=bench", "skein.arg=" + ",".join([bench.workload, *trial_words])]
    if bench.workload != "micro":
        words.append("skein.root=/dev/vda")
    return " ".join(words)


def disk(path, name, replayed, readonly):
    """QEMU's own record/replay wants a filter before each disk."""
    only = ",readonly=on" if readonly else ""
    file = "file=%s,format=raw,if=none%s" % (path, only)
    if not replayed:
        return ["-drive", "%s,id=%s" % (file, name), "-device", "virtio-blk-pci,drive=" + name]
    return ["-drive", "%s,id=%s-file" % (file, name),
            "-drive", "driver=blkreplay,if=none,image=%s-file,id=%s%s" % (name, name, only),
            "-device", "virtio-blk-pci,drive=" + name]


def network(forwards, replayed):
    """From ports of this host to ports of the guest, {guest's: host's}."""
    rules = "".join(",hostfwd=tcp:127.0.0.1:%d-:%d" % (host, guest)
                    for guest, host in forwards.items())
    words = ["-netdev", "user,id=n0" + rules, "-device", "virtio-net-pci,netdev=n0,romfile="]
    return words + (["-object", "filter-replay,id=replay,netdev=n0"] if replayed else [])


def devices(paths, bench, database, forwards, replayed=False):
    words = []
    if bench.workload != "micro":
        words += disk(paths["apps"], "d0", replayed, readonly=True)
    if bench.workload == "rocksdb":
        words += disk(database, "d1", replayed, readonly=False)
    if bench.by_host:
        words += network(forwards, replayed)
    return words


def plain(qemu, paths, cores, append, extra, accelerator):
    return [qemu, *common_arguments(paths, cores), *accelerator, "-no-reboot", "-serial", "stdio",
            "-kernel", paths["kernel"], "-initrd", paths["initrd"], "-append", append, *extra]


def recorded(scheme, paths, cores, append, extra, out):
    command = [paths["skein"], "record", "-o", out, "--qemu", paths["qemu"],
               "--kernel", paths["kernel"], "--initrd", paths["initrd"], "--append", append,
               "--smp", str(cores), "--memory", MEMORY, "--scope", SCOPES[scheme],
               "--start", "guest", "--stop", "guest", "--json=" + out + ".json"]
    return command + (["--", *extra] if extra else [])


def command(cell, paths, out, database, forwards):
    """Of one trial; `out` is where it records to."""
    bench = cell.bench
    append = kernel_words(bench, [bench.name, str(bench.ops)])
    replayed = cell.scheme == "qemu-rr"
    extra = devices(paths, bench, database, forwards, replayed)
    if cell.scheme in RECORDED:
        return recorded(cell.scheme, paths, cell.cores, append, extra, out)
    accelerator = (["-icount", "shift=auto,rr=record,rrfile=" + out] if replayed
                   else ["-accel", "tcg,thread=multi"])
    return plain(paths["stock"], paths, cell.cores, append, extra, accelerator)


def prepare_command(bench, paths, database):
    """The guest that makes the database, by whichever QEMU there is."""
    append = kernel_words(bench, ["prepare", "1"])
    qemu = paths.get("stock") or paths["qemu"]
    return plain(qemu, paths, 1, append, devices(paths, bench, database, {}),
                 ["-accel", "tcg,thread=multi"])
