"""Reads the traces that skein export writes: protobuf's wire format, and what we put in it."""

import collections
import struct

SLICE_BEGIN, SLICE_END, INSTANT, COUNTER = 1, 2, 3, 4
Event = collections.namedtuple("Event", "ns type track name args flows ends value category")
Track = collections.namedtuple("Track", "name parent rank process counter")


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """(number, value) of each field; value: int, or bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 1:
            value, at = struct.unpack_from("<Q", data, at)[0], at + 8
        elif kind == 2:
            length, at = varint(data, at)
            if at + length > len(data):
                raise ValueError("a field is longer than its message")
            value, at = data[at:at + length], at + length
        else:
            raise ValueError("wire type %d" % kind)
        yield key >> 3, value


def message(data):
    out = collections.defaultdict(list)
    for number, value in fields(data):
        out[number].append(value)
    return out


def one(msg, number, default=None):
    return msg[number][0] if number in msg else default


class Trace:
    def __init__(self, data):
        self.tracks = {}
        self.events = []
        self.names = {1: {}, 2: {}, 3: {}}  # categories, events, arguments
        for number, packet in fields(data):
            if number != 1:
                raise ValueError("field %d at the top" % number)
            self.packet(message(packet))

    def packet(self, p):
        if one(p, 10) != 1:
            raise ValueError("a packet without its writer")
        for interned in p.get(12, []):
            for kind, entry in fields(interned):
                entry = message(entry)
                if one(entry, 1) in self.names[kind]:
                    raise ValueError("name %d is told twice" % one(entry, 1))
                self.names[kind][one(entry, 1)] = one(entry, 2).decode()
        if 60 in p:
            self.track(message(one(p, 60)))
        if 11 in p:
            self.event(one(p, 8), message(one(p, 11)))

    def track(self, t):
        process = one(message(one(t, 3)), 6).decode() if 3 in t else None
        self.tracks[one(t, 1)] = Track(one(t, 2).decode(), one(t, 5), one(t, 12), process, 8 in t)

    def event(self, ns, e):
        args = {}
        for arg in e.get(4, []):
            arg = message(arg)
            args[self.names[3][one(arg, 1)]] = one(arg, 3, one(arg, 7))
        name = self.names[2][one(e, 10)] if 10 in e else None
        category = self.names[1][one(e, 3)] if 3 in e else None
        self.events.append(Event(ns, one(e, 9), one(e, 11), name, args, e.get(47, []),
                                 e.get(48, []), one(e, 30), category))

    def slices(self):
        """Checks what must hold of every trace. (track name, begin, end) in order of the ends."""
        last, open_at, out, flows = {}, {}, [], {}
        for e in self.events:
            if e.track not in self.tracks:
                raise ValueError("an event on track %r, which nobody described" % e.track)
            if e.ns < last.get(e.track, 0):
                raise ValueError("track %s: %d after %d" % (self.tracks[e.track].name, e.ns,
                                                          last[e.track]))
            last[e.track] = e.ns
            if e.type == SLICE_BEGIN:
                if e.track in open_at:
                    raise ValueError("two begins on a track")
                open_at[e.track] = e
            elif e.type == SLICE_END:
                out.append((self.tracks[e.track].name, open_at.pop(e.track), e))
            for flow in e.flows:
                if flow in flows:
                    raise ValueError("flow %d begins twice" % flow)
                flows[flow] = e
            for flow in e.ends:
                if flows.pop(flow).ns > e.ns:
                    raise ValueError("flow %d ends before it begins" % flow)
        if open_at or flows:
            raise ValueError("not ended: %d slices, %d flows" % (len(open_at), len(flows)))
        return out
