"""The host's side of a guest's devices: a disk's image, a file server, an echo, a typist."""

import contextlib
import hashlib
import http.server
import json
import os
import socket
import subprocess
import threading
import time
import urllib.request

from lab import Failed, need
from monitors import connect


def make_disk(lab, size, form):
    """An image with an ext4 file system and one file; its path."""
    path, tree = lab.dir("disk." + form), lab.dir("tree")
    os.mkdir(tree)
    with open(os.path.join(tree, "made-by-the-host"), "w", encoding="ascii") as f:
        f.write("a file of the host\n")
    raw = path if form == "raw" else path + ".raw"
    with open(raw, "wb") as f:
        f.truncate(size)
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-d", tree, raw], check=True)
    if form != "raw":
        subprocess.run(["qemu-img", "convert", "-O", form, raw, path], check=True)
        os.unlink(raw)
    return path


def sum_line(data):
    """As sha256sum of busybox prints that of its standard input."""
    return hashlib.sha256(data).hexdigest().encode() + b"  -\n"


@contextlib.contextmanager
def file_server(size):
    """Serves /data and /sum; its port."""
    files = {"/data": os.urandom(size)}
    files["/sum"] = sum_line(files["/data"])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(files[self.path])))
            self.end_headers()
            self.wfile.write(files[self.path])

        def log_message(self, *unused):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def free_ports(count):
    """Ports that were free a moment ago: QEMU forwards none that it chooses itself."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in held:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in held]


def fetch_some(port, times):
    """The guest's file, by several at once: each must be what its sum says."""
    def get(name):
        with urllib.request.urlopen("http://127.0.0.1:%d/%s" % (port, name), timeout=60) as f:
            return f.read()

    wanted, bad = get("sum"), []

    def check():
        try:
            if sum_line(get("data")) != wanted:
                bad.append("the sum is another")
        except OSError as e:
            bad.append(str(e))

    threads = [threading.Thread(target=check) for _ in range(times)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    need(not bad, "fetched from the guest: %s" % bad)


def say(port, text):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
        s.sendall(text.encode())


@contextlib.contextmanager
def echo(path):
    """At that socket everything comes back."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)

    def serve():
        with contextlib.suppress(OSError):
            peer, _ = listener.accept()
            while data := peer.recv(4096):
                peer.sendall(data)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        listener.close()


KEYS = "skein"


def type_and_move(path, enough):
    """Keys and the mouse, over that QMP socket, until enough() is true."""
    with connect(path) as monitor:
        commands, answers = monitor.makefile("w"), monitor.makefile("r")

        def ask(command, **arguments):
            answer = {"event": None}
            # A guest that has ended takes its QEMU along, between any two words.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                commands.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
                commands.flush()
                while "event" in answer and (line := answers.readline()):
                    answer = json.loads(line)
            if "error" in answer:
                raise Failed("%s: %s" % (command, answer["error"]["desc"]))

        answers.readline()
        ask("qmp_capabilities")
        step = 0
        while not enough():
            key = {"type": "qcode", "data": KEYS[step % len(KEYS)]}
            for down in True, False:
                ask("input-send-event", events=[
                    {"type": "key", "data": {"down": down, "key": key}}])
            ask("input-send-event", events=[
                {"type": "rel", "data": {"axis": axis, "value": 3}} for axis in ("x", "y")])
            step += 1
            time.sleep(0.1)
