"""Graphs of a summary, as SVG and PDF: each says by itself what it shows."""

import os
import textwrap

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402 (the backend comes first)

import goals  # noqa: E402
import plan  # noqa: E402

# Told apart by colour-blind eyes, too (Okabe and Ito).
COLOURS = {"native": "#000000", "skein": "#0072B2", "system": "#E69F00", "qemu-rr": "#999999"}
MEASURES = {
    "slowdown": ("slow-down against QEMU without recording at the same number of vCPUs (×)",
                 "Lower is better; 1 is no slow-down."),
    "log_disk_mb_s": ("log on disk (MB per second of recording)", "Lower is better."),
    "replay_ratio": ("time of the replay by time of the recording (×)",
                     "Lower is better; below 1 the replay is faster than the recording was."),
}
BAR = 0.8


def shown(rows, measure):
    """The rows that a graph of the measure has bars for."""
    return [row for row in rows if row.get(measure) is not None
            and not (measure == "slowdown" and row["scheme"] == "native")]


def bars(axis, rows, measure, benches, schemes):
    """A bar for each bench and scheme; a whisker from the best trial to the worst."""
    height = BAR / len(schemes)
    for row in rows:
        turn = schemes.index(row["scheme"])
        place = benches.index(row["bench"]) - BAR / 2 + (turn + 0.5) * height
        value = row[measure]
        axis.barh(place, value, height * 0.92, color=COLOURS[row["scheme"]],
                  label=plan.SCHEME_NAMES[row["scheme"]])
        end = value
        if measure == "slowdown" and row["trials"] > 1:
            low, end = row["slowdown_range"]
            axis.errorbar(value, place, xerr=[[max(0, value - low)], [max(0, end - value)]],
                          color="black", linewidth=0.8, capsize=1.5)
        axis.annotate("%.2f" % value, (max(end, value), place), xytext=(3, 0),
                      textcoords="offset points", va="center", fontsize=6)
        wanted = goals.limit(row, measure)
        if wanted is not None:
            axis.plot([wanted, wanted], [place - height / 2, place + height / 2], color="#D55E00",
                      linewidth=2, label="goal: not to the right of this line")


def panel(axis, cores, rows, measure, benches, schemes):
    bars(axis, rows, measure, benches, schemes)
    axis.set_title("%d vCPU%s" % (cores, "" if cores == 1 else "s"), fontsize=9)
    axis.set_yticks(range(len(benches)), benches, fontsize=7)
    axis.set_ylim(len(benches) - 0.5, -0.5)
    axis.tick_params(axis="x", labelsize=7)
    axis.grid(axis="x", linewidth=0.3)
    axis.set_axisbelow(True)
    axis.margins(x=0.15)
    axis.set_xlim(left=0)
    if measure != "log_disk_mb_s":
        axis.axvline(1, color="black", linewidth=0.8)


def legend(figure, axes, top):
    found = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels()):
            found.setdefault(label, handle)
    figure.legend(found.values(), found.keys(), loc="upper center", ncol=len(found), fontsize=7,
                  frameon=False, bbox_to_anchor=(0.5, top))


def frame(figure, inches, title, measure, about):
    """Title, unit, what is better, and where it was measured: above and below the panels."""
    label, better = MEASURES[measure]
    figure.text(0.5, 1 - 0.25 / inches, title, fontsize=11, ha="center")
    figure.text(0.5, 0.48 / inches, label, fontsize=8, ha="center")
    trials = about["options"]["trials"]
    of = "Medians of %d trials" % trials if trials > 1 else "One trial"
    if measure == "slowdown" and trials > 1:
        of += ", whiskers from the best trial to the worst"
    note = "%s %s. %s" % (better, of, about["machine_line"])
    figure.text(0.5, 0.08 / inches, textwrap.fill(note, 130), fontsize=6.5, ha="center")
    figure.tight_layout(rect=(0, 0.65 / inches, 1, 1 - 0.55 / inches))


def draw(workload, measure, rows, about):
    """The figure of one workload and measure."""
    benches = list(dict.fromkeys(row["bench"] for row in rows))
    schemes = [s for s in plan.SCHEMES if any(row["scheme"] == s for row in rows)]
    cores = sorted({row["cores"] for row in rows})
    inches = 1.9 + 0.16 * len(benches) * max(2, len(schemes))
    figure, axes = plt.subplots(1, len(cores), figsize=(max(7, 3.3 * len(cores) + 0.8), inches),
                                sharey=True, squeeze=False)
    for axis, n in zip(axes[0], cores):
        panel(axis, n, [row for row in rows if row["cores"] == n], measure, benches, schemes)
    frame(figure, inches, "%s: %s" % (plan.TITLES[workload], plan.MEASURE_NAMES[measure]), measure,
          about)
    legend(figure, axes[0], 1 - 0.32 / inches)
    return figure


def write(folder, summary):
    """All graphs for which there are rows: [(workload, measure, name without ending)]."""
    # The same numbers make the same bytes.
    matplotlib.rcParams["svg.hashsalt"] = "skein"
    # Text stays text, which can be searched and is small.
    matplotlib.rcParams["svg.fonttype"] = "none"
    made = []
    for workload in plan.WORKLOADS:
        for measure in MEASURES:
            rows = [row for row in shown(summary["rows"], measure) if row["workload"] == workload]
            if not rows:
                continue
            figure = draw(workload, measure, rows, summary)
            name = "%s-%s" % (workload, measure.split("_")[0])
            figure.savefig(os.path.join(folder, name + ".svg"), metadata={"Date": None})
            figure.savefig(os.path.join(folder, name + ".pdf"), metadata={"CreationDate": None})
            plt.close(figure)
            made.append((workload, measure, name))
    return made
