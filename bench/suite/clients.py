"""The clients that run on the host, against a server in the guest."""

import contextlib
import re
import socket
import subprocess
import time

from errors import TrialFailed

SERVER_PORTS = {"redis": 6379, "nginx": 80}
CONTROL_PORT = 81
# Those that QEMU's user network keeps waiting (it listens with a backlog of 1) until it accepts them.
# The host's kernel tries one more again after a second, and then after 2 and 4.
CONNECTIONS = "2"


def free_ports(count):
    """Ports that were free a moment ago: QEMU forwards none that it chooses itself."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in held:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in held]


def forwards(bench):
    """{guest's port: host's}, for machines.network()."""
    if not bench.by_host:
        return {}
    server, control = free_ports(2)
    return {SERVER_PORTS[bench.workload]: server, CONTROL_PORT: control}


def redis_command(name, port, ops):
    """"get-p16-host": the same options as in guest/workloads/bench-redis.sh."""
    command, pipeline = re.fullmatch(r"(\w+)-p(\d+)-host", name).groups()
    return ["redis-benchmark", "-p", str(port), "-q", "-t", command, "-P", pipeline,
            "-c", CONNECTIONS, "-r", "10000", "-d", "64", "-n", str(ops)]


def nginx_command(name, port, seconds):
    return ["wrk", "-t", "1", "-c", CONNECTIONS, "-d", "%ds" % seconds,
            "http://127.0.0.1:%d/%s" % (port, name.rpartition("-")[0])]


def run(command, timeout_s):
    """What it printed, and the seconds that it took."""
    begin = time.monotonic()
    try:
        p = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as late:
        raise TrialFailed("%s on the host did not end" % command[0]) from late
    if p.returncode != 0:
        raise TrialFailed("%s on the host: %s" % (command[0], (p.stderr or p.stdout).strip()[:200]))
    return p.stdout, time.monotonic() - begin


def wrk_requests(text):
    found = re.search(r"^ *(\d+) requests in ", text, flags=re.M)
    if not found or "Non-2xx" in text or "Socket errors" in text:
        raise TrialFailed("wrk on the host: " + " / ".join(text.strip().splitlines()[-4:]))
    return int(found[1])


def work(bench, ports, ops, timeout_s):
    """(operations, seconds) of the client's run."""
    port = ports[SERVER_PORTS[bench.workload]]
    if bench.workload == "redis":
        return ops, run(redis_command(bench.name, port, ops), timeout_s)[1]
    text, seconds = run(nginx_command(bench.name, port, ops), timeout_s)
    return wrk_requests(text), seconds


def measure(bench, ports, guest):
    """Two warm-ups, then the measured run between the guest's two words; (operations, seconds).
    With the second one the recording begins."""
    few = 1 if bench.workload == "nginx" else max(1, bench.ops // 10)

    def client(ops):
        return work(bench, ports, ops, guest.deadline - time.monotonic())

    guest.wait_for("SKEIN-BENCH serving ")
    client(few)
    with socket.create_connection(("127.0.0.1", ports[CONTROL_PORT]), timeout=60) as control:
        control.sendall(b"record\n")
        guest.wait_for("SKEIN-BENCH recording ")
        client(few)
        control.sendall(b"begin\n")
        guest.wait_for("SKEIN-BENCH begin ")
        done, seconds = client(bench.ops)
        control.sendall(b"%d\n" % done)
        guest.wait_for("SKEIN-BENCH end ")
    return done, seconds
