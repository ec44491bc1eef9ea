"""What we want to reach, and which rows of a summary show it."""

from dataclasses import dataclass

EVERY_CORES = (1, 2, 4)


@dataclass(frozen=True)
class Goal:
    """Of the rows for which `holds_for` is true, `measure` is at most `limit`."""
    what: str
    measure: str  # a key of summary.py's rows
    limit: float
    holds_for: object
    scale: str = "×"


def of_skein(workloads, cores, also=lambda row: True):
    return lambda row: (row["scheme"] == "skein" and row["workload"] in workloads
                        and row["cores"] in cores and also(row))


def on_tmpfs(row):
    return row["bench"].endswith("-tmpfs")


GOALS = (
    Goal("RocksDB reads on tmpfs, 1 vCPU", "slowdown", 1.05,
         of_skein(("rocksdb",), (1,), on_tmpfs)),
    Goal("RocksDB reads on tmpfs, 2 vCPUs", "slowdown", 1.25,
         of_skein(("rocksdb",), (2,), on_tmpfs)),
    Goal("redis, nginx, 1 vCPU", "slowdown", 1.3, of_skein(("redis", "nginx"), (1,))),
    Goal("redis, nginx, 2 vCPUs", "slowdown", 2, of_skein(("redis", "nginx"), (2,))),
    Goal("build", "slowdown", 1.3, of_skein(("build",), EVERY_CORES)),
    Goal("pipe ping-pong, 2 vCPUs", "slowdown", 2.2,
         of_skein(("micro",), (2,), lambda row: row["bench"] == "pipe")),
    Goal("log of RocksDB's reads on disk", "log_disk_mb_s", 5,
         of_skein(("rocksdb",), EVERY_CORES), " MB/s"),
    Goal("replay by recording", "replay_ratio", 1,
         lambda row: row["scheme"] in ("skein", "system")),
)


def limit(row, measure):
    """The goal's limit for that row and measure; None: there is none."""
    limits = [g.limit for g in GOALS if g.measure == measure and g.holds_for(row)]
    return min(limits) if limits else None


def judge(rows):
    """Each goal with the rows that it is about: those that miss it, and the worst."""
    found = []
    for goal in GOALS:
        values = [(row[goal.measure], row) for row in rows
                  if goal.holds_for(row) and row.get(goal.measure) is not None]
        if not values:
            continue
        worst, row = max(values, key=lambda pair: pair[0])
        found.append({"goal": goal.what, "limit": goal.limit, "unit": goal.scale,
                      "rows": len(values), "missed": sum(v > goal.limit for v, _ in values),
                      "met": worst <= goal.limit, "worst": worst,
                      "worst_row": "%s %s, %d vCPU%s, %s" % (
                          row["workload"], row["bench"], row["cores"],
                          "" if row["cores"] == 1 else "s", row["scheme"])})
    return found
