"""The reference's echo server beside its peers, in one run, with the same load client; and plots of it.

For each server: messages a second at 1, 100 and 1,000 connections that each wait for 64 bytes to come back; bulk
throughput of one connection in pieces of 64 KiB; resident memory per idle connection at 10,000. The load client is in
C (load_client.c), so that it is never the slower side. Server and client have a processor each where there are two.
A machine that does other things spoils a second here and there, so the servers take turns in several rounds and the
best of each counts; below stand the messages per second of the server's own CPU, which others spoil less. Above a
load of 1 before, ratios are good to one part in ten at most.

`nonblocking.py --plots FOLDER` draws three SVGs; `--rounds N`; `--only NAME,NAME`. It takes cc, and four minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
REFERENCE = ROOT / "reference" / "nonblocking"

CONNECTIONS = (1, 100, 1000)
SIZE, PIECE = 64, 65_536
IDLE = 10_000
#: Of each count: many short ones find a quiet moment sooner than few long ones.
SECONDS = 0.5
#: What every server may open.
FILES = IDLE + 200

#: Name -> words after the interpreter. The first is the yardstick.
SERVERS = {
    "bare selectors": ["bench/servers/selectors_bare.py"],
    "bare epoll": ["bench/servers/epoll_bare.py"],
    "reference": ["reference/nonblocking/echo_server.py"],
    "asyncio streams": ["bench/servers/asyncio_streams.py"],
    "asyncio protocol": ["bench/servers/asyncio_protocol.py"],
    "uvloop protocol": ["bench/servers/asyncio_protocol.py", "--uvloop"],
    "threads": ["bench/servers/threads.py"],
}
YARDSTICK = "bare selectors"
#: They lose what the kernel does not take at once, so that bulk says nothing of them.
LOSSY = ("bare selectors", "bare epoll")
#: 10,000 threads are no echo server.
FEW = ("threads",)


@dataclass
class Figures:
    """What one server did, the best of all rounds."""

    rate: dict[int, float] = field(default_factory=dict)  #: connections -> messages a second
    per_cpu: dict[int, float] = field(default_factory=dict)  #: the same, a second of the server's CPU
    p99: dict[int, float] = field(default_factory=dict)  #: the latency then, in microseconds
    bulk: float = 0.0  #: bytes a second that came back
    bulk_per_cpu: float = 0.0  #: the same, a second of the server's CPU
    memory: float | None = None  #: bytes of resident memory per idle connection

    def keep(self, connections: int, rate: float, per_cpu: float, p99: float) -> None:
        if rate > self.rate.get(connections, 0.0):
            self.rate[connections], self.p99[connections] = rate, p99
        self.per_cpu[connections] = max(per_cpu, self.per_cpu.get(connections, 0.0))


class Failed(Exception):
    """A server or the load client did not do its part."""


# -- the two programs ----------------------------------------------------------------------------------------------


def compiled(folder: Path) -> Path | None:
    """The load client, or None where there is no compiler."""
    cc = shutil.which("cc")
    if cc is None:
        return None
    client = folder / "load_client"
    subprocess.run([cc, "-O2", "-o", str(client), str(HERE / "load_client.c")], check=True)
    return client


def on_processor(number: int) -> None:
    """Called in a child: a processor of its own, where there are two."""
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1 - number]})


@contextmanager
def running(name: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The server: its process, host and port."""

    def prepare() -> None:
        on_processor(0)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))

    words = SERVERS[name]
    argv = [sys.executable, str(ROOT / words[0]), "127.0.0.1:0", *words[1:]]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, preexec_fn=prepare)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("listening on "):
            raise Failed(f"{name} does not listen")
        host, _, port = line.split()[-1].rpartition(":")
        yield process, host, port
    finally:
        process.kill()
        process.wait()


def cpu_of(pid: int) -> float:
    """Seconds of CPU of all its threads, of those that have ended as well (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def memory_of(pid: int) -> int:
    """Bytes of resident anonymous memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise Failed("the kernel does not tell RssAnon")


# -- measuring -----------------------------------------------------------------------------------------------------


def speak(client: Path, mode: str, name: str, connections: int, size: int) -> tuple[dict[str, float], float]:
    """A second of load on a fresh server: what the client says, and the CPU that the server took in all."""
    with running(name) as (process, host, port):
        before = cpu_of(process.pid)
        argv = [str(client), mode, host, port, str(connections), str(size), str(SECONDS)]
        done = subprocess.run(
            argv, capture_output=True, text=True, preexec_fn=lambda: on_processor(1), timeout=60, check=False
        )
        if done.returncode:
            raise Failed(f"{name}, {mode} at {connections}: {done.stderr.strip()}")
        return json.loads(done.stdout), cpu_of(process.pid) - before


def idle(client: Path, name: str) -> float:
    """Bytes of the server's memory for each of 10,000 connections that have said one message."""
    with running(name) as (process, host, port):
        time.sleep(0.2)
        before = memory_of(process.pid)
        argv = [str(client), "idle", host, port, str(IDLE), str(SIZE), "0"]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
            assert load.stdout is not None
            if not load.stdout.readline():
                raise Failed(f"{name} does not take {IDLE:,} connections")
            taken = memory_of(process.pid) - before
            load.communicate("")
        return taken / IDLE


def measure(client: Path, names: Sequence[str], rounds: int) -> dict[str, Figures]:
    """Everything, in turns."""
    found = {name: Figures() for name in names}
    for number in range(rounds):
        for connections in CONNECTIONS:
            for name in [*names[number % len(names) :], *names[: number % len(names)]]:
                said, cpu = speak(client, "rate", name, connections, SIZE)
                rate = said["messages"] / said["seconds"]
                # The 0.2 s before the count are the server's as well.
                share = rate * (said["seconds"] + 0.2) / max(cpu, 1e-9)
                found[name].keep(connections, rate, share, said["p99"])
        for name in names:
            if name not in LOSSY:
                said, cpu = speak(client, "bulk", name, 1, PIECE)
                found[name].bulk = max(found[name].bulk, said["messages"] / said["seconds"])
                found[name].bulk_per_cpu = max(found[name].bulk_per_cpu, said["messages"] / max(cpu, 1e-9))
    for name in names:
        if name not in FEW:
            found[name].memory = statistics.median(idle(client, name) for _ in range(3))
    return found


# -- telling -------------------------------------------------------------------------------------------------------


def tell(found: dict[str, Figures]) -> None:
    """The table: figures, and in brackets the ratio to the yardstick."""
    yardstick = found.get(YARDSTICK) or next(iter(found.values()))
    heads = "".join(f"{f'{count:,} conn.':>19}" for count in CONNECTIONS)
    print(f"{'messages a second':20}{heads}{'bulk MB/s':>12}{'bytes/idle conn.':>18}")
    for name, figures in found.items():
        cells = "".join(
            f"{figures.rate[count]:12,.0f} ({figures.rate[count] / yardstick.rate[count]:4.2f})"
            for count in CONNECTIONS
        )
        bulk = f"{figures.bulk / 1e6:,.0f}" if figures.bulk else "-"
        memory = f"{figures.memory:,.0f}" if figures.memory is not None else "-"
        print(f"{name:20}{cells}{bulk:>12}{memory:>18}")
    print(f"\n{'a CPU second of it':20}{heads}{'bulk MB/s':>12}{'p99 at 1,000, ms':>18}")
    for name, figures in found.items():
        cells = "".join(
            f"{figures.per_cpu[count]:12,.0f} ({figures.per_cpu[count] / yardstick.per_cpu[count]:4.2f})"
            for count in CONNECTIONS
        )
        bulk = f"{figures.bulk_per_cpu / 1e6:,.0f}" if figures.bulk else "-"
        print(f"{name:20}{cells}{bulk:>12}{figures.p99[1000] / 1000:>18.1f}")


def compare(found: dict[str, Figures]) -> None:
    """The reference against what it is to reach."""
    ours = found.get("reference")
    for name in ("uvloop protocol", "asyncio protocol"):
        peer = found.get(name)
        if ours is None or peer is None:
            continue
        rates = ", ".join(f"{ours.rate[count] / peer.rate[count]:.2f}" for count in CONNECTIONS)
        cpu = ", ".join(f"{ours.per_cpu[count] / peer.per_cpu[count]:.2f}" for count in CONNECTIONS)
        memory = f"{ours.memory / peer.memory:.2f}" if ours.memory and peer.memory else "-"
        print(f"\nreference / {name}: messages a second {rates} ({cpu} by its CPU), bulk {ours.bulk / peer.bulk:.2f},")
        print(f"    memory {memory}")


def plot(found: dict[str, Figures], folder: Path) -> None:
    """Three pictures: throughput and latency against connections, memory per connection."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    for title, unit, field_name in (
        ("Messages of 64 bytes", "a second", "rate"),
        ("Latency, 99th percentile", "microseconds", "p99"),
    ):
        figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
        for name, figures in found.items():
            values = getattr(figures, field_name)
            axes.plot(CONNECTIONS, [values[count] for count in CONNECTIONS], marker="o", label=name)
        axes.set(xscale="log", xlabel="connections", ylabel=unit, title=title)
        if field_name == "p99":
            axes.set_yscale("log")
        axes.legend(fontsize="small")
        figure.savefig(folder / f"{field_name}.svg")
    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    rows = [(name, figures.memory) for name, figures in found.items() if figures.memory is not None]
    axes.barh([name for name, _ in rows], [memory for _, memory in rows])
    axes.set(xlabel="bytes", title=f"Resident memory per idle connection, of {IDLE:,}")
    figure.savefig(folder / "memory.svg")
    print(f"\npictures: {folder}")


def usable() -> list[str]:
    """The servers that can be started here; the others are named."""
    names = []
    for name in SERVERS:
        if name == "uvloop protocol" and find_spec("uvloop") is None:
            print(f"not measured: {name} (pip install 'socketlab[bench]')")
        elif not (ROOT / SERVERS[name][0]).exists():
            print(f"not measured: {name} ({SERVERS[name][0]} is not there)")
        else:
            names.append(name)
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--plots", type=Path)
    parser.add_argument("--only", type=lambda text: text.split(","))
    options = parser.parse_args()
    if not sys.platform.startswith("linux"):
        print("not measured: the load client takes Linux (epoll)")
        return
    with tempfile.TemporaryDirectory() as folder:
        client = compiled(Path(folder))
        if client is None:
            print("not measured: the load client takes a C compiler (apt-get install gcc)")
            return
        names = [name for name in usable() if options.only is None or name in options.only]
        print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before; Python {sys.version.split()[0]}\n")
        found = measure(client, names, options.rounds)
    tell(found)
    compare(found)
    if options.plots:
        plot(found, options.plots)


if __name__ == "__main__":
    main()
