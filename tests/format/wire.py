"""What recordings are made of and others have defined: XXH64, protobuf's wire format, zstd."""

import ctypes
import ctypes.util
import struct

MASK = (1 << 64) - 1
P1, P2, P3, P4, P5 = (11400714785074694791, 14029467366897019727, 1609587929392839161,
                      9650029242287828579, 2870177450012600261)


class Damage(Exception):
    """It is not what it should be."""


class Short(Damage):
    """The file ends within it."""


def rotl(x, n):
    return (x << n | x >> (64 - n)) & MASK


def xxh_round(acc, lane):
    return rotl((acc + lane * P2) & MASK, 31) * P1 & MASK


def xxh64(data):
    at, n = 0, len(data)
    if n >= 32:
        acc = [(P1 + P2) & MASK, P2, 0, -P1 & MASK]
        for at in range(0, n - 31, 32):
            lanes = struct.unpack_from("<4Q", data, at)
            acc = [xxh_round(a, lane) for a, lane in zip(acc, lanes)]
        at += 32
        h = sum(rotl(a, r) for a, r in zip(acc, (1, 7, 12, 18))) & MASK
        for a in acc:
            h = ((h ^ xxh_round(0, a)) * P1 + P4) & MASK
    else:
        h = P5
    h = (h + n) & MASK
    while n - at >= 8:
        h = (rotl(h ^ xxh_round(0, struct.unpack_from("<Q", data, at)[0]), 27) * P1 + P4) & MASK
        at += 8
    if n - at >= 4:
        h = (rotl(h ^ struct.unpack_from("<I", data, at)[0] * P1 & MASK, 23) * P2 + P3) & MASK
        at += 4
    for byte in data[at:]:
        h = rotl(h ^ byte * P5 & MASK, 11) * P1 & MASK
    h = (h ^ h >> 33) * P2 & MASK
    h = (h ^ h >> 29) * P3 & MASK
    return h ^ h >> 32


def varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Damage("a varint does not end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        if byte < 0x80:
            if value > MASK:
                raise Damage("a varint has more than 64 bits")
            return value, at
        shift += 7


def fields(data):
    """(tag, wire type, value) of a message; the value of type 2 is bytes, else a number."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key < 8:
            raise Damage("no tag")
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 in (1, 5):
            size = 8 if key & 7 == 1 else 4
            value, at = int.from_bytes(data[at:at + size], "little"), at + size
        elif key & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            raise Damage("an unknown wire type")
        if at > len(data):
            raise Damage("a field is longer than its message")
        yield key >> 3, key & 7, value


def number(kind, value):
    if kind == "sint64":
        return (value >> 1) ^ -(value & 1) & MASK  # modulo 2^64
    return value & 0xffffffff if kind == "uint32" else value


def numbers(kind, wire, value):
    if wire != 2:
        return [number(kind, value)]
    if kind == "fixed64":
        if len(value) % 8:
            raise Damage("a list of numbers is cut")
        return list(struct.unpack("<%dQ" % (len(value) // 8), value))
    found, at = [], 0
    while at < len(value):
        n, at = varint(value, at)
        found.append(number(kind, n))
    return found


def parse(messages, name, data):
    """A message as a dict by field name; absent fields are 0, empty or None."""
    out = {}
    for field, kind in messages[name].values():
        repeated = kind.startswith("repeated")
        out[field] = [] if repeated else b"" if kind == "bytes" else "" if kind == "string" else \
            None if kind in messages else 0
    for tag, wire, value in fields(data):
        if tag not in messages[name]:
            continue
        field, kind = messages[name][tag]
        repeated, kind = kind.startswith("repeated "), kind.split()[-1]
        one = 2 if kind in messages or kind in ("bytes", "string") else 1 if kind == "fixed64" else 0
        if wire != one and not (repeated and wire == 2):
            raise Damage("a field of another wire type")
        if kind in messages:
            value = [parse(messages, kind, value)]
        elif kind in ("bytes", "string"):
            value = [value if kind == "bytes" else value.decode()]
        else:
            value = numbers(kind, wire, value)
        if repeated:
            out[field] += value
        else:
            out[field] = value[-1]
    return out


ZSTD = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
ZSTD.ZSTD_decompress.restype = ctypes.c_size_t
ZSTD.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]


def unzstd(data, size):
    out = ctypes.create_string_buffer(size + 1)
    got = ZSTD.ZSTD_decompress(out, size + 1, bytes(data), len(data))
    if got != size:
        raise Damage("not a zstd frame of that size")
    return out.raw[:size]
