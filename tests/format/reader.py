"""A reader of recordings that knows docs/format.md and nothing of pipeline/."""

import collections
import os
import struct

import spec
from wire import MASK, Damage, Short, parse, unzstd, xxh64

MESSAGES = spec.messages(spec.read())
KIND_COUNT = 14
TOKEN, ENTRY, VALUE, USER_READ, MEM, FPU = 1, 2, 4, 5, 6, 7
F_AT_IO = 1
SHARD_NONE = 0xff
SOURCE_TSC = 3
RECORD_MAX = 8560

# Kind to the columns of its payload's words, and how each is coded: a series, "edge" or nothing.
SHAPES = {
    1: ("token", [("edge", "edge"), ("position", "position"), ("digest", None)]),
    2: ("entry", [("icount", "icount"), ("error", None), ("next_ip", "ip"), ("mask", None)]),
    3: ("interrupt", [("icount", "icount"), ("digest", None)]),
    4: ("value", [("", "value")]),
    5: ("user_read", [("va", "va")]),
    6: ("mem", [("position", "position"), ("ram", "ram")]),
    7: ("fpu", [("mask_lo", None), ("mask_hi", None)]),
    8: ("digest", [("icount", "icount"), ("", None)]),
    9: ("page_dirty", [("ram", "page")]),
    10: ("page_clean", [("ram", "page")]),
    11: ("tlb_flush", [("icount", "icount")]),
    12: ("mark", [("icount", "icount")]),
    13: ("end", [("icount", "icount"), ("digest", None), ("console_bytes", None),
                 ("console_hash", None), ("ram_hash", None)]),
}


def frame(data, at, magic, name):
    """The message of the frame there, and where it ends."""
    if len(data) - at < 16:
        raise Short("the file ends where a frame should be")
    if data[at:at + 8] != magic:
        raise Damage("another magic")
    version, length = struct.unpack_from("<II", data, at + 8)
    limit = 4096 - 24 if magic in (b"SKNSEGMT", b"SKNBLOCK", b"SKNCHKPT") else 16 << 20
    if version != 1 or length > limit:
        raise Damage("another version, or an impossible length")
    end = at + 16 + length + 8
    if end > len(data):
        raise Short("the file ends within a frame")
    if xxh64(data[at:end - 8]) != struct.unpack_from("<Q", data, end - 8)[0]:
        raise Damage("a frame's hash")
    return parse(MESSAGES, name, data[at + 16:end - 8]), end


def counters(message):
    """The values of a shard, with the counters off their grid: coded as if there were none."""
    step, shift, phase = (message["tsc_" + name] for name in ("step", "shift", "phase"))
    if not step and not message["tsc_low"] and not message["tsc_rest"]:
        return message["value"]
    low, rest = message["tsc_low"], message["tsc_rest"] or [0] * len(message["tsc_low"])
    tsc = [i for i, arg in enumerate(message["value_arg"][:len(message["value"])])
           if arg & 0xff == SOURCE_TSC][1:]
    if not 0 < step <= 1 << 14 or shift > 3 or phase >> shift or not len(tsc) == len(low) == len(rest):
        raise Damage("no grid")
    values, k, last = list(message["value"]), 0, 0
    for n, i in enumerate(tsc):
        z = (256 * values[i] + low[n]) & MASK
        k += -(z >> 1) - 1 if z & 1 else z >> 1
        if abs(k) >= 1 << 48:
            raise Damage("too far for a grid")
        at = (k * step + phase >> shift) + rest[n]
        values[i], last = (at - last) & MASK, at
    return values


class Columns:
    """The columns of one shard in a block, and how far they are used."""

    def __init__(self, message):
        self.message = message
        self.at = {}
        self.last = {}
        message["value"] = counters(message)
        self.slots = {s["slot"]: s["value"] for s in message["entry_slots"]}
        if message["flags"] and len(message["flags"]) != len(message["kind"]):
            raise Damage("flags and kinds differ in number")

    def take(self, column, n=None):
        """The next value, or the next n of a column that is never absent."""
        values = self.message[column]
        if n is None and not values:
            return 0
        at = self.at.get(column, 0)
        self.at[column] = at + (1 if n is None else n)
        if self.at[column] > len(values):
            raise Damage("the column %s is too short" % column)
        return values[at] if n is None else values[at:at + n]

    def take_slot(self, i):
        at = self.at.get(i, 0)
        if i not in self.slots or at >= len(self.slots[i]):
            raise Damage("slot %d is missing" % i)
        self.at[i] = at + 1
        return self.delta(i, self.slots[i][at])

    def used_up(self):
        columns = [c for c in self.message
                   if c not in ("flags", "tsc_low", "tsc_rest", "entry_slots")]
        return all(self.at.get(c, 0) == len(self.message[c]) for c in columns
                   if not isinstance(self.message[c], int) and self.message[c]) and \
            all(self.at.get(i, 0) == len(values) for i, values in self.slots.items())

    def delta(self, series, value):
        if series == "page":
            value = (value << 12 | value >> 52) & MASK
        self.last[series] = (self.last.get(series, 0) + value) & MASK
        return self.last[series]


def word(columns, coding, value, arg, flags, clock):
    if coding == "edge":
        return (value + (clock[arg] if arg < len(clock) else 0)) & MASK
    if coding == "position":
        coding = "io" if flags & F_AT_IO else "icount"
    if coding == "value":
        coding = "tsc" if arg & 0xff == SOURCE_TSC else None
    return value if coding is None else columns.delta(coding, value)


def tail(columns, kind, arg, words):
    if kind in (USER_READ, MEM):
        if arg > 0xffff:
            raise Damage("too many bytes")
        return columns.take(SHAPES[kind][0] + "_bytes", arg)
    if kind == ENTRY:
        if words[3] >> 40:
            raise Damage("unknown slots")
        values = [columns.take_slot(i) for i in range(40) if words[3] >> i & 1]
    elif kind == FPU:
        values = columns.take("fpu_slots", bin(words[0]).count("1") + bin(words[1]).count("1"))
    else:
        return b""
    return struct.pack("<%dQ" % len(values), *values)


def shaped(columns, kind, flags, clock):
    if kind not in SHAPES:
        raise Damage("an unknown kind")
    name, coded = SHAPES[kind]
    arg = columns.take(name + "_arg")
    if arg > 0xffffffff:
        raise Damage("arg is no u32")
    words = []
    for column, coding in coded:
        column = name + "_" + column if column else name
        words.append(word(columns, coding, columns.take(column), arg, flags, clock))
    payload = struct.pack("<%dQ" % len(words), *words) + tail(columns, kind, arg, words)
    payload += bytes(-len(payload) % 8)
    if 8 + len(payload) > RECORD_MAX:
        raise Damage("a record is too long")
    return struct.pack("<HBBI", 8 + len(payload), kind, flags, arg) + payload


def raw(columns):
    size = columns.take("raw_size", 1)[0]
    if size < 8 or size % 8 or size > RECORD_MAX:
        raise Damage("no size for a record")
    record = columns.take("raw", size)
    if struct.unpack_from("<H", record)[0] != size or not 0 < record[2] < KIND_COUNT:
        raise Damage("a raw record says another size or kind")
    return bytes(record)


def decode_block(data, header):
    """The events of a block: (shard, tick, slice, record), in canonical order."""
    if not 0 < header["raw_bytes"] <= 64 << 20 or \
            header["packed_bytes"] > 8 * header["raw_bytes"] + (1 << 20):
        raise Damage("impossible sizes")
    block = parse(MESSAGES, "Block", unzstd(data, header["packed_bytes"]))
    clock, slices, events = list(header["clock"]), header["slices"], []
    shards = {}
    for message in block["shards"]:
        if message["shard"] >= len(clock) or message["shard"] in shards:
            raise Damage("no such shard")
        shards[message["shard"]] = Columns(message)
    if len(block["run_shard"]) != len(block["run_events"]):
        raise Damage("runs and their numbers differ")
    for shard, count in zip(block["run_shard"], block["run_events"]):
        for _ in range(count):
            if shard not in shards or len(events) == header["events"]:
                raise Damage("a run of no shard, or too long")
            columns = shards[shard]
            kind = columns.take("kind", 1)[0]
            flags = columns.take("flags")
            record = raw(columns) if kind & 0x80 else shaped(columns, kind, flags, clock)
            clock[shard] += 1
            slices += kind & 0x7f == TOKEN
            events.append((shard, clock[shard], slices, record))
    if len(events) != header["events"] or clock != header["clock_after"] or \
            sum(len(e[3]) for e in events) != header["raw_bytes"] or \
            not all(columns.used_up() for columns in shards.values()):
        raise Damage("not the events that the header counts")
    return events


class Segment:
    """The headers of a segment."""

    def __init__(self, path, salvage):
        with open(path, "rb") as f:
            self.data = f.read()
        self.salvage = salvage
        self.partial = path.endswith(".partial")
        self.blocks, self.offsets, self.sealed, self.lost_bytes = [], [], False, 0
        self.header, self.at = frame(self.data, 0, b"SKNSEGMT", "SegmentHeader")
        self.first = self.at
        if len(self.header["uuid"]) != 16 or not 0 < self.header["shard_count"] <= 65 or \
                len(self.header["clock"]) != self.header["shard_count"]:
            raise Damage("impossible values in a segment header")
        self.clock, self.number = self.header["clock"], 0
        while self.at < len(self.data):
            self.step()
        if not self.sealed and not self.partial and not salvage:
            raise Damage("the footer is missing")
        self.lost_blocks = self.number - len(self.blocks)

    def step(self):
        try:
            if self.data[self.at:self.at + 8] == b"SKNFOOTR":
                self.footer()
            else:
                self.block()
        except Damage as damage:
            if self.salvage:
                self.resync()
            elif self.partial and isinstance(damage, Short):
                self.skip(len(self.data))
            else:
                raise

    def skip(self, to):
        self.lost_bytes += to - self.at
        self.at = to

    def resync(self):
        hits = [self.data.find(magic, self.at + 1) for magic in (b"SKNBLOCK", b"SKNFOOTR")]
        self.skip(min([hit for hit in hits if hit >= 0], default=len(self.data)))

    def block(self):
        header, end = frame(self.data, self.at, b"SKNBLOCK", "BlockHeader")
        follows = all(a >= b if self.salvage or header["gap"] else a == b
                      for a, b in zip(header["clock"], self.clock))
        grown = [b - a for a, b in zip(header["clock"], header["clock_after"])]
        if header["uuid"] != self.header["uuid"] or header["segment"] != self.header["segment"] or \
                header["codec"] != 1 or header["block"] <= self.number or \
                (not self.salvage and header["block"] != self.number + 1):
            raise Damage("a block that does not belong here")
        if not len(header["clock"]) == len(header["clock_after"]) == len(self.clock) or \
                not follows or min(grown) < 0 or sum(grown) != header["events"]:
            raise Damage("the clocks of a block do not fit")
        if end + header["data_bytes"] > len(self.data):
            raise Short("the file ends within a block")
        self.blocks.append((header, end))
        self.offsets.append(self.at)
        self.clock, self.number = header["clock_after"], header["block"]
        self.at = end + header["data_bytes"]

    def footer(self):
        if self.data[-8:] != b"SKNSEGND":
            raise Short("the file ends within its footer or behind it")
        footer, end = frame(self.data, self.at, b"SKNFOOTR", "SegmentFooter")
        stats = footer["stats"] or parse(MESSAGES, "Stats", b"")
        counts = [sum(shard["events"]) for shard in stats["shards"]]
        counts += [0] * (len(self.clock) - len(counts))
        ticks = [b - a for a, b in zip(self.header["clock"], footer["clock"])]
        if self.data[end:] != struct.pack("<Q", self.at) + b"SKNSEGND" or \
                footer["uuid"] != self.header["uuid"] or \
                footer["segment"] != self.header["segment"] or footer["clock"] != self.clock or \
                footer["block_offset"] != self.offsets or \
                (self.offsets + [self.at])[0] != self.first or \
                footer["slices"] != self.header["slices"] + stats["slices"] or \
                (stats["blocks"], stats["segments"], stats["disk_bytes"]) != \
                (len(self.blocks), 1, self.at) or \
                not all(a <= b if footer["gap"] else a == b for a, b in zip(counts, ticks)):
            raise Damage("a footer that does not fit")
        self.sealed, self.at, self.stats = True, len(self.data), stats


def events_of(*all_stats):
    """What several Stats count together, but for disk_bytes, blocks and segments."""
    found = collections.Counter()
    for stats in all_stats:
        for shard, counted in enumerate(stats["shards"]):
            for kind, count in enumerate(counted["events"]):
                found[shard, kind] += count
        for kind, count in enumerate(stats["kind_bytes"]):
            found["bytes", kind] += count
        found["slices"] += stats["slices"]
        found["edges"] += stats["edges"]
    return +found


class Recording:
    def __init__(self, path, salvage=False):
        self.path, self.salvage = path, salvage
        with open(os.path.join(path, "manifest"), "rb") as f:
            data = f.read()
        self.manifest, end = frame(data, 0, b"SKNMANIF", "Manifest")
        if end != len(data) or len(self.manifest["uuid"]) != 16 or \
                not 1 <= self.manifest["vcpu_count"] <= 64:
            raise Damage("the manifest holds impossible values")
        self.segments = []
        for number, name in self.names():
            self.add(number, os.path.join(path, "segments", name))
        self.lost_blocks = sum(s.lost_blocks for s in self.segments)
        self.check_totals()

    def names(self):
        found = []
        for name in os.listdir(os.path.join(self.path, "segments")):
            digits = name.split(".")[0]
            if digits.isdigit() and len(digits) >= 6 and \
                    name[len(digits):] in (".skn", ".skn.partial") and int(digits):
                found.append((int(digits), name))
        return sorted(found)

    def add(self, number, path):
        if path.endswith(".partial") and os.path.getsize(path) == 0:
            return
        try:
            segment = Segment(path, self.salvage)
            header = segment.header
            last = self.segments[-1].header["segment"] if self.segments else 0
            clock = self.segments[-1].clock if self.segments else [0] * len(header["clock"])
            if header["uuid"] != self.manifest["uuid"] or header["segment"] != number or \
                    header["shard_count"] != self.manifest["vcpu_count"] + 1 or number <= last:
                raise Damage("a segment of another recording")
            reached = all(a >= b for a, b in zip(header["clock"], clock))
            if (header["gap"] and not reached) or (not self.salvage and not header["gap"] and
                                                   (number != last + 1 or header["clock"] != clock)):
                raise Damage("a segment does not follow the one before")
            self.segments.append(segment)
        except Damage:
            if not self.salvage:
                raise

    def check_totals(self):
        stats = self.manifest["stats"] or parse(MESSAGES, "Stats", b"")
        there = all(s.sealed for s in self.segments) and \
            len(self.segments) == stats["segments"] and \
            events_of(*(s.stats for s in self.segments)) == events_of(stats)
        self.complete = bool(self.manifest["complete"]) and there
        if self.manifest["complete"] and not there and not self.salvage:
            raise Damage("not what the manifest counts")

    def events(self):
        for segment in self.segments:
            for header, at in segment.blocks:
                data = segment.data[at:at + header["data_bytes"]]
                try:
                    if xxh64(data) != header["data_xxh64"]:
                        raise Damage("a block's hash")
                    events = decode_block(data, header)
                except Damage:
                    if not self.salvage:
                        raise
                    self.lost_blocks += 1
                    continue
                yield from events

    def lost_bytes(self):
        return sum(s.lost_bytes for s in self.segments)
