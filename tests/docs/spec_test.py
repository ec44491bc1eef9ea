#!/usr/bin/env python3
"""docs/format.md says what proto/skein.proto and the headers say: every field, value and offset."""

import os
import re
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../format")]
import headers  # noqa: E402
import spec  # noqa: E402

ROOT = os.path.join(HERE, "../..")
TEXT = spec.read()
CELLS = list(spec.rows(TEXT))


def header(name):
    return headers.read(os.path.join(ROOT, name))


def number(cell):
    """The number that a cell begins with; None: it begins with none."""
    m = re.match(r"(0x[0-9a-f]+|\d+)\b", cell)
    return int(m[1], 0) if m else None


class Messages(unittest.TestCase):
    maxDiff = None

    def test_every_field_has_its_tag_and_type(self):
        self.assertEqual(spec.messages(TEXT), headers.messages(header("proto/skein.proto")))


class Values(unittest.TestCase):
    def check(self, name, value):
        """In a table's second cell, beside its value; or "NAME = value" or "value NAME"."""
        said = [number(row[0]) for row in CELLS if len(row) > 1 and row[1] == name]
        said += [int(n, 0) for n in re.findall(r"\b%s = (0x[0-9a-f]+|\d+)" % name, TEXT)]
        said += [int(n, 0) for n in re.findall(r"\b(0x[0-9a-f]+|\d+) %s\b" % name, TEXT)]
        self.assertIn(value, said, "%s = %d is not in docs/format.md" % (name, value))
        self.assertEqual(set(said), {value}, name)

    def check_header(self, path, skip=()):
        text = header(path)
        values = {**headers.enumerators(text), **headers.defines(text)}
        self.assertGreater(len(values), 2)
        for name, value in values.items():
            if name not in skip and not name.endswith("_H"):
                with self.subTest(name=name):
                    self.check(name, value)

    def test_events(self):
        self.check_header("pipeline/event.h")

    def test_sessions(self):
        self.check_header("pipeline/session.h")

    def test_shards(self):
        text = header("pipeline/shard.h") + header("pipeline/shard_layout.h")
        for name, value in headers.defines(text).items():
            with self.subTest(name=name):
                self.check(name, value)

    def test_a_wrong_value_would_be_seen(self):
        with self.assertRaises(AssertionError):
            self.check("SKEIN_INTR_WAKE", 7)
        with self.assertRaises(AssertionError):
            self.check("SKEIN_NO_SUCH", 1)


class Layouts(unittest.TestCase):
    maxDiff = None

    def tables(self):
        """Each table of offsets as {field: (offset, size)}."""
        found = []
        for row in CELLS:
            if row[:3] == ["offset", "size", "field"]:
                found.append({})
            elif found and len(row) > 2 and row[1].isdigit() and number(row[0]) is not None:
                found[-1][re.match(r"\w*", row[2])[0]] = (number(row[0]), int(row[1]))
        return found

    def holds(self, struct, path):
        """Some tables hold exactly the fields of the struct, at their places."""
        want = {f: (at, size) for f, at, size in headers.structs(header(path))[struct]}
        left = dict(want)
        for table in self.tables():
            if table and all(want.get(f) == place for f, place in table.items()):
                for f in table:
                    left.pop(f, None)
        self.assertEqual(left, {}, "of struct %s" % struct)

    def test_session(self):
        self.holds("skein_session_header", "pipeline/session.h")
        self.holds("skein_divergence", "pipeline/session.h")

    def test_shard(self):
        self.holds("skein_shard_mem", "pipeline/shard_layout.h")
        self.holds("skein_shard_mark", "pipeline/shard_layout.h")

    def test_record(self):
        self.holds("skein_record", "pipeline/event.h")


class Text(unittest.TestCase):
    def test_links_lead_somewhere(self):
        anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-")
                   for h in spec.sections(TEXT)}
        for link in re.findall(r"\]\(#([^)]*)\)", TEXT):
            self.assertIn(link, anchors)


if __name__ == "__main__":
    unittest.main()
