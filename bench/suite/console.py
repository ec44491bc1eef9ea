"""A guest's console, read as it comes: what it said, and when by the host's clock."""

import subprocess
import tempfile
import threading
import time

from errors import TrialFailed

GRACE_S = 10


class Guest:
    """A program that shows a guest's console on its standard output."""

    def __init__(self, command, timeout_s, on_line=None):
        self.deadline = time.monotonic() + timeout_s
        self.errors = tempfile.TemporaryFile("w+", errors="replace")
        self.lines = []  # (seconds, text)
        self.on_line = on_line
        self.ended = False
        self.more = threading.Condition()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.errors, bufsize=0)
        threading.Thread(target=self.read, daemon=True).start()

    def add(self, now, line):
        text = line.decode(errors="replace").strip("\r")
        if self.on_line:
            self.on_line(text)
        with self.more:
            self.lines.append((now, text))
            self.more.notify_all()

    def read(self):
        pending = b""
        while some := self.process.stdout.read(65536):
            now = time.monotonic()
            *whole, pending = (pending + some).split(b"\n")
            for line in whole:
                self.add(now, line)
        with self.more:
            self.ended = True
            self.more.notify_all()

    def find(self, start):
        for when, text in self.lines:
            if text.startswith("fail "):
                raise TrialFailed("the guest said: " + self.tail())
            if text.startswith(start):
                return when, text
        return None

    def tail(self):
        with_fail = [t for _, t in self.lines if t.startswith("fail ")]
        rest = [t for _, t in self.lines[-6:] if t.strip() and t not in with_fail]
        return " / ".join(with_fail + rest)[:400]

    def wait_for(self, start):
        """(when, text) of the first line that begins so."""
        with self.more:
            while not (found := self.find(start)):
                if self.ended:
                    raise TrialFailed("the guest ended before it said %s: %s %s"
                                      % (start, self.tail(), self.complaints()))
                left = self.deadline - time.monotonic()
                if left <= 0 or not self.more.wait(left):
                    raise TrialFailed("out of time before the guest said %s: %s"
                                      % (start, self.tail()))
            return found

    def complaints(self):
        self.errors.seek(0)
        return " / ".join(self.errors.read().strip().splitlines()[-3:])

    def finish(self):
        """Its exit code; raises when it does not end by itself."""
        try:
            return self.process.wait(max(GRACE_S, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired as late:
            raise TrialFailed("the guest does not end: " + self.tail()) from late

    def close(self):
        """Also when nothing went well: nothing stays behind."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.errors.close()
