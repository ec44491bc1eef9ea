"""The verbs of skein and their options, from its source."""

import glob
import os
import re

import headers

CLI = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../cli")


def sources():
    return {os.path.relpath(path, CLI): headers.read(path)
            for path in glob.glob(os.path.join(CLI, "**/*.c"), recursive=True)}


def names():
    """In the order of the table."""
    return re.findall(r'\{"(\w+)", skein_cmd_\w+', sources()["main.c"])


def tables(text):
    """The options of the getopt tables in a source, as they are typed."""
    found = set()
    shorts = set(re.findall(r"\w", "".join(
        re.findall(r'getopt_long\(\w+, \w+, "([^"]*)"', text))))
    found |= {"-" + c for c in shorts}
    for body in re.findall(r"struct option \w+\[\] = \{(.*?)\};", text, flags=re.S):
        for name in re.findall(r'\{"([\w-]+)",', body):
            found.add("--" + name)
    return found


def options(verb):
    """What the verb takes: the tables beside its function, or in what that file includes."""
    files = sources()
    home = next(name for name, text in files.items()
                if re.search(r"^int skein_cmd_%s\(" % verb, text, flags=re.M))
    found = tables(files[home])
    if not found:
        for include in re.findall(r'#include "cli/([\w/]+)\.h"', files[home]):
            found |= tables(files.get(include + ".c", ""))
    return found
