"""Sessions and shards, written and read by someone who knows docs/format.md only."""

import ctypes
import mmap
import os
import struct
import time

from wire import MASK, Damage

SESSION_MAGIC, SHARD_MAGIC = 0x535345534e4b5300, 0x44524148534e4b53
HEAD, CLOSED, PUBLISHED, TAIL, RELEASED, RING = 64, 88, 128, 192, 256, 4096
RECORD_MAX = 8560


class Memory:
    """A mapped file; words are loaded and stored whole, which on x86 is all that is asked for."""

    def __init__(self, path):
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 0)

    def load(self, at, kind=ctypes.c_uint64):
        return kind.from_buffer(self.map, at).value

    def store(self, at, value, kind=ctypes.c_uint64):
        kind.from_buffer(self.map, at).value = value


def create_session(path, vcpus, ring, uuid):
    """A session for recording, with empty shards."""
    stride = RING + ring
    with open(path, "wb") as f:
        f.truncate(4096 + (vcpus + 1) * stride)
    m = Memory(path)
    for shard in range(vcpus + 1):
        at = 4096 + shard * stride
        m.map[at + 8:at + 40] = struct.pack("<II16sQ", 2, shard, uuid, ring)
        m.store(at, SHARD_MAGIC)
    m.map[8:80] = struct.pack("<6I2Q16s2i2I", 3, 0, 0, vcpus, vcpus + 1, 0, stride, ring, uuid,
                              os.getpid(), 0, 64, 0)
    m.store(0, SESSION_MAGIC)
    return m


class Side:
    """What both sides of a shard do."""

    def __init__(self, memory, shard):
        stride, self.ring = struct.unpack_from("<2Q", memory.map, 32)
        if memory.load(0) != SESSION_MAGIC or struct.unpack_from("<I", memory.map, 8)[0] != 3 or \
                stride != RING + self.ring:
            raise Damage("no session of this version")
        self.m, self.base = memory, 4096 + shard * stride
        if self.load(0) != SHARD_MAGIC or struct.unpack_from("<2I", memory.map, self.base + 8) != \
                (2, shard) or self.load(32) != self.ring:
            raise Damage("no shard of this version")

    def load(self, at):
        return self.m.load(self.base + at)

    def store(self, at, value):
        self.m.store(self.base + at, value)

    def closed(self):
        return self.m.load(self.base + CLOSED, ctypes.c_uint32) != 0

    def place(self, position):
        return self.base + RING + position % self.ring

    def mark(self, position, marks):
        """The position there, and (ticks, sum, sum_of_sums) and the number of its mark."""
        while True:
            at = self.load(position)
            both = [[self.load(marks + 32 * k + 8 * i) for i in range(4)] for k in (0, 1)]
            if self.load(position) != at:
                continue
            for k in (0, 1):
                if both[k][0] == at:
                    return at, both[k][1:], k
            raise Damage("a position without its mark")

    def store_mark(self, marks, k, values):
        for i, value in enumerate(values):
            self.store(marks + 32 * k + 8 * i, value)

    def sum(self, sums, start, end):
        """The sums, taken on over the ring's words between two positions."""
        s, ss = sums
        while start != end:
            step = min(end - start, self.ring - start % self.ring)
            at = self.place(start)
            for w in struct.unpack_from("<%dQ" % (step // 8), self.m.map, at):
                s = (s + w) & MASK
                ss = (ss + s) & MASK
            start += step
        return [s, ss]


class Writer(Side):
    def __init__(self, memory, shard):
        super().__init__(memory, shard)
        self.head, (self.tick, *self.sums), k = self.mark(HEAD, PUBLISHED)
        self.published, self.next_mark, self.tail = self.head, 1 - k, self.load(TAIL)
        self.waits = 0
        self.reader_lives = lambda: True

    def append(self, record):
        left = self.ring - self.head % self.ring
        pad = left if left < len(record) else 0
        self.wait(pad + len(record))
        if pad:
            self.put(struct.pack("<HBBI", pad, 0, 0, 0) + bytes(pad - 8))
        self.put(record)
        self.tick += 1

    def put(self, data):
        at = self.place(self.head)
        self.m.map[at:at + len(data)] = data
        self.sums = self.sum(self.sums, self.head, self.head + len(data))
        self.head += len(data)

    def wait(self, need):
        while self.head + need - self.tail > self.ring:
            self.tail = self.load(TAIL)
            if self.head + need - self.tail > self.ring:
                self.publish()
                self.waits += 1
                if not self.reader_lives():
                    raise Damage("nobody reads any more")
                time.sleep(50e-6)

    def publish(self):
        if self.head == self.published:
            return
        self.store_mark(PUBLISHED, self.next_mark, [self.head, self.tick, *self.sums])
        self.store(HEAD, self.head)
        self.published, self.next_mark = self.head, 1 - self.next_mark

    def close(self):
        self.publish()
        self.m.store(self.base + CLOSED, 1, ctypes.c_uint32)


class Reader(Side):
    def __init__(self, memory, shard):
        super().__init__(memory, shard)
        self.released, (self.tick, *self.sums), k = self.mark(TAIL, RELEASED)
        self.next_mark = 1 - k
        self.seen, self.seen_sums = self.released, self.sums

    def look(self):
        """Whether there is more than was seen."""
        if self.load(HEAD) == self.seen:
            return False
        head, (_, *sums), _ = self.mark(HEAD, PUBLISHED)
        if not self.seen <= head <= self.released + self.ring or head % 8:
            raise Damage("an impossible position")
        if self.sum(self.seen_sums, self.seen, head) != sums:
            raise Damage("wrong sums")
        self.seen, self.seen_sums = head, sums
        return True

    def take(self):
        """All records up to what was seen, which are then released."""
        at, records = self.released, []
        while at != self.seen:
            place = self.place(at)
            size, kind = struct.unpack_from("<HB", self.m.map, place)
            if size < 8 or size % 8 or size > RECORD_MAX or size > self.seen - at or \
                    size > self.ring - at % self.ring or kind > 13:
                raise Damage("no record")
            if kind:
                records.append(self.m.map[place:place + size])
            at += size
        self.sums, self.released, self.tick = self.seen_sums, at, self.tick + len(records)
        self.store_mark(RELEASED, self.next_mark, [at, self.tick, *self.sums])
        self.store(TAIL, at)
        self.next_mark = 1 - self.next_mark
        return records

    def drained(self):
        return self.closed() and self.load(HEAD) == self.released
