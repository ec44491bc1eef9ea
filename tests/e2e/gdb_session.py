"""A replay under gdb, as a user has it: skein prints what to type, gdb carries out a script."""

import atexit
import os
import re
import shutil
import subprocess
import tempfile

from lab import need, last_lines

# What every script may use: what is said and shown becomes session()'s answer, by name.
PRELUDE = """
set pagination off
set confirm off
set width 0
python
import gdb
def run(command):
    return gdb.execute(command, to_string=True)
def value(text):
    return int(gdb.parse_and_eval(text)) & 0xffffffffffffffff
def pc():
    return value("(unsigned long)$rip")
def place():
    words = run("monitor skein where").split()
    return int(words[words.index("icount") + 1].rstrip(";"))
def here():
    return "%d:%#x:%d" % (gdb.selected_thread().num, pc(), place())
def say(name, what):
    gdb.write("\\n<<%s\\n%s\\n>>\\n" % (name, what))
def show(name, command):
    # What stops say is not part of what run() returns.
    gdb.write("\\n<<%s\\n" % name)
    gdb.execute(command)
    gdb.write("\\n>>\\n")
end
"""


class Shared:
    """One recording for all cases, made by the first that asks."""
    path = None

    @classmethod
    def recording(cls, lab):
        if cls.path is None:
            lab.record("mixed", arg="1", smp=4, start="console:SKEIN-READY")
            folder = tempfile.mkdtemp(prefix="skein-e2e-gdb-")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            cls.path = os.path.join(folder, "rec")
            shutil.move(lab.dir(), cls.path)
        return cls.path


def wait_for_line(lab, p):
    line = re.compile(r"waits for gdb: (gdb -x \S+)\n")
    return lab.wait_until(p, lambda: line.search(lab.errors(p)), "that it waits for gdb")[1].split()


def session(lab, script, code=0, recording=None, end="kill", options=()):
    """Runs the Python script in gdb; returns what it said, and skein's result."""
    p = lab.start("replay", "--gdb", "--json=" + lab.dir("gdb.json"), *options,
                  recording or Shared.recording(lab))
    words = wait_for_line(lab, p)
    path = lab.dir("script.gdb")
    with open(path, "w", encoding="utf-8") as f:
        f.write("%spython\n%s\nend\n%s\n" % (PRELUDE, script, end))
    g = subprocess.run([words[0], "-nx", "-batch", *words[1:], "-x", path], capture_output=True,
                       text=True, timeout=lab.left_s(), check=False)
    need("Error in sourced" not in g.stderr and "Python Exception" not in g.stderr,
         "gdb: %s" % last_lines(g.stderr, 3))
    result = lab.finish(p).need_code(code, "skein replay --gdb")
    said = re.findall(r"^<<(\w+)\n(.*?)^>>$", g.stdout, flags=re.M | re.S)
    return {name: " ".join(text.split()) for name, text in said}, result
