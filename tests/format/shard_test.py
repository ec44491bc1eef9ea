#!/usr/bin/env python3
"""Shards as docs/format.md tells them, against ours: each side from either, at the same time.

Usage: shard_test.py SHARD_PEER SKEIN
"""

import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import reader  # noqa: E402
import shard  # noqa: E402
from wire import Damage  # noqa: E402

PEER, SKEIN = (os.path.abspath(a) for a in sys.argv[1:3])
COUNT = 1500
RING = 65536


def record(i):
    size = 8192 if i % 100 == 99 else i * 37 % 400
    payload = bytes((i + k) & 0xff for k in range(size)) + bytes(-size % 8)
    return struct.pack("<HBBI", 8 + len(payload), 1 + i % 13, 0, i) + payload


class Shards(unittest.TestCase):
    def setUp(self):
        fd, self.path = tempfile.mkstemp(prefix="skein-shard-", dir=os.environ.get("TEST_TMPDIR"))
        os.close(fd)
        self.addCleanup(lambda: os.path.exists(self.path) and os.unlink(self.path))
        self.memory = shard.create_session(self.path, 1, RING, bytes(range(16)))

    def peer(self, verb):
        return subprocess.Popen([PEER, verb, self.path, str(COUNT)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def test_ours_reads_what_another_writes(self):
        peer = self.peer("read")
        writer = shard.Writer(self.memory, 0)
        writer.reader_lives = lambda: peer.poll() is None
        for i in range(COUNT):
            writer.append(record(i))
            if i % 11 == 0:
                writer.publish()
        writer.close()
        out, err = peer.communicate(timeout=60)
        self.assertEqual((peer.returncode, out, err), (0, "%d\n" % COUNT, ""))
        self.assertGreater(writer.head, 4 * RING)

    def test_another_reads_what_ours_writes(self):
        peer = self.peer("write")
        reader, got = shard.Reader(self.memory, 0), []
        deadline = time.monotonic() + 60
        while not reader.drained() and time.monotonic() < deadline:
            if reader.look():
                got += reader.take()
            else:
                time.sleep(100e-6)
        self.assertEqual(got, [record(i) for i in range(COUNT)])
        self.assertEqual((peer.wait(timeout=60), reader.tick), (0, COUNT))
        peer.communicate()

    def test_what_is_left_can_be_told_from_damage(self):
        writer = shard.Writer(self.memory, 0)
        for i in range(20):
            writer.append(record(i))
        writer.publish()
        writer.append(record(20))  # never published
        reader = shard.Reader(self.memory, 0)
        self.assertTrue(reader.look())
        self.assertEqual(reader.take(), [record(i) for i in range(20)])
        place = writer.place(writer.published)
        writer.publish()
        self.memory.map[place + 9] ^= 0x40
        with self.assertRaises(Damage):
            reader.look()
        p = self.peer("read")
        self.assertEqual((p.communicate()[0], p.returncode), ("0\n", 1))

    def dead_session(self):
        """One whose processes are gone while QEMU recorded."""
        gone = subprocess.Popen(["true"])
        gone.wait()
        memory = shard.create_session(self.path, 2, RING, os.urandom(16))
        memory.map[64:72] = struct.pack("<2i", gone.pid, gone.pid)
        memory.map[128:132] = struct.pack("<I", 2)
        return memory

    def test_what_another_left_can_be_recovered(self):
        """From a dead writer's shards to a recording, and back from that."""
        memory = self.dead_session()
        writers, want = [shard.Writer(memory, i) for i in range(3)], []

        def put(i, kind, arg, *words):
            data = struct.pack("<HBBI%dQ" % len(words), 8 + 8 * len(words), kind, 0, arg, *words)
            writers[i].append(data)
            want.append((i, writers[i].tick, data))

        put(0, 1, 0xff, 0, 0, 0)
        put(0, 12, 0, 100)
        put(1, 1, 0, 2, 0, 0)
        put(1, 4, 3 | 8 << 8, 123456)
        put(2, 1, 1, 2, 0, 0)
        put(2, 6, 8, 0, 0x1000, 0xdead)
        put(0, 1, 2, 2, 100, 9)
        put(0, 12, 0, 130)
        for writer in writers:
            writer.publish()
        out = self.path + ".out"
        self.addCleanup(shutil.rmtree, out, True)
        p = subprocess.run([SKEIN, "recover", "-q", "-o", out, self.path], capture_output=True,
                           text=True, timeout=60)
        self.assertEqual((p.returncode, p.stdout, p.stderr), (3, "", ""))  # no manifest, no snapshot
        recording = reader.Recording(out)
        self.assertEqual([(i, tick, data) for i, tick, _, data in recording.events()], want)
        self.assertTrue(recording.manifest["loss"])
        self.assertFalse(os.path.exists(self.path))  # all of it is on disk


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
