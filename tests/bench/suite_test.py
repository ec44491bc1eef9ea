#!/usr/bin/env python3
"""What skein bench plans, keeps, sums up and judges; no guest runs."""

import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
import unittest
from unittest import mock

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../bench/suite"))
import clients  # noqa: E402 (the path comes first)
import errors  # noqa: E402
import goals  # noqa: E402
import options as command_line  # noqa: E402
import page  # noqa: E402
import plan  # noqa: E402
import results  # noqa: E402
import suite  # noqa: E402
import summary  # noqa: E402


def options(*args):
    return command_line.parse([*args, "-o", "x"] if args else ["micro", "-o", "x"])


def row(scheme="native", value=100.0, cores=1, trial=1, workload="micro", bench="pipe", **more):
    return {**dict.fromkeys(results.COLUMNS), "workload": workload, "bench": bench, "cores": cores,
            "scheme": scheme, "trial": trial, "value": value, "unit": "x/s", **more}


def recorded(scheme="skein", **more):
    return row(scheme, **{"record_s": 2.0, "replay_s": 1.0, "verdict": "same", "log_raw_mb_s": 4.0,
                          "log_disk_mb_s": 1.0, "back_pressure": 0, "back_pressure_s": 0.0, **more})


ABOUT = {"command": "skein bench", "machine_line": "Machine: one.",
         "options": {"schemes": ["native", "skein"], "trials": 1}}


class Plan(unittest.TestCase):
    def test_all_that_was_asked_for_once(self):
        cells = plan.cells(options("micro", "build", "--cores", "1,2", "--schemes",
                                   "native,skein,qemu-rr", "--trials", "2"))
        keys = [cell.key for cell in cells]
        self.assertEqual(len(keys), len(set(keys)))
        # Ten benches: three schemes at one vCPU, two at two.
        self.assertEqual(len(keys), 2 * 10 * (3 + 2))
        self.assertFalse([k for k in keys if k[3] == "qemu-rr" and k[2] != 1])

    def test_trials_are_interleaved(self):
        cells = plan.cells(options("micro", "--trials", "2"))
        half = len(cells) // 2
        self.assertEqual({c.trial for c in cells[:half]}, {1})
        self.assertEqual({c.trial for c in cells[half:]}, {2})
        self.assertEqual([c.scheme for c in cells[:2]], ["native", "skein"])
        self.assertEqual([c.scheme for c in cells[half:half + 2]], ["skein", "native"])

    def test_patterns_and_scale(self):
        cells = plan.cells(options("rocksdb", "--only", "seek*-disk,readseq-tmpfs", "--cores", "1",
                                   "--trials", "1", "--schemes", "native", "--scale", "0.5"))
        self.assertEqual([c.bench.name for c in cells], ["readseq-tmpfs", "seekrandom-disk"])
        self.assertEqual(cells[0].bench.ops, 2)
        self.assertEqual(plan.scaled(cells[0].bench, 0.001).ops, 1)

    def test_a_warm_up_for_each_scheme(self):
        cells = plan.cells(options("micro", "--schemes", "skein,native,system"))
        self.assertEqual([c.scheme for c in plan.warm_ups(cells)], ["skein", "native", "system"])

    def test_every_workload(self):
        names = {w: [b.name for b in make()] for w, make in plan.WORKLOADS.items()}
        self.assertEqual(set(names), {"rocksdb", "redis", "nginx", "build", "micro"})
        self.assertEqual(len(names["rocksdb"]), 10)
        for bench in ("get-p1-guest", "set-p16-host"):
            self.assertIn(bench, names["redis"])
        self.assertIn("64k-host", names["nginx"])
        self.assertEqual({b.by_host for b in plan.nginx()}, {True, False})


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="skein-bench-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.csv = os.path.join(self.folder, "results.csv")
        self.cells = plan.cells(options("micro", "--trials", "1", "--cores", "1"))

    def add(self, table, cell, **more):
        table.add(cell, {"value": 12.5, "unit": "x/s", "ops": 25, "seconds": 2.0, **more})

    def test_rows_come_back_as_they_were(self):
        table = results.Results(self.folder)
        self.add(table, self.cells[0], message='a "word", and\nanother', verdict="diverged",
                 events=3, replay_s=1 / 3)
        self.add(table, self.cells[1])
        again = results.Results(self.folder)
        self.assertEqual([results.key(r) for r in again.rows], [c.key for c in self.cells[:2]])
        self.assertEqual(again.rows[0]["message"], 'a "word", and another')
        self.assertEqual((again.rows[0]["events"], again.rows[0]["replay_s"]), (3, 1 / 3))
        self.assertIsNone(again.rows[1]["replay_s"])
        self.assertEqual(again.done(), {c.key for c in self.cells[:2]})

    def test_half_a_row_is_measured_again(self):
        table = results.Results(self.folder)
        self.add(table, self.cells[0])
        self.add(table, self.cells[1])
        os.truncate(self.csv, os.path.getsize(self.csv) - 5)
        again = results.Results(self.folder)
        self.assertEqual(again.done(), {self.cells[0].key})
        self.add(again, self.cells[1])
        self.assertEqual(len(results.Results(self.folder).rows), 2)

    def test_another_version_or_damage_is_refused(self):
        for text in ("a,b\n1,2\n", ",".join(results.COLUMNS) + "\nmicro,pipe,x\n"):
            with open(self.csv, "w", encoding="utf-8") as f:
                f.write(text)
            with self.assertRaises(errors.Unusable):
                results.Results(self.folder)

    def test_only_the_same_run_goes_on(self):
        run = {"options": {"trials": 3, "cores": [1]}, "inputs": {"qemu": "a"}}
        results.claim(self.folder, run)
        results.claim(self.folder, json.loads(json.dumps(run)))
        for other, said in (({**run, "options": {"trials": 5, "cores": [1]}}, "trials: 3, now 5"),
                            ({**run, "inputs": {"qemu": "b"}}, "qemu: a, now b"),
                            ({**run, "inputs": {}}, "qemu: a, now None")):
            with self.assertRaises(errors.Unusable) as caught:
                results.claim(self.folder, other)
            self.assertIn(said, str(caught.exception))

    def test_a_folder_of_somebody_else_is_left_alone(self):
        with open(os.path.join(self.folder, "thesis.txt"), "w", encoding="utf-8"):
            pass
        with self.assertRaises(errors.Unusable):
            results.claim(self.folder, {})
        self.assertEqual(os.listdir(self.folder), ["thesis.txt"])

    def test_the_order_of_names_does_not_matter(self):
        one = command_line.identity(options("micro", "build", "--cores", "1,2"))
        other = command_line.identity(options("build", "micro", "--cores", "2,1"))
        self.assertIsNone(results.first_difference(one, other))


class Summary(unittest.TestCase):
    def test_medians_spread_and_slow_down(self):
        rows = [row(value=v, trial=t) for t, v in enumerate((100.0, 110.0, 90.0), 1)]
        rows += [recorded(value=v, trial=t) for t, v in enumerate((50.0, 40.0, 80.0), 1)]
        rows += [row("native", 10.0, cores=2), recorded(value=20.0, cores=2)]
        native, skein, _, two = summary.summarize(rows)
        self.assertEqual((native["value"], native["slowdown"]), (100.0, 1.0))
        self.assertAlmostEqual(native["spread"], 0.2)
        self.assertEqual((skein["value"], skein["slowdown"], skein["trials"]), (50.0, 2.0, 3))
        self.assertEqual(skein["slowdown_range"], [1.25, 2.5])
        self.assertEqual((skein["replay_ratio"], skein["recordings"], skein["same"]), (0.5, 3, 3))
        self.assertEqual(two["slowdown"], 0.5)

    def test_without_native_there_is_no_slow_down(self):
        one, = summary.summarize([recorded()])
        self.assertIsNone(one["slowdown"])
        self.assertEqual(goals.judge([one])[0]["goal"], "replay by recording")

    def test_rows_stand_in_the_order_of_the_plan(self):
        rows = [row(bench="fault"), row("system", bench="getpid"), row(bench="getpid", cores=2),
                row(bench="getpid"), row(workload="rocksdb", bench="readseq-tmpfs")]
        self.assertEqual([(r["bench"], r["cores"], r["scheme"]) for r in summary.summarize(rows)],
                         [("readseq-tmpfs", 1, "native"), ("getpid", 1, "native"),
                          ("getpid", 1, "system"), ("getpid", 2, "native"), ("fault", 1, "native")])


class Goals(unittest.TestCase):
    def judged(self, *rows):
        return {g["goal"]: g for g in goals.judge(summary.summarize(rows))}

    def pair(self, slowdown, **more):
        return [row(value=100.0 * slowdown, **more), recorded(value=100.0, **more)]

    def test_each_limit(self):
        for goal, limit, cores, workload, bench in (
                ("RocksDB reads on tmpfs, 1 vCPU", 1.05, 1, "rocksdb", "readrandom-tmpfs"),
                ("RocksDB reads on tmpfs, 1 vCPU", 1.05, 1, "rocksdb", "readwhilewriting-tmpfs"),
                ("RocksDB reads on tmpfs, 2 vCPUs", 1.25, 2, "rocksdb", "seekrandom-tmpfs"),
                ("redis, nginx, 1 vCPU", 1.3, 1, "redis", "get-p1-guest"),
                ("redis, nginx, 2 vCPUs", 2, 2, "nginx", "4k-host"),
                ("build", 1.3, 4, "build", "tcc"),
                ("pipe ping-pong, 2 vCPUs", 2.2, 2, "micro", "pipe")):
            where = {"cores": cores, "workload": workload, "bench": bench}
            with self.subTest(goal=goal):
                self.assertTrue(self.judged(*self.pair(limit * 0.999, **where))[goal]["met"])
                missed = self.judged(*self.pair(limit * 1.01, **where))[goal]
                self.assertEqual((missed["met"], missed["missed"]), (False, 1))

    def test_what_a_goal_is_not_about(self):
        for more in ({"workload": "micro", "bench": "getpid", "cores": 2},
                     {"workload": "redis", "bench": "get-p1-guest", "cores": 4}):
            self.assertEqual(set(self.judged(*self.pair(9.0, **more))), {"replay by recording"})

    def test_log_and_replay(self):
        reads = {"workload": "rocksdb", "bench": "readseq-disk"}
        judged = self.judged(recorded(log_disk_mb_s=5.1, **reads),
                             recorded("system", log_disk_mb_s=9.0, replay_s=2.1, **reads))
        self.assertFalse(judged["log of RocksDB's reads on disk"]["met"])
        self.assertEqual(judged["log of RocksDB's reads on disk"]["rows"], 1)
        self.assertEqual(judged["replay by recording"]["missed"], 1)
        self.assertIn("system", judged["replay by recording"]["worst_row"])


class Page(unittest.TestCase):
    def text(self, rows, missing=()):
        whole = summary.whole(rows, list(missing), ABOUT)
        with contextlib.redirect_stdout(io.StringIO()) as table:
            page.print_table(whole)
        self.assertIn("pipe", table.getvalue())
        return "\n".join(page.lines(whole, [("micro", "slowdown", "micro-slowdown")]))

    def test_a_good_run(self):
        text = self.text([row(cores=2), recorded(value=40.0, cores=2)])
        for said in ("All 1 recordings", "2.50×", "**missed** in 1 of 1", "1 of 1", "Machine: one.",
                     "](micro-slowdown.svg)"):
            self.assertIn(said, text)
        self.assertNotIn("has failed", text)

    def test_a_divergence_comes_first(self):
        text = self.text([recorded(verdict="diverged", message="at vCPU 1")])
        self.assertIn("**This run has failed: 1 of its recordings", text.split("Machine")[0])
        self.assertIn("diverged: at vCPU 1", text)
        self.assertIn("0 of 1", text)

    def test_missing_trials_are_named(self):
        self.assertIn("- micro fork", self.text([row()], ["micro fork, 1 vCPU, native, trial 1"]))


class Run(unittest.TestCase):
    """suite.run() with trials that boot nothing, and without matplotlib."""

    def setUp(self):
        self.folder = os.path.join(tempfile.mkdtemp(prefix="skein-bench-test-"), "out")
        self.addCleanup(shutil.rmtree, os.path.dirname(self.folder))
        self.booted = []
        self.verdicts, self.failing = {}, set()
        graphs = mock.Mock()
        graphs.write.return_value = []
        for patch in (mock.patch.dict(sys.modules, graphs=graphs),
                      mock.patch.object(suite, "check_graphs"),
                      mock.patch.object(suite.inputs, "find", lambda cells: {"qemu": "/bin/true"}),
                      mock.patch.object(suite, "Bench", self.make_bench)):
            patch.start()
            self.addCleanup(patch.stop)

    def make_bench(self, paths, work):
        os.makedirs(work, exist_ok=True)
        bench = mock.Mock(work=work)
        bench.run = self.boot
        bench.recording_row = lambda out: {"record_s": 1.0}
        bench.verify = lambda out: {"replay_s": 0.5, "message": "",
                                    "verdict": self.verdicts.get(os.path.basename(out), "same")}
        return bench

    def boot(self, cell, out):
        self.booted.append(os.path.basename(out))
        if cell.scheme in plan.RECORDED:
            os.mkdir(out)
        if os.path.basename(out) in self.failing:
            raise errors.TrialFailed("no answer")
        return {"value": 10.0, "unit": "x/s", "ops": 10, "seconds": 1.0}

    def run_suite(self, *more):
        with contextlib.redirect_stdout(io.StringIO()) as out, \
                contextlib.redirect_stderr(io.StringIO()) as err:
            code = suite.main(["--cores=1", "--trials=1", "--only=getpid,fork", *more,
                               "--output=" + self.folder, "--", "micro"])
        return code, out.getvalue(), err.getvalue()

    def left(self):
        folder = os.path.join(self.folder, "recordings")
        return os.listdir(folder) if os.path.exists(folder) else []

    def test_all_well_and_once(self):
        code, out, err = self.run_suite()
        self.assertEqual((code, err, self.left()), (0, "", []))
        self.assertEqual(self.booted[:2], ["warm-up", "warm-up"])
        self.assertEqual(len(self.booted), 2 + 4)
        self.assertEqual(self.run_suite(), (0, out, ""))
        self.assertEqual(len(self.booted), 2 + 4)
        self.assertEqual(self.run_suite("--scale=2")[0], errors.USAGE)

    def test_a_divergence_fails_the_run_for_good(self):
        self.verdicts["micro-fork-1cpu-skein-1"] = "diverged"
        for _ in range(2):
            code, _, err = self.run_suite()
            self.assertEqual((code, self.left()), (errors.DIVERGED, ["micro-fork-1cpu-skein-1"]))
            self.assertIn("fork, 1 vCPUs, skein, trial 1: diverged", err)
        with open(os.path.join(self.folder, "report.md"), encoding="utf-8") as f:
            self.assertIn("This run has failed", f.read())

    def test_what_failed_is_missing_and_tried_by_the_next(self):
        self.failing = {"micro-getpid-1cpu-skein-1", "micro-fork-1cpu-native-1"}
        code, _, err = self.run_suite()
        self.assertEqual(code, errors.INCOMPLETE)
        self.assertIn("2 of 4 trials are missing", err)
        self.assertEqual(self.booted.count("micro-fork-1cpu-native-1"), 1)
        self.assertEqual(self.booted.count("micro-getpid-1cpu-skein-1"), 1)
        self.assertEqual(self.left(), ["micro-getpid-1cpu-skein-1"])
        self.failing = set()
        self.assertEqual((self.run_suite()[0], self.left()), (0, []))

    def test_an_interrupted_run_goes_on(self):
        self.boot_for_real, self.boot = self.boot, self.boot_then_interrupt
        self.assertEqual(self.run_suite()[0], errors.INTERRUPTED)
        self.boot, done = self.boot_for_real, list(self.booted)
        self.assertEqual((self.run_suite()[0], self.left()), (0, []))
        counted = [name for name in done + self.booted[len(done):] if name != "warm-up"]
        self.assertEqual(len(counted), 4)

    def boot_then_interrupt(self, cell, out):
        if self.booted[-1:] == ["micro-getpid-1cpu-native-1"]:
            os.mkdir(out)
            raise KeyboardInterrupt
        return self.boot_for_real(cell, out)


class Clients(unittest.TestCase):
    def test_commands(self):
        self.assertIn("get", clients.redis_command("get-p16-host", 5, 100))
        self.assertIn("http://127.0.0.1:5/16k", clients.nginx_command("16k-host", 5, 3))

    def test_what_wrk_says(self):
        good = "  2 threads\n  877 requests in 2.10s, 3.70MB read\nRequests/sec: 417\n"
        self.assertEqual(clients.wrk_requests(good), 877)
        for bad in ("", good + "  Non-2xx or 3xx responses: 3\n",
                    good + "  Socket errors: connect 1\n"):
            with self.assertRaises(errors.TrialFailed):
                clients.wrk_requests(bad)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
