#!/usr/bin/env python3
"""Shards as docs/format.md tells them, against ours: each side from either, at the same time.

Usage: shard_test.py SHARD_PEER
"""

import os
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import shard  # noqa: E402
from wire import Damage  # noqa: E402

PEER = os.path.abspath(sys.argv[1])
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
        self.addCleanup(os.unlink, self.path)
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


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
