"""What is measured, how much of it, and in which order."""

import fnmatch
from dataclasses import dataclass

SCHEMES = ("native", "skein", "system", "qemu-rr")
# Those that make a recording of ours.
RECORDED = ("skein", "system")
SCHEME_NAMES = {
    "native": "QEMU without recording",
    "skein": "Skein, kernel only",
    "system": "Skein, whole VM",
    "qemu-rr": "QEMU's record/replay (1 vCPU only)",
}

TITLES = {"rocksdb": "RocksDB (db_bench)", "redis": "redis", "nginx": "nginx (wrk)",
          "build": "Parallel build (tcc)", "micro": "Single operations of the kernel"}
MEASURE_NAMES = {"slowdown": "what recording costs", "log_disk_mb_s": "size of the log",
                 "replay_ratio": "time of the replay"}


@dataclass(frozen=True)
class Bench:
    workload: str
    name: str
    ops: int  # as guest/workloads/bench-WORKLOAD.sh counts them
    unit: str
    by_host: bool = False  # the client runs on the host


@dataclass(frozen=True)
class Cell:
    """One boot of one guest."""
    bench: Bench
    cores: int
    scheme: str
    trial: int

    @property
    def key(self):
        return (self.bench.workload, self.bench.name, self.cores, self.scheme, self.trial)

    def __str__(self):
        return "%s %s, %d vCPU%s, %s, trial %d" % (
            self.bench.workload, self.bench.name, self.cores, "" if self.cores == 1 else "s",
            self.scheme, self.trial)


def rocksdb():
    # On the disk each read waits for the device.
    ops = {"readrandom": (20000, 2500), "readseq": (4, 3), "readwhilewriting": (8000, 2000),
           "readwhilescanning": (10000, 2500), "seekrandom": (10000, 5000)}
    return [Bench("rocksdb", "%s-%s" % (name, place), n[place == "disk"], "reads/s")
            for place in ("tmpfs", "disk") for name, n in ops.items()]


def redis():
    ops = {1: 6000, 16: 40000}
    return [Bench("redis", "%s-p%d-%s" % (command, pipeline, client), n, "requests/s",
                  client == "host")
            for client in ("guest", "host") for command in ("get", "set")
            for pipeline, n in ops.items()]


def nginx():
    return [Bench("nginx", "%dk-%s" % (kib, client), 3, "requests/s", client == "host")
            for client in ("guest", "host") for kib in (1, 4, 16, 64)]


def build():
    return [Bench("build", "tcc", 40, "files/s")]


def micro():
    ops = {"getpid": 2000000, "read-4k": 600000, "read-128k": 20000, "write-4k": 400000,
           "write-128k": 20000, "fork": 1500, "pipe": 10000, "futex": 10000, "fault": 200000}
    units = {"fork": "forks/s", "pipe": "round trips/s", "futex": "round trips/s",
             "fault": "pages/s"}
    return [Bench("micro", name, n, units.get(name, "calls/s")) for name, n in ops.items()]


WORKLOADS = {"rocksdb": rocksdb, "redis": redis, "nginx": nginx, "build": build, "micro": micro}


def scaled(bench, scale):
    return Bench(bench.workload, bench.name, max(1, round(bench.ops * scale)), bench.unit,
                 bench.by_host)


def benches(workloads, only, scale):
    """Those of the workloads that a pattern matches; all of them without patterns."""
    found = [scaled(b, scale) for w in workloads for b in WORKLOADS[w]()]
    if only:
        found = [b for b in found if any(fnmatch.fnmatch(b.name, p) for p in only)]
    return found


def possible(scheme, cores):
    return scheme != "qemu-rr" or cores == 1


def rotated(items, by):
    by %= len(items)
    return items[by:] + items[:by]


def cells(options):
    """Interleaved: a trial is one of everything, and no scheme is the first in all trials."""
    chosen = benches(options.workloads, options.only, options.scale)
    return [Cell(bench, cores, scheme, trial)
            for trial in range(1, options.trials + 1)
            for bench in chosen
            for cores in options.cores
            for scheme in rotated(options.schemes, trial - 1)
            if possible(scheme, cores)]


def warm_ups(all_cells):
    """One of each scheme, to be thrown away: programs and images come into the page cache."""
    found = {}
    for cell in all_cells:
        found.setdefault(cell.scheme, cell)
    return list(found.values())
