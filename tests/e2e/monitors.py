"""A VM that a user runs by hand, with QEMU's monitors: not a child of skein."""

import contextlib
import glob
import json
import os
import shlex
import socket
import struct
import subprocess
import time

from lab import Failed, need

SHARDS_OFFSET = 4096  # of a session; see docs/format.md


class Vm:
    """The guest runs a workload that never ends; its console goes to a file."""

    def __init__(self, lab, name="vm", smp=2, args=None, workload="forever"):
        self.lab = lab
        self.files = {kind: lab.dir("%s.%s" % (name, kind)) for kind in ("qmp", "own", "hmp", "con")}
        if args is None:
            printed = lab.skein("record", "--print-args", "--smp", str(smp), "--memory", "256M")
            args = shlex.split(printed.need_code(0, "record --print-args").out)
        command = [lab.paths.qemu, *args, "-kernel", lab.paths.kernel, "-initrd", lab.paths.initrd,
                   "-append", "console=ttyS0 panic=-1 no_timer_check skein.workload=%s" % workload,
                   "-serial", "file:" + self.files["con"]]
        for kind in "qmp", "own":
            command += ["-qmp", "unix:%s,server=on,wait=off" % self.files[kind]]
        command += ["-monitor", "unix:%s,server=on,wait=off" % self.files["hmp"]]
        self.words = open(lab.dir(name + ".err"), "w", encoding="utf-8")
        self.qemu = subprocess.Popen(command, cwd=lab.tmp, env=dict(os.environ, SKEIN=lab.paths.skein),
                                     stdin=subprocess.DEVNULL, stdout=self.words, stderr=self.words)
        self.events = []
        self.commands = self.answers = None
        self.human = None

    def __enter__(self):
        while not os.path.exists(self.files["hmp"]):
            need(self.qemu.poll() is None, "QEMU did not start")
            self.wait()
        self.human = connect(self.files["hmp"])
        self.prompt()
        own = connect(self.files["own"])
        # Two: one for both directions forgets what it has read ahead when it writes.
        self.commands, self.answers = own.makefile("w"), own.makefile("r")
        self.answers.readline()
        self.ask("qmp_capabilities")
        return self

    def __exit__(self, *unused):
        self.qemu.kill()
        self.qemu.wait()
        self.words.close()

    def wait(self):
        self.lab.left_s()
        time.sleep(0.05)

    def said(self):
        with contextlib.suppress(FileNotFoundError):
            with open(self.files["con"], encoding="utf-8", errors="replace") as f:
                return f.read()
        return ""

    def wait_for(self, text):
        while text not in self.said():
            need(self.qemu.poll() is None, "QEMU ended before the guest said %s" % text)
            self.wait()

    def runs(self):
        """The guest goes on."""
        before = len(self.said())
        while len(self.said()) == before:
            need(self.qemu.poll() is None, "QEMU has ended")
            self.wait()

    def ask(self, command, **arguments):
        """QMP: what it returns; or its error, as text."""
        message = {"execute": command}
        if arguments:
            message["arguments"] = arguments
        self.commands.write(json.dumps(message) + "\n")
        self.commands.flush()
        while True:
            answer = json.loads(self.answers.readline())
            if "event" not in answer:
                return answer["return"] if "return" in answer else answer["error"]["desc"]
            self.events.append(answer)

    def ended(self):
        """The next SKEIN_RECORDING_ENDED."""
        while True:
            for event in self.events:
                if event["event"] == "SKEIN_RECORDING_ENDED":
                    self.events.remove(event)
                    return event["data"]
            self.wait()
            self.ask("query-status")

    def holdings(self):
        """How many files QEMU has open, and what it has mapped of sessions."""
        with open("/proc/%d/maps" % self.qemu.pid, encoding="utf-8") as f:
            mapped = [line for line in f if "/dev/shm/skein-" in line]
        return len(os.listdir("/proc/%d/fd" % self.qemu.pid)), mapped

    def prompt(self):
        text = b""
        self.human.settimeout(self.lab.left_s())
        while not text.endswith(b"(qemu) "):
            got = self.human.recv(4096)
            need(got, "QEMU's monitor hung up")
            text += got
        return text.decode(errors="replace")

    def tell(self, command):
        """The human monitor: what it says, without what it echoes."""
        self.human.sendall(command.encode() + b"\n")
        return self.prompt().partition("\r\n")[2].replace("(qemu) ", "").strip()

    def collector(self, path):
        """The process that collects that recording, which QEMU has started."""
        with open("/proc/%d/task/%d/children" % (self.qemu.pid, self.qemu.pid),
                  encoding="ascii") as f:
            for pid in f.read().split():
                with open("/proc/%s/cmdline" % pid, encoding="utf-8") as words:
                    if path in words.read().split("\0"):
                        return int(pid)
        need(False, "nobody collects %s" % path)
        return None


def connect(path):
    """The path is there a moment before somebody listens."""
    for _ in range(100):
        s = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(ConnectionRefusedError):
            s.connect(path)
            return s
        s.close()
        time.sleep(0.05)
    raise Failed("nobody listens at %s" % path)


def session_of(pid):
    """The path of the session that this process has made."""
    found = glob.glob("/dev/shm/skein-*-%d-record" % pid)
    need(len(found) == 1, "process %d has %d sessions" % (pid, len(found)))
    return found[0]


def levels(session):
    """How much is in each shard, and the size of their rings."""
    used = []
    with open(session, "rb") as f:
        header = f.read(SHARDS_OFFSET)
        shards, stride, ring = struct.unpack_from("<I4xQQ", header, 24)
        for i in range(shards):
            f.seek(SHARDS_OFFSET + i * stride)
            shard = f.read(256)
            head, = struct.unpack_from("<Q", shard, 64)
            tail, = struct.unpack_from("<Q", shard, 192)
            used.append(head - tail)
    return used, ring


def wait_until_stuck(vm, session):
    """A shard is full, and its vCPU waits: nothing grows any more."""
    before, same = None, 0
    while same < 20:
        used, ring = levels(session)
        stands = used == before and max(used) > ring - 8192
        before, same = used, same + 1 if stands else 0
        time.sleep(0.1)
        vm.wait()
