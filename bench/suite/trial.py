"""One boot: a guest under one scheme, what it did in how many seconds, and whether it replays."""

import json
import os
import shutil
import subprocess

import clients
import machines
from console import Guest
from errors import TrialFailed
from plan import RECORDED

TIMEOUT_S = 600
SHORTEST_S = 0.01


def remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.unlink(path)


class Bench:
    """Boots guests; `work` is a folder for what they need meanwhile."""

    def __init__(self, paths, work):
        self.paths, self.work = paths, work
        self.database = os.path.join(work, "database.ext4")
        os.makedirs(work, exist_ok=True)

    def prepare(self, bench):
        """The database of RocksDB, made once by a guest that nobody measures."""
        if bench.workload != "rocksdb" or os.path.exists(self.database):
            return
        image = self.database + ".new"
        remove(image)
        with open(image, "wb") as f:
            f.truncate(256 << 20)
        # Without a journal: its thread would write at moments of its own.
        subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-E",
                        "lazy_itable_init=0", image], check=True)
        guest = Guest(machines.prepare_command(bench, self.paths, image), TIMEOUT_S)
        try:
            guest.wait_for("SKEIN-DONE rc=0")
            guest.finish()
        finally:
            guest.close()
        os.rename(image, self.database)

    def own_database(self, cell):
        """A trial writes into a copy: all of them begin with the same."""
        if cell.bench.workload != "rocksdb":
            return None
        copy = os.path.join(self.work, "trial.ext4")
        subprocess.run(["cp", "--sparse=always", self.database, copy], check=True)
        return copy

    def run(self, cell, out):
        """The trial's row; a recording stays at `out`."""
        self.prepare(cell.bench)
        database, ports = self.own_database(cell), clients.forwards(cell.bench)
        log = LogSize(out)
        guest = Guest(machines.command(cell, self.paths, out, database, ports), TIMEOUT_S,
                      log.note if cell.scheme == "qemu-rr" else None)
        try:
            ops, seconds = measure(cell, ports, guest)
            self.finish(cell, guest)
        finally:
            guest.close()
            if database:
                remove(database)
        if seconds < SHORTEST_S:
            # Both words came at once: this host did not get to read the first one in time.
            raise TrialFailed("%d operations took no time: --scale is too small" % ops)
        row = {"value": ops / seconds, "unit": cell.bench.unit, "ops": ops, "seconds": seconds}
        if cell.scheme == "qemu-rr":
            row["log_disk_mb_s"] = row["log_raw_mb_s"] = log.growth() / 1e6 / seconds
        return row

    def finish(self, cell, guest):
        """What follows on the end's word: the recorder's last writes, or the guest's power-off."""
        if cell.scheme not in RECORDED:
            guest.wait_for("SKEIN-DONE rc=0")
        code = guest.finish()
        if code != 0:
            raise TrialFailed("exit code %d: %s" % (code, guest.complaints()))

    def recording_row(self, out):
        """What skein record said of it."""
        with open(out + ".json", encoding="utf-8") as f:
            s = json.load(f)
        if not s["complete"]:
            raise TrialFailed("the recording is not complete: %s" % s["end_reason"])
        seconds = s["duration_s"]
        return {"events": s["events"], "record_s": seconds,
                "log_raw_mb_s": s["shard_bytes"] / 1e6 / seconds,
                "log_disk_mb_s": s["disk_bytes"] / 1e6 / seconds,
                "back_pressure": s["ring_waits"], "back_pressure_s": s["ring_wait_s"],
                "token_wait_s": s["token_wait_s"]}

    def verify(self, out):
        """Replays it; all of what happened must be the same."""
        p = subprocess.run([self.paths["skein"], "verify", "--json", "--qemu", self.paths["qemu"],
                            out], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           check=False)
        try:
            v = json.loads(p.stdout)[0]
        except (json.JSONDecodeError, IndexError):
            return {"verdict": "not verified", "message": "skein verify: exit code %d: %s"
                    % (p.returncode, p.stderr.strip()[:300])}
        good = p.returncode == 0 and v["events_done"] == v["events_total"]
        return {"replay_s": v["replay_s"], "verdict": "same" if good else v["verdict"],
                "message": "" if good else v["message"]}


class LogSize:
    """How much a log file has grown between the words of the guest."""

    def __init__(self, path):
        self.path, self.sizes = path, []

    def note(self, line):
        if line.startswith(("SKEIN-BENCH begin ", "SKEIN-BENCH end ")):
            self.sizes.append(os.path.getsize(self.path))

    def growth(self):
        return self.sizes[-1] - self.sizes[0]


def measure(cell, ports, guest):
    """(operations, seconds): of the guest by its two words, or of the host's client."""
    if cell.bench.by_host:
        return clients.measure(cell.bench, ports, guest)
    begin = guest.wait_for("SKEIN-BENCH begin ")[0]
    end, text = guest.wait_for("SKEIN-BENCH end ")
    return int(text.split()[-1]), end - begin
