"""Recordings written down event by event, in canonical order, for the program hand_made."""

import subprocess

NONE = 0xff
SYSCALL, EXCEPTION, INTERRUPT, NMI = 1, 3, 4, 5  # ENTRY types
HARD, WAKE = 1, 6  # INTERRUPT types
USER = 4  # flag: in user mode
SLOTS = {"rax": 0, "rdx": 2, "rsi": 6, "rdi": 7, "r8": 8, "r9": 9, "r10": 10, "rip": 16, "cr2": 36}


class Script:
    """tsc and icount are as the guest would see them; the counter runs at 1 GHz."""

    def __init__(self, vcpus):
        self.vcpus = vcpus
        self.devices = vcpus
        self.lines = []
        self.ticks = [0] * (vcpus + 1)
        self.holder = NONE

    def add(self, shard, kind, flags=0, arg=0, *words, times=1):
        if times > 1:
            self.lines.append("repeat %d" % times)
        self.lines.append(" ".join([str(shard), kind, str(flags), str(arg)] +
                                   [str(w & (1 << 64) - 1) for w in words]))
        self.ticks[shard] += times

    def token(self, shard, icount=0):
        edge = 0 if self.holder == NONE else self.ticks[self.holder]
        self.add(shard, "token", 0, self.holder, edge, icount, 1)
        self.holder = shard

    def entry(self, shard, kind, vector, icount, error=0, **slots):
        have = sorted((SLOTS[name], value) for name, value in slots.items())
        mask = sum(1 << slot for slot, _ in have)
        self.add(shard, "entry", 0, kind | vector << 8, icount, error, 2, mask,
                 *[value for _, value in have])

    def tsc(self, shard, value):
        self.add(shard, "value", 0, 3 | 8 << 8, value)

    def mark(self, shard, icount):
        self.add(shard, "mark", 0, 0, icount)

    def interrupt(self, shard, kind, vector, icount):
        self.add(shard, "interrupt", 0, kind | vector << 8, icount, 7)

    def page_walk(self, shard):
        self.add(shard, "page_dirty", USER, 0, 0x1000)

    def dma(self):
        self.add(self.devices, "mem", 0, 8, 0, 0x2000, 1)

    def end(self):
        for shard in range(self.vcpus + 1):
            self.add(shard, "end", 0, 1, 0, 0, 0, 0, 0)

    def write(self, program, path, how="whole", hz=1000000000):
        subprocess.run([program, path, str(self.vcpus), str(hz), how], check=True,
                       input="".join(line + "\n" for line in self.lines), text=True, timeout=120)


def sample():
    """A bit of everything. What must come of it is in SAMPLE."""
    s = Script(2)
    s.token(0)
    s.tsc(0, 1000000)
    s.interrupt(0, HARD, 0xec, 500)
    s.mark(0, 1000)
    s.entry(0, SYSCALL, 0, 1000, rax=257, rdi=0xffffff9c, rsi=0x7ffc0000beef, rdx=0x8000,
            rip=0x401000)
    s.tsc(0, 3000000)
    s.mark(0, 1600)
    s.token(1)
    s.entry(1, EXCEPTION, 14, 0, error=6, cr2=0x7f0000001000, rip=0x402000)
    s.mark(1, 200)
    s.token(s.devices)
    s.dma()
    s.token(0, 1600)
    s.entry(0, SYSCALL, 0, 1600, rax=1, rdi=1)
    s.add(0, "tlb_flush", 0, 0, 1900)
    s.token(1, 200)
    s.page_walk(1)
    s.token(0, 1900)
    s.add(0, "tlb_flush", 0, 0, 2000)
    s.mark(0, 2400)
    s.interrupt(0, WAKE, 0, 2500)
    s.interrupt(0, HARD, 0x23, 2500)
    s.tsc(0, 9000000)
    s.mark(0, 2700)
    s.entry(0, SYSCALL, 0, 2700, rdi=5)
    s.mark(0, 2710)
    s.entry(0, INTERRUPT, 0xec, 2710)
    s.mark(0, 2810)
    s.page_walk(0)
    s.end()
    return s


# lane, name, type, begin, duration, slice, instructions. A write that is interrupted by a hand-off
# is two; what passed unseen before a read of the counter passed before its span.
SAMPLE = [
    ("vCPU 0", "boot", "kernel", 1000000, 1000, 1, 1000),
    ("vCPU 0", "openat", "syscall", 3000000, 600, 1, 600),
    ("vCPU 1", "#PF", "exception", 3000600, 200, 2, 200),
    ("devices", "dma", "device", 3000800, 0, 3, 0),
    ("vCPU 0", "write", "syscall", 3000800, 300, 4, 300),
    ("vCPU 1", "page walk", "page walk", 3001100, 0, 5, 0),
    ("vCPU 0", "write", "syscall", 3001100, 600, 6, 600),
    ("vCPU 0", "irq 0x23", "interrupt", 9000000, 200, 6, 200),
    ("vCPU 0", "syscall ?", "syscall", 9000200, 10, 6, 10),
    ("vCPU 0", "irq timer", "interrupt", 9000210, 100, 6, 100),
    ("vCPU 0", "page walk", "page walk", 9000310, 0, 6, 0),
]
SAMPLE_SLICES = 6
SAMPLE_EDGES = 5
