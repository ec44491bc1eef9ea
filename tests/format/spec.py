"""The tables of docs/format.md, as data: the reader goes by what the document says."""

import os
import re

DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/format.md")


def rows(text):
    """Each table row of the text as a list of cells, without backquotes."""
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            yield [cell.strip().replace("`", "") for cell in line.strip("|\n ").split("|")]


def read(path=DOCUMENT):
    with open(path, encoding="utf-8") as f:
        return f.read()


def sections(text):
    """Heading to the text below it, for headings of all levels."""
    parts = re.split(r"^#+ (.*)$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def messages(text):
    """Message to {tag: (field, type)}."""
    found = {}
    for name, body in sections(text).items():
        fields = {int(r[0]): (r[1], r[2]) for r in rows(body)
                  if len(r) == 4 and r[0].isdigit() and re.fullmatch(r"[a-z][a-z0-9_]*", r[1])}
        if fields and re.fullmatch(r"[A-Za-z]+", name):
            found[name] = fields
            if name == "Stats":  # ShardStats has a table of its own in the same section
                last = max(i for i, r in enumerate(rows(body)) if r[0] == "tag")
                own = [r for r in list(rows(body))[last + 1:]]
                found["ShardStats"] = {int(r[0]): (r[1], r[2]) for r in own}
                del found[name][1]
                first = next(r for r in rows(body) if r[0] == "1")
                found[name][1] = (first[1], first[2])
    return found
