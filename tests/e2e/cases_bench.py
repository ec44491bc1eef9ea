"""skein bench: one bench measured, resumed, and refused when it would be another one."""

import csv
import glob
import json
import os

from lab import Skipped, need


def rows(folder):
    with open(os.path.join(folder, "results.csv"), encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def bench(lab, schemes, *more):
    paths = lab.paths
    variables = {"SKEIN_KERNEL": paths.kernel, "SKEIN_INITRD_VIRTIO": paths.initrd_virtio}
    if paths.stock_qemu:
        variables["SKEIN_STOCK_QEMU"] = paths.stock_qemu
    p = lab.start("bench", "micro", "--only", "getpid", "--cores", "1", "--scale", "0.1",
                  "--schemes", ",".join(schemes), "-o", lab.dir("out"), *more, **variables)
    return lab.finish(p)


def check_summary(folder, schemes):
    with open(os.path.join(folder, "summary.json"), encoding="utf-8") as f:
        summary = json.load(f)
    need([r["scheme"] for r in summary["rows"]] == schemes, "rows: %s" % summary["rows"])
    skein = summary["rows"][-1]
    need((skein["recordings"], skein["same"]) == (1, 1), "not verified: %s" % skein)
    need(skein["log_raw_mb_s"] > skein["log_disk_mb_s"] > 0 and skein["replay_ratio"] > 0,
         "no log, or no replay: %s" % skein)
    if "native" in schemes:
        need(skein["slowdown"] > 0, "no slow-down: %s" % skein)
    need(not summary["diverged"] and not summary["missing"], "not all well: %s" % summary)


def check_graphs(folder):
    svgs = glob.glob(os.path.join(folder, "*.svg"))
    need(svgs and len(svgs) == len(glob.glob(os.path.join(folder, "*.pdf"))), "graphs: %s" % svgs)
    for path in svgs:
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for said in ("<svg", "getpid", "1 vCPU", "Lower is better", "Machine:"):
            need(said in text, "%s does not say %s" % (os.path.basename(path), said))
        with open(os.path.join(folder, "report.md"), encoding="utf-8") as f:
            need(os.path.basename(path) in f.read(), "the page lacks " + path)


def forget_last_row(folder):
    path = os.path.join(folder, "results.csv")
    with open(path, encoding="utf-8") as f:
        lines = f.readlines()
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(lines[:-1])


def run(lab):
    if not lab.paths.initrd_virtio:
        raise Skipped("no guest image with drivers for virtio (SKEIN_INITRD_VIRTIO)")
    schemes = (["native"] if lab.paths.stock_qemu else []) + ["skein"]
    out = lab.dir("out")
    first = bench(lab, schemes, "--trials", "1").need_code(0, "bench")
    need("getpid" in first.out and first.err == "", "said: %r, %r" % (first.out, first.err))
    done = rows(out)
    need([r["scheme"] for r in done] == schemes, "rows: %s" % done)
    check_summary(out, schemes)
    check_graphs(out)
    need(not os.path.exists(os.path.join(out, "recordings")), "recordings are left over")

    again = bench(lab, schemes, "--trials", "1").need_code(0, "bench, with all done")
    need(again.out == first.out and rows(out) == done, "what was there was measured again")

    forget_last_row(out)
    bench(lab, schemes, "--trials", "1").need_code(0, "bench, resumed")
    more = rows(out)
    need(more[:-1] == done[:-1] and more[-1]["scheme"] == "skein" and more[-1] != done[-1],
         "not resumed: %s" % more)

    other = bench(lab, schemes, "--trials", "2").need_code(2, "bench, of another run")
    other.need_one_line("holds results of another run", "trials: 1, now 2")
    need(rows(out) == more, "a refused run has changed the results")


def add_cases(case):
    case("bench-micro", timeout_s=600)(run)
