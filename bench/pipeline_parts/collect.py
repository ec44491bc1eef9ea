"""The collector: shards to sealed segments, from the demo's events; and the soak."""

from lab import Row, big, line_of, median, program, run, say

EVENTS_GOAL, MB_GOAL = 10e6, 400
MEMORY_GOAL = 1.1


def collector_section(lab):
    demo = lab.demo()
    samples = []
    for n in range(lab.rounds):
        output = run([program("pipeline_parts/collector"), "--repeat", "1", "--tmp", lab.tmp,
                      demo])
        samples.append(line_of(output, "run"))
        say("collector: round %d of %d" % (n + 1, lab.rounds))
    events, mb = median(samples, "events_per_s_core"), median(samples, "mb_per_s_core")
    rows = [
        Row("collector", "per core", "%sevents/s" % big(events), "≥ 10 M events/s",
            events >= EVENTS_GOAL),
        Row("collector", "per core, raw bytes of shards", "%.0f MB/s" % mb, "≥ 400 MB/s",
            mb >= MB_GOAL),
        Row("collector", "wall time", "%sevents/s, %.0f MB/s; %d waits for room"
            % (big(median(samples, "events_per_s")), median(samples, "mb_per_s"),
               median(samples, "ring_waits"))),
    ]
    lab.facts.append("collector: the events of the demo with 2 vCPUs from boot, played into shards "
                     "by another process; per core is per second of CPU time of all threads of the "
                     "collector. Files stay in the page cache (durability none).")
    return rows, samples


def soak_section(lab):
    say("soak: %d s" % lab.soak_seconds)
    output = run([program("pipeline_parts/soak"), lab.demo(), str(lab.soak_seconds)])
    soak, fill = line_of(output, "soak"), line_of(output, "fill")
    checked = line_of(output, "check")
    steps = ", ".join("%s %.4g %%" % (name.replace("below_", "< "),
                                     100 * count / max(fill["samples"], 1))
                      for name, count in fill.items() if name.startswith("below_"))
    memory = soak["memory_after_kib"] / max(soak["memory_before_kib"], 1)
    rows = [
        Row("soak", "rate", "%sevents/s for %.0f s (twice the demo's); %.2f cores"
            % (big(soak["events_per_s"]), soak["wall_s"], soak["cpu_s"] / soak["wall_s"]),
            "as wanted", soak["events_per_s"] >= 0.95 * soak["wanted_per_s"]),
        Row("soak", "events lost", "%d of %sevents; %swere read back, the same"
            % (soak["lost"], big(soak["events"]), big(checked["events"])), "0",
            soak["lost"] == 0 and checked["events"] == soak["events"]),
        Row("soak", "memory of the collector", "%.1f MB in the second quarter, %.1f MB in the "
            "second half" % (soak["memory_before_kib"] / 1024, soak["memory_after_kib"] / 1024),
            "flat (≤ %.1f×)" % MEMORY_GOAL, memory <= MEMORY_GOAL),
        Row("soak", "fullest ring, part of samples", "%s; most %.1f %%; %d waits for room"
            % (steps, 100 * fill["max"], soak["waits"])),
    ]
    lab.facts.append("soak: fill is sampled every 5 ms, of the ring (8 MiB) that is fullest then. "
                     "The memory includes the events to play, which do not grow.")
    return rows, {"soak": soak, "fill": fill, "check": checked}
