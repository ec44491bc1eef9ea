"""Segments with one change each and all checksums right, so that only what must hold can tell."""

import ctypes
import struct

from reader import MESSAGES
from wire import MASK, ZSTD, parse, unzstd, xxh64

NAMES = {b"SKNSEGMT": "SegmentHeader", b"SKNBLOCK": "BlockHeader", b"SKNFOOTR": "SegmentFooter"}

ZSTD.ZSTD_compress.restype = ctypes.c_size_t
ZSTD.ZSTD_compress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t,
                               ctypes.c_int]


def zstd(data):
    out = ctypes.create_string_buffer(2 * len(data) + 1024)
    return out.raw[:ZSTD.ZSTD_compress(out, len(out), bytes(data), len(data), 1)]


def put_varint(v):
    out = b""
    while v > 0x7f:
        out, v = out + bytes([v & 0x7f | 0x80]), v >> 7
    return out + bytes([v])


def put_number(kind, v):
    if kind == "fixed64":
        return struct.pack("<Q", v)
    return put_varint((v << 1 & MASK) ^ -(v >> 63) & MASK if kind == "sint64" else v)


def encode(name, message):
    """The inverse of wire.parse()."""
    out = b""
    for tag, (field, kind) in sorted(MESSAGES[name].items()):
        value, one = message[field], kind.split()[-1]
        values = value if kind.startswith("repeated ") else [value] if value else []
        if one in MESSAGES:
            pieces = [encode(one, v) for v in values]
        elif one in ("bytes", "string"):
            pieces = [v if one == "bytes" else v.encode() for v in values]
        elif not kind.startswith("repeated "):
            out += b"".join(put_varint(tag << 3 | (one == "fixed64")) + put_number(one, v)
                            for v in values)
            continue
        else:
            pieces = [b"".join(put_number(one, v) for v in values)] if values else []
        out += b"".join(put_varint(tag << 3 | 2) + put_varint(len(p)) + p for p in pieces)
    return out


def split(data):
    """A segment as a list of [magic, message, data]."""
    at, parts = 0, []
    while len(data) - at > 16:
        magic, size = data[at:at + 8], struct.unpack_from("<I", data, at + 12)[0]
        message = data[at + 16:at + 16 + size]
        at += 24 + size
        size = parse(MESSAGES, "BlockHeader", message)["data_bytes"] if magic == b"SKNBLOCK" else 0
        parts.append([magic, message, data[at:at + size]])
        at += size
    return parts


def join(parts):
    out = b""
    for magic, message, data in parts:
        at = len(out)
        framed = magic + struct.pack("<II", 1, len(message)) + message
        out += framed + struct.pack("<Q", xxh64(framed)) + data
        if magic == b"SKNFOOTR":
            out += struct.pack("<Q", at) + b"SKNSEGND"
    return out


def repair_footer(parts):
    """The offsets in the footer, as they are now."""
    at, offsets = 0, []
    for part in parts:
        if part[0] == b"SKNBLOCK":
            offsets.append(at)
        elif part[0] == b"SKNFOOTR":
            footer = parse(MESSAGES, "SegmentFooter", part[1])
            footer["block_offset"], footer["stats"]["disk_bytes"] = offsets, at
            part[1] = encode("SegmentFooter", footer)
        at += 24 + len(part[1]) + len(part[2])


def flip(rng, data):
    data = bytearray(data)
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def change_number(rng, numbers):
    i = rng.randrange(len(numbers))
    numbers[i] = rng.choice([0, 1, numbers[i] + 1, numbers[i] * 2, rng.getrandbits(64)]) & MASK


def change_block(rng, part):
    """Within a block's columns."""
    header = parse(MESSAGES, "BlockHeader", part[1])
    raw = unzstd(part[2], header["packed_bytes"])
    if rng.random() < 0.5:
        raw = flip(rng, raw)
    else:
        block = parse(MESSAGES, "Block", raw)
        lists = [v for s in block["shards"] for f, v in s.items()
                 if isinstance(v, list) and v and f != "entry_slots"]
        numbers = rng.choice(lists + [block["run_shard"], block["run_events"]])
        rng.choice([lambda: change_number(rng, numbers), lambda: numbers.pop(),
                    lambda: numbers.append(rng.getrandbits(3))])()
        raw = encode("Block", block)
    part[2] = zstd(raw)
    header.update(packed_bytes=len(raw), data_bytes=len(part[2]), data_xxh64=xxh64(part[2]))
    part[1] = encode("BlockHeader", header)


def change(rng, data):
    """The segment with one change; and what it was."""
    parts = split(data)
    i, j = rng.randrange(len(parts)), rng.randrange(len(parts))
    how = rng.choice(["byte", "number", "drop", "double", "swap", "block", "block"])
    blocks = [part for part in parts if part[0] == b"SKNBLOCK"]
    if how == "byte":
        parts[i][1] = flip(rng, parts[i][1])
    elif how == "number":
        message = parse(MESSAGES, NAMES[parts[i][0]], parts[i][1])
        field = rng.choice([f for f, v in message.items() if isinstance(v, int) or
                            isinstance(v, list) and v])
        numbers = message[field] if isinstance(message[field], list) else [message[field]]
        change_number(rng, numbers)
        message[field] = numbers if isinstance(message[field], list) else numbers[0]
        parts[i][1] = encode(NAMES[parts[i][0]], message)
    elif how == "drop":
        del parts[i]
    elif how == "double":
        parts.insert(i, list(parts[i]))
    elif how == "swap":
        parts[i], parts[j] = parts[j], parts[i]
    elif blocks:
        change_block(rng, rng.choice(blocks))
    if how not in ("byte", "number"):
        repair_footer(parts)
    return join(parts), "%s %d" % (how, i)
