"""Symbols that skein takes from a guest's memory, against what the guest's kernel says itself."""

import argparse
import hashlib
import json
import re
import struct
import subprocess

from lab import Skipped, need


def symbols_of(path):
    """The lines "ADDRESS NAME" of an ELF file's symbol table, sorted as the guest sorts its own."""
    with open(path, "rb") as f:
        data = f.read()
    at, = struct.unpack_from("<Q", data, 40)
    count, = struct.unpack_from("<H", data, 60)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, at + 64 * i) for i in range(count)]
    table = next(s for s in sections if s[1] == 2)
    strings = sections[table[6]][4]
    lines = []
    for i in range(1, table[5] // 24):
        name, _, _, _, value, _ = struct.unpack_from("<IBBHQQ", data, table[4] + 24 * i)
        end = data.index(b"\0", strings + name)
        lines.append(b"%016x %s\n" % (value, data[strings + name:end]))
    return sorted(lines)


def gdb(path, *commands):
    words = ["gdb", "-nx", "-batch", "-ex", "symbol-file " + path]
    for command in commands:
        words += ["-ex", command]
    p = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return p.stdout + p.stderr


def use_virtio_image(lab):
    if not lab.paths.initrd_virtio:
        raise Skipped("no guest image with modules (SKEIN_INITRD_VIRTIO)")
    lab.paths = argparse.Namespace(**vars(lab.paths))
    lab.paths.initrd = lab.paths.initrd_virtio


def add_cases(case):
    @case("symbols", timeout_s=300)
    def symbols(lab):
        """All of them, with modules: the same addresses and names as /proc/kallsyms has."""
        use_virtio_image(lab)
        # quiet: the kernel would say its command line, which names the workload.
        result = lab.record("kallsyms", arg="1", append="quiet", start="console:kallsyms ")
        said = re.search(r"kallsyms (\d+) ([0-9a-f]{32})", result.out)
        need(said, "the guest does not list its symbols: %s" % result.out[-200:])
        elf = lab.dir("kernel.elf")
        found = lab.skein("symbols", "--json", "-o", elf, lab.dir()).need_code(0, "symbols")
        kernel = json.loads(found.out)
        lines = symbols_of(elf)
        need(len(lines) == int(said.group(1)) == kernel["symbols"] + kernel["module_symbols"],
             "%d symbols instead of %s" % (len(lines), said.group(1)))
        need(hashlib.md5(b"".join(lines)).hexdigest() == said.group(2), "the symbols differ")
        need("virtio_blk" in [m["name"] for m in kernel["modules"]], "virtio_blk is missing")

        out = gdb(elf, "info symbol do_sys_openat2", "info symbol virtblk_probe")
        need("do_sys_openat2 in section .text" in out, "gdb does not know it: %s" % out)
        need("virtblk_probe in section .virtio_blk.text" in out, "gdb does not know it: %s" % out)

    @case("symbols-none", timeout_s=120)
    def symbols_none(lab):
        """At boot there is no kernel yet; that is said, and nothing is written."""
        lab.record("user", arg="1")
        elf = lab.dir("kernel.elf")
        result = lab.skein("symbols", "-o", elf, lab.dir()).need_code(2, "symbols")
        result.need_one_line("begins at boot", "--checkpoint")
