"""A page in headless Chromium: what its body says of itself, what it shows, what it writes."""

import os
import re
import shutil
import struct
import subprocess
import tempfile
import zlib
from html.parser import HTMLParser

WIDTH, HEIGHT = 1400, 900


class Body(HTMLParser):
    """The body's data- attributes, and the text under each id."""

    def __init__(self, html):
        super().__init__()
        self.data, self.text, self.open = {}, {}, []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "body":
            self.data = {k[5:]: v for k, v in attrs.items() if k.startswith("data-")}
        if tag not in ("meta", "link", "input", "br", "col"):
            self.open.append((tag, attrs.get("id")))

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        for _, name in self.open:
            if name:
                self.text[name] = self.text.get(name, "") + data


def browser():
    return shutil.which("chromium")


def look(path, fragment="", screenshot=None):
    """(Body, lines that the page wrote to the console)."""
    home = tempfile.mkdtemp(prefix="skein-browser-")
    args = [browser(), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--disable-dev-shm-usage", "--no-first-run", "--user-data-dir=" + home,
            "--window-size=%d,%d" % (WIDTH, HEIGHT), "--force-device-scale-factor=1",
            "--virtual-time-budget=20000", "--enable-logging=stderr", "--dump-dom"]
    if screenshot:
        args.append("--screenshot=" + screenshot)
    try:
        p = subprocess.run(args + ["file://" + path + fragment], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120,
                           env=dict(os.environ, HOME=home))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return Body(p.stdout), re.findall(r".*CONSOLE.*", p.stderr)


def unfilter(kind, line, above, step):
    """PNG's filters, which guess a byte from those at its left and above."""
    for i in range(len(line)):
        left = line[i - step] if i >= step else 0
        corner = above[i - step] if i >= step else 0
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = above[i]
        elif kind == 3:
            guess = left + above[i] >> 1
        elif kind == 4:
            p = left + above[i] - corner
            guess = min((left, above[i], corner), key=lambda v: abs(p - v))
        else:
            return
        line[i] = line[i] + guess & 255


def colours(path, left, top, right, bottom):
    """How many pixels of each colour a PNG of 8 bits a channel has in a rectangle."""
    with open(path, "rb") as f:
        data = f.read()
    at, packed, shape = 8, b"", None
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        chunk = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            shape = struct.unpack(">IIBBBBB", chunk)
        elif kind == b"IDAT":
            packed += chunk
        at += length + 12
    width, height, depth, colour_type = shape[:4]
    if depth != 8 or shape[6] != 0 or (width, height) != (WIDTH, HEIGHT):
        raise ValueError("an unexpected kind of PNG: %r" % (shape,))
    step = {2: 3, 6: 4}[colour_type]
    raw, size = zlib.decompress(packed), width * step
    found, above = {}, bytearray(size)
    for y in range(bottom):
        line = bytearray(raw[y * (size + 1) + 1:(y + 1) * (size + 1)])
        unfilter(raw[y * (size + 1)], line, above, step)
        above = line
        for x in range(left, right) if y >= top else ():
            colour = tuple(line[x * step:x * step + 3])
            found[colour] = found.get(colour, 0) + 1
    return found
