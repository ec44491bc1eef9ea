#!/usr/bin/env python3
"""Puts style and scripts into the page, cuts it where the data goes, and makes C of it.

Usage: embed.py PAGE.html STYLE.css SCRIPT.js… > template.c
"""

import sys

STYLE, DATA, SCRIPT = "<!-- style -->", "<!-- data -->", "<!-- script -->"


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def array(name, text):
    data = text.encode()
    lines = [", ".join("%d" % b for b in data[i:i + 24]) for i in range(0, len(data), 24)]
    return ("const unsigned char skein_timeline_%s[] = {\n%s};\n"
            "const size_t skein_timeline_%s_bytes = sizeof(skein_timeline_%s);\n"
            % (name, ",\n".join(lines), name, name))


def main():
    page, style, scripts = sys.argv[1], sys.argv[2], sys.argv[3:]
    text = read(page)
    for mark in STYLE, DATA, SCRIPT:
        if text.count(mark) != 1:
            sys.exit("%s: %s must stand there once" % (page, mark))
    code = "\n".join(read(s) for s in scripts)
    text = text.replace(STYLE, "<style>\n%s</style>" % read(style))
    text = text.replace(SCRIPT, '<script>\n"use strict";\n(() => {\n%s})();\n</script>' % code)
    head, tail = text.split(DATA)
    print('#include "cli/timeline/template.h"\n')
    print(array("head", head))
    print(array("tail", tail))


if __name__ == "__main__":
    main()
