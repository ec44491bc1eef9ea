"""A reader of checkpoints that knows docs/format.md and nothing of pipeline/."""

import os
import struct

import reader
from wire import Damage, parse, unzstd, xxh64

CHUNK = 262144
PAGE = 4096


def runs(raw, at):
    """(offset in the block, bytes) of a RAM section's runs; and where it ends."""
    found = []
    while True:
        where, size = struct.unpack_from("<QQ", raw, at)
        at += 16
        if size == 0:
            return found, at
        found.append((where, raw[at:at + size]))
        at += size


def take_apart(raw):
    """A raw file's RAM as {block: (offset, length, runs)}, in order, and all else in one piece."""
    if raw[:8] != b"SKNSNAP1":
        raise Damage("not the state of a machine")
    at, ram, state, kind = 8, {}, [raw[:8]], 0
    while kind != 5:
        kind, name_bytes, size = struct.unpack_from("<IIQ", raw, at)
        end = at + 16 + name_bytes
        if kind == 4:
            offset, length = struct.unpack_from("<QQ", raw, end)
            name = raw[at + 16:end].decode()
            found, at = runs(raw, end + 16)
            ram[name] = (offset, length, found)
        else:
            state.append(raw[at:end + size])
            at = end + size
    if at != len(raw):
        raise Damage("something follows the end")
    return ram, b"".join(state)


class Image:
    """RAM, laid out, from the snapshot's runs; and the contents in the order that numbers them."""

    def __init__(self, ram):
        self.blocks = {name: bytearray(length) for name, (_, length, _) in ram.items()}
        self.places = [(name, offset, length) for name, (offset, length, _) in ram.items()]
        self.contents = []
        for name, (_, _, found) in ram.items():
            for at, data in found:
                self.blocks[name][at:at + len(data)] = data
                self.contents += [data[i:i + PAGE] for i in range(0, len(data), PAGE)]


class Checkpoint:
    def __init__(self, path, number, manifest, before):
        with open(path, "rb") as f:
            self.data = f.read()
        self.header, begin = reader.frame(self.data, 0, b"SKNCHKPT", "CheckpointHeader")
        if len(self.data) < begin + 16 or self.data[-8:] != b"SKNCKEND":
            raise Damage("no end")
        at = struct.unpack_from("<Q", self.data, len(self.data) - 16)[0]
        if not begin <= at <= len(self.data) - 16:
            raise Damage("an impossible end")
        self.footer, end = reader.frame(self.data, at, b"SKNCKFTR", "CheckpointFooter")
        self.hash = struct.unpack_from("<Q", self.data, end - 8)[0]
        header_hash = struct.unpack_from("<Q", self.data, begin - 8)[0]
        vcpus = manifest["vcpu_count"]
        if end != len(self.data) - 16 or self.footer["header_xxh64"] != header_hash or \
                self.header["before_xxh64"] != before or \
                any(m["uuid"] != manifest["uuid"] or m["number"] != number
                    for m in (self.header, self.footer)) or \
                [len(self.header[k]) for k in ("clock", "icount", "digest", "in_kernel")] != \
                [vcpus + 1, vcpus, vcpus, vcpus]:
            raise Damage("not that checkpoint")
        self.find_chunks(begin, at)

    def find_chunks(self, at, end):
        f, self.chunks = self.footer, []
        for size, want in zip(f["chunk_bytes"], f["chunk_xxh64"]):
            self.chunks.append((at, size, want))
            at += size
        self.parts = [f["state_bytes"], f["contents"] * PAGE, f["table_bytes"]]
        if at != end or len(f["chunk_bytes"]) != len(f["chunk_xxh64"]) or \
                len(self.chunks) != sum(-(-n // CHUNK) for n in self.parts):
            raise Damage("the chunks do not fit")
        if f["pages"] != f["contents"] + f["pages_zero"] + f["pages_shared"]:
            raise Damage("pages do not add up")

    def part(self, number):
        first = sum(-(-n // CHUNK) for n in self.parts[:number])
        left, found = self.parts[number], []
        while left:
            at, size, want = self.chunks[first]
            data = self.data[at:at + size]
            if xxh64(data) != want:
                raise Damage("a chunk's hash")
            found.append(unzstd(data, min(left, CHUNK)))
            left -= len(found[-1])
            first += 1
        return b"".join(found)

    def apply(self, image):
        """Makes the image RAM as it was here."""
        table = parse(reader.MESSAGES, "CheckpointTable", self.part(2))
        contents = self.part(1)
        if [(b["name"], b["offset"], b["bytes"]) for b in self.footer["blocks"]] != image.places or \
                self.footer["first_content"] != len(image.contents) or \
                len(table["hash"]) != 16 * self.footer["contents"]:
            raise Damage("it is of another machine")
        image.contents += [contents[i:i + PAGE] for i in range(0, len(contents), PAGE)]
        last, at, pages = None, 0, 0
        for block, skip, count, content in zip(*(table["run_" + k] for k in (
                "block", "skip", "pages", "content"))):
            at = skip + (at if block == last else 0)
            ram = image.blocks[image.places[block][0]]
            for page in range(count):
                data = image.contents[content - 1 + page] if content else bytes(PAGE)
                ram[(at + page) * PAGE:(at + page + 1) * PAGE] = data
            last, at, pages = block, at + count, pages + count
        if pages != self.footer["pages"]:
            raise Damage("the table has other pages")


def expand(path, manifest):
    """(header, RAM by block, state without RAM) of each checkpoint, from the first on."""
    with open(os.path.join(path, "snapshot.zst"), "rb") as f:
        raw = unzstd(f.read(), manifest["snapshot_raw_bytes"])
    image = Image(take_apart(raw)[0])
    before, number, found = manifest["snapshot"]["xxh64"], 1, []
    while os.path.exists(name := os.path.join(path, "checkpoints/%06d.skc" % number)):
        checkpoint = Checkpoint(name, number, manifest, before)
        checkpoint.apply(image)
        found.append((checkpoint.header, {k: bytes(v) for k, v in image.blocks.items()},
                      checkpoint.part(0)))
        before, number = checkpoint.hash, number + 1
    return found
