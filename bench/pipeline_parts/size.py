"""Bytes of real recordings, against KRR's layout of the same events, raw and after gzip -6."""

import os
import subprocess

from lab import Failed, Row, line_of, program, run, say, words

RECORDINGS = [("demo", "", 1), ("demo", "", 2), ("mixed", "36", 1), ("mixed", "36", 2),
              ("dd", "48000", 1), ("dd", "48000", 2)]
RAW_GOAL, GZIP_GOAL = 20, 3
COLUMNS_SHOWN = 5


def segment_bytes(recording):
    folder = os.path.join(recording, "segments")
    return sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))


def gzip_bytes(path):
    p = subprocess.Popen(["gzip", "-6", "-c", path], stdout=subprocess.PIPE)
    n = 0
    while True:
        some = p.stdout.read(1 << 20)
        if not some:
            break
        n += len(some)
    if p.wait() != 0:
        raise Failed("gzip failed")
    return n


def columns_of(recording):
    """[(compressed bytes alone, name), …], most first."""
    output = run([program("pipeline_parts/columns"), recording])
    columns = []
    for line in output.splitlines():
        name, rest = line.split(" ", 1)
        if name != "blocks":
            columns.append((words(rest)["alone"], name))
    return sorted(columns, reverse=True)


def measure(lab, workload, arg, vcpus):
    recording = lab.recording(workload, arg, vcpus, "console:SKEIN-READY")
    image = lab.path("krr.image")
    counts = line_of(run([program("pipeline_parts/krr_image"), recording, image]), "image")
    result = {"workload": workload, "vcpus": vcpus, "ours": segment_bytes(recording),
              "krr_raw": os.path.getsize(image), "krr_gzip": gzip_bytes(image),
              "events": counts["events"], "krr_events": counts["counted"], "counts": counts,
              "columns": [{"name": name, "alone": size} for size, name in columns_of(recording)]}
    os.unlink(image)
    return result


def rows_of(r):
    name = "%s, %d vCPU%s" % (r["workload"], r["vcpus"], "s" if r["vcpus"] > 1 else "")
    raw, gzip = r["krr_raw"] / r["ours"], r["krr_gzip"] / r["ours"]
    return [
        Row("size", name, "%.2f bytes per event of %d (%.2f MB); KRR's layout %.1f per event of %d "
            "(%.1f MB, gzip -6 %.2f MB)"
            % (r["ours"] / r["events"], r["events"], r["ours"] / 1e6,
               r["krr_raw"] / max(r["krr_events"], 1), r["krr_events"], r["krr_raw"] / 1e6,
               r["krr_gzip"] / 1e6)),
        Row("size", name + ": KRR raw / skein", "%.1f×" % raw, "≥ %d×" % RAW_GOAL,
            raw >= RAW_GOAL),
        Row("size", name + ": KRR gzip -6 / skein", "%.2f×" % gzip, "≥ %d×" % GZIP_GOAL,
            gzip >= GZIP_GOAL),
    ]


def section(lab):
    rows, results = [], []
    for workload, arg, vcpus in RECORDINGS:
        r = measure(lab, workload, arg, vcpus)
        results.append(r)
        ours = rows_of(r)
        rows += ours
        if any(row.met is False for row in ours):
            top = ", ".join("%s %.3f" % (c["name"], c["alone"] / 1e6)
                            for c in r["columns"][:COLUMNS_SHOWN])
            lab.facts.append("size: where the %.2f MB of %s with %d vCPU(s) go, in MB, each column "
                             "compressed alone: %s"
                             % (r["ours"] / 1e6, workload, vcpus, top))
        say("size: %s with %d vCPU(s)" % (workload, vcpus))
    lab.facts.append(
        "size: the demo's files, pipes and sockets hold pseudo-random bytes, which nothing makes "
        "smaller; both sides have them.")
    lab.facts.append(
        "size: recorded from SKEIN-READY. All our bytes are counted; on KRR's side only events "
        "that it has, without those that only it has (bench/pipeline_parts/krr_image.c has the "
        "mapping; all that is unknown is in KRR's favour).")
    return rows, results
