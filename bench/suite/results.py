"""results.csv, a row for each trial, kept as it comes; and what the rows of one folder share."""

import csv
import json
import os

from errors import Unusable

KEY = ("workload", "bench", "cores", "scheme", "trial")
MEASURED = ("ops", "seconds", "events", "record_s", "log_raw_mb_s", "log_disk_mb_s",
            "back_pressure", "back_pressure_s", "token_wait_s", "replay_s")
COLUMNS = KEY + ("value", "unit") + MEASURED + ("verdict", "message")
TEXT = ("workload", "bench", "scheme", "unit", "verdict", "message")
INTEGERS = ("cores", "trial", "ops", "events", "back_pressure")


def typed(row):
    """As it was before it became text; what is empty is None."""
    def value(name, text):
        if name in TEXT:
            return text
        if text == "":
            return None
        return int(text) if name in INTEGERS else float(text)
    return {name: value(name, row[name]) for name in COLUMNS}


def key(row):
    return tuple(row[name] for name in KEY)


def cell_text(value):
    """All digits: a resumed run makes the same summary of the same rows."""
    return "" if value is None else str(value)


class Results:
    """The rows of one folder."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "results.csv")
        self.rows = []
        if os.path.exists(self.path):
            self.load()
        else:
            self.append_text(",".join(COLUMNS) + "\n")

    def load(self):
        with open(self.path, encoding="utf-8", newline="") as f:
            text = f.read()
        whole = text[:text.rfind("\n") + 1]
        if len(whole) != len(text):
            # A kill in the middle of a row: it is measured again.
            os.truncate(self.path, len(whole.encode()))
        reader = csv.DictReader(whole.splitlines())
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise Unusable("%s is not of this version of skein bench" % self.path)
        try:
            self.rows = [typed(row) for row in reader]
        except (TypeError, ValueError):
            raise Unusable("%s is damaged" % self.path) from None

    def append_text(self, text):
        with open(self.path, "a", encoding="utf-8") as f:
            f.write(text)
            f.flush()
            os.fsync(f.fileno())

    def add(self, cell, row):
        full = dict.fromkeys(COLUMNS)
        full.update(zip(KEY, cell.key))
        full.update(row)
        self.rows.append(full)
        with_commas = [cell_text(full[name]) for name in COLUMNS]
        self.append_text(",".join(quoted(text) for text in with_commas) + "\n")

    def done(self):
        return {key(row) for row in self.rows}


def quoted(text):
    """A row is a line, whatever a message holds: load() relies on that."""
    text = " ".join(text.splitlines())
    return '"%s"' % text.replace('"', '""') if "," in text or '"' in text else text


def flat(tree, prefix=""):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, prefix + name + " ")
        else:
            yield prefix + name, value


def first_difference(old, new):
    """ "trials: 3, now 5"; None when they are the same."""
    olds, news = dict(flat(old)), dict(flat(new))
    for name in {**olds, **news}:
        if olds.get(name) != news.get(name):
            return "%s: %s, now %s" % (name, olds.get(name), news.get(name))
    return None


def claim(folder, identity):
    """The folder is for results of this identity, from now on or already."""
    path = os.path.join(folder, "run.json")
    os.makedirs(folder, exist_ok=True)
    if os.path.exists(path):
        try:
            with open(path, encoding="utf-8") as f:
                old = json.load(f)
        except (OSError, ValueError):
            raise Unusable("%s cannot be read" % path) from None
        changed = first_difference(old, identity)
        if changed:
            raise Unusable("%s holds results of another run (%s): take another folder"
                           % (folder, changed))
        return
    if os.listdir(folder):
        raise Unusable("%s is not empty, and not of skein bench" % folder)
    with open(path + ".new", "w", encoding="utf-8") as f:
        json.dump(identity, f, indent=1)
    os.rename(path + ".new", path)
