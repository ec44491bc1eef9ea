"""What our C headers and the proto file define, read from their text."""

import re

SIZES = {"uint64_t": 8, "uint32_t": 4, "int32_t": 4, "uint16_t": 2, "uint8_t": 1, "char": 1}


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)


def integer(text):
    return int(text.rstrip("uUlL"), 0)


def enumerators(text):
    """Name to value, of all enums with explicit values."""
    found = {}
    for body in re.findall(r"\benum\s+\w+\s*\{(.*?)\}", without_comments(text), flags=re.S):
        for name, value in re.findall(r"(\w+)\s*=\s*(\w+)", body):
            found[name] = integer(value)
    return found


def defines(text):
    """Name to value, of macros that are one integer."""
    return {name: integer(value) for name, value in
            re.findall(r"^#define (\w+) (0?x?[0-9a-fA-F]+[uUlL]*)\b *(?:/\*.*)?$", text, flags=re.M)}


def structs(text):
    """Struct to [(field, offset, size)] as a C compiler lays it out on x86-64."""
    found, sizes = {}, {}
    constants = {**defines(text), **enumerators(text)}
    for name, body in re.findall(r"\bstruct (\w+) \{(.*?)\n\}", without_comments(text), flags=re.S):
        at, align, fields = 0, 1, []
        for declared in body.split(";"):
            m = re.fullmatch(r"\s*(?:_Alignas\((\d+)\) )?(?:const )?(struct \w+|\w+) (\w+)"
                             r"(?:\[(\w+)\])?\s*", declared, flags=re.S)
            if not m:
                continue
            unit, unit_align = sizes.get(m[2]) or (SIZES.get(m[2], 0),) * 2
            if not unit:
                break
            own = max(unit_align, int(m[1] or 1))
            at += -at % own
            count = constants[m[4]] if m[4] in constants else int(m[4] or 1)
            fields.append((m[3], at, unit * count))
            at += unit * count
            align = max(align, own)
        sizes["struct " + name] = (at + -at % align, align)
        found[name] = fields
    return found


def messages(text):
    """Message of a .proto to {tag: (field, type)}."""
    found = {}
    for name, body in re.findall(r"^message (\w+) \{(.*?)^\}", without_comments(text),
                                 flags=re.S | re.M):
        found[name] = {int(tag): (field, kind) for kind, field, tag in
                       re.findall(r"((?:repeated )?\w+) (\w+) = (\d+);", body)}
    return found
