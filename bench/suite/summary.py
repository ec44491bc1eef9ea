"""Medians and spread of the trials, and every scheme against native."""

import json
import os
import statistics

import goals
import plan

# Medians of these columns stand in a summary's row as they are.
COPIED = ("seconds", "events", "record_s", "log_raw_mb_s", "log_disk_mb_s", "back_pressure",
          "back_pressure_s", "token_wait_s", "replay_s")


def median(values):
    known = [v for v in values if v is not None]
    return statistics.median(known) if known else None


def spread(values):
    """From the least to the most, as a part of the median."""
    middle = median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def groups(rows):
    """{(workload, bench, cores, scheme): rows}, in the order of the plan."""
    order = [(w, b.name) for w in plan.WORKLOADS for b in plan.WORKLOADS[w]()]
    found = {}
    for row in rows:
        found.setdefault((row["workload"], row["bench"], row["cores"], row["scheme"]),
                         []).append(row)
    return dict(sorted(found.items(), key=lambda item: (
        order.index(item[0][:2]), item[0][2], plan.SCHEMES.index(item[0][3]))))


def ratios(rows, over, under):
    return [row[over] / row[under] for row in rows if row.get(over) and row.get(under)]


def row_of(key, rows, native):
    """`native` is native's median at the same number of vCPUs, or None."""
    values = [row["value"] for row in rows]
    middle = median(values)
    verdicts = [row["verdict"] for row in rows if row.get("verdict")]
    return {
        **dict(zip(("workload", "bench", "cores", "scheme"), key)),
        "trials": len(rows), "unit": rows[0]["unit"], "value": middle,
        "min": min(values), "max": max(values), "spread": spread(values),
        "slowdown": native / middle if native else None,
        # Of the slowest and the fastest trial against native's median.
        "slowdown_range": [native / max(values), native / min(values)] if native else None,
        "replay_ratio": median(ratios(rows, "replay_s", "record_s")),
        "recordings": len(verdicts), "same": verdicts.count("same"),
        **{name: median([row.get(name) for row in rows]) for name in COPIED},
    }


def summarize(rows):
    found = groups(rows)
    natives = {key[:3]: median([row["value"] for row in some])
               for key, some in found.items() if key[3] == "native"}
    return [row_of(key, some, natives.get(key[:3])) for key, some in found.items()]


def diverged(rows):
    return [{**{name: row[name] for name in ("workload", "bench", "cores", "scheme", "trial")},
             "verdict": row["verdict"], "message": row["message"]}
            for row in rows if row.get("verdict") not in (None, "", "same")]


def whole(results, missing, about):
    """What summary.json holds."""
    rows = summarize(results)
    return {**about, "rows": rows, "goals": goals.judge(rows), "diverged": diverged(results),
            "missing": missing}


def write(folder, summary):
    path = os.path.join(folder, "summary.json")
    with open(path + ".new", "w", encoding="utf-8") as f:
        json.dump(summary, f, indent=1)
        f.write("\n")
    os.rename(path + ".new", path)
