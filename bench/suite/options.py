"""The options of the run, as the verb gives them."""

import argparse

import plan


def words(text):
    return text.split(",")


def numbers(text):
    return [int(word) for word in words(text)]


def parse(args):
    p = argparse.ArgumentParser(prog="skein bench", allow_abbrev=False)
    p.add_argument("workloads", nargs="+", choices=list(plan.WORKLOADS))
    p.add_argument("-o", "--output", required=True)
    p.add_argument("--schemes", type=words, default=["native", "skein"])
    p.add_argument("--cores", type=numbers, default=[1, 2, 4])
    p.add_argument("--trials", type=int, default=3)
    p.add_argument("--only", type=words, default=[])
    p.add_argument("--scale", type=float, default=1.0)
    p.add_argument("-q", "--quiet", action="store_true")
    p.add_argument("--json", nargs="?", const="-", metavar="FILE")
    return p.parse_args(args)


def identity(options):
    """What the results of one folder must have in common, of the options."""
    return {"workloads": sorted(options.workloads), "schemes": sorted(options.schemes),
            "cores": sorted(options.cores), "trials": options.trials,
            "only": sorted(options.only), "scale": options.scale}


def command(options):
    """The line that makes these results."""
    text = ["skein bench", *options.workloads, "--schemes", ",".join(options.schemes),
            "--cores", ",".join(map(str, options.cores)), "--trials", str(options.trials)]
    if options.only:
        text += ["--only", "'%s'" % ",".join(options.only)]
    if options.scale != 1:
        text += ["--scale", "%g" % options.scale]
    return " ".join(text + ["-o DIR"])
