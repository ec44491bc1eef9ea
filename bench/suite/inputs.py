"""The files that a run depends on, and the machine: where they are, whether they are the same."""

import hashlib
import os
import platform
import shutil
import subprocess

from errors import Unusable

# What each needs, and for which cells.
VARIABLES = {"skein": "SKEIN", "qemu": "SKEIN_QEMU", "stock": "SKEIN_STOCK_QEMU",
             "kernel": "SKEIN_KERNEL", "initrd": "SKEIN_INITRD_VIRTIO", "apps": "SKEIN_APPS"}
CLIENTS = {"redis": ("redis-benchmark", "redis-tools"), "nginx": ("wrk", "wrk")}


def needed(cells):
    """The names of VARIABLES that these cells use."""
    names = {"skein", "kernel", "initrd"}
    for cell in cells:
        names.add("qemu" if cell.scheme in ("skein", "system") else "stock")
        if cell.bench.workload != "micro":
            names.add("apps")
    return sorted(names)


def find(cells):
    """{name: path}; raises Unusable for the first that is missing."""
    found = {}
    for name in needed(cells):
        path = os.environ.get(VARIABLES[name])
        if not path or not os.access(path, os.R_OK):
            raise Unusable("%s: %s: ./dev bench sets it" % (VARIABLES[name], path or "not set"))
        found[name] = os.path.abspath(path)
    for cell in cells:
        if cell.bench.by_host:
            program, package = CLIENTS[cell.bench.workload]
            if not shutil.which(program):
                raise Unusable("there is no %s on this host (Debian: %s)" % (program, package))
    return found


def digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()[:16]


def identity(paths):
    """Not the paths: the same bytes elsewhere are the same."""
    return {name: digest(path) for name, path in paths.items()}


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def machine():
    with open("/proc/meminfo", encoding="utf-8") as f:
        kib = int(f.readline().split()[1])
    return {"processor": processor(), "cores": os.cpu_count(), "memory_gib": round(kib / 2**20),
            "kernel": platform.release()}


def version(qemu):
    p = subprocess.run([qemu, "--version"], capture_output=True, text=True, check=False)
    words = p.stdout.split("\n", 1)[0].split()
    return words[3] if len(words) > 3 else "?"
