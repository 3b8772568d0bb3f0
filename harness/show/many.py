"""Many clients, and four ways to serve them: the same server by threads, processes, selectors and asyncio, measured."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.show import servers
from harness.show.sockets import HOST, Sockets
from harness.show.telling import Telling, page

#: The ways to serve that this system offers, in the order of history.
WAYS = tuple(
    way for way in ("processes", "threads", "selectors", "asyncio") if way != "processes" or hasattr(os, "fork")
)


@dataclass(frozen=True, slots=True)
class Counts:
    """What the system says of a server and the processes it made."""

    processes: int
    threads: int  #: in all of them together
    memory: float  #: MB that would be free without them: pages that others share are not counted
    cpu: float  #: seconds of processor so far


class Served:
    """One of the servers as a running program; it ends with the block, and its children with it."""

    def __init__(self, way: str) -> None:
        self._stack = ExitStack()
        self._program = self._stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-I", "-B", str(Path(servers.__file__)), way],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        )
        self.pid = self._program.pid
        try:
            self.address = (HOST, self._port())
        except BaseException:  # an interrupt, too: it must not run on
            self.close()
            raise

    def _port(self) -> int:
        assert self._program.stdout is not None
        line = self._program.stdout.readline()
        if not line.strip().isdigit():
            raise OSError("a server of the demonstration did not start")
        return int(line)

    def counts(self) -> Counts:
        """What the system says now."""
        import psutil  # nothing but this needs it

        family = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
        threads = memory = cpu = 0.0
        for member in family:
            with member.oneshot():
                times = member.cpu_times()
                threads += member.num_threads()
                memory += member.memory_full_info().uss / 1e6
                cpu += times.user + times.system
        return Counts(len(family), int(threads), memory, cpu)

    def close(self) -> None:
        """End it, and the processes it made: they are a group of their own."""
        if hasattr(os, "killpg"):
            os.killpg(self.pid, signal.SIGKILL)
        else:
            self._program.kill()
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def measure(way: str, clients: int, rounds: int = 5) -> dict[str, float]:
    """Connect that many clients to one of the servers, let each ask `rounds` times, and count while they are connected.

    Returns clients, processes, threads, memory (MB), cpu (seconds of processor for all answers together), answers (a
    second), and median (seconds for one answer while the others are silent). Raises OSError.
    """
    with Served(way) as served, Sockets() as made:
        before = served.counts()
        asking = []
        for _ in range(clients):
            client = made.tcp()
            client.connect(served.address)
            client.sendall(b"hello\n")
            client.recv(100)  # connected, and served
            asking.append(client)
        began, each = time.perf_counter(), []
        for _ in range(rounds):
            for client in asking:
                client.sendall(b"who\n")
            for client in asking:
                client.recv(100)
        took = time.perf_counter() - began
        for client in asking:
            start = time.perf_counter()
            client.sendall(b"who\n")
            client.recv(100)
            each.append(time.perf_counter() - start)
        after = served.counts()
    return {
        "clients": clients,
        "processes": after.processes,
        "threads": after.threads,
        "memory": after.memory,
        "cpu": after.cpu - before.cpu,
        "answers": rounds * clients / took,
        "median": sorted(each)[len(each) // 2],
    }


@page(
    asks="three clients talk to a server that calls fork() after each accept(). How many processes are there then?",
    seen="""each client talked to a process of its own, besides the parent at the door. Such a process may wait as
    long as it likes, and one that crashes costs one client and no other. The price: a process for each, and no
    common memory; what one of them learns, the others do not. (Servers also fork first, and let a few workers
    call accept() on the same listening socket: the kernel hands each connection to one of them.)""",
)
def process_per_connection(tell: Telling) -> None:
    """The oldest way to serve many: fork() after accept(). The child has a copy of every descriptor, so it goes
    on with the conversation while the parent goes back to the door.
    """
    if not hasattr(os, "fork"):
        tell.note(
            "This system has no fork(); there a new program would be started for each client, and handed the socket."
        )
        tell.keeps(pids=[])
        return
    pids = []
    with Served("processes") as served, Sockets() as made:
        tell.step("server", "listen(); fork() for each accept()", f"process {served.pid}")
        clients = []
        for name in ("client 1", "client 2", "client 3"):
            client = made.tcp()
            client.connect(served.address)
            client.sendall(b"who\n")
            pids.append(int(client.recv(100)))
            clients.append(client)
            tell.step(name, "connect(); who answers me?", f"process {pids[-1]}")
        counted = served.counts()
        tell.note(f"{counted.processes} processes while three clients are connected: the parent, and one for each.")
    tell.keeps(pids=pids, parent=served.pid, processes=counted.processes)


@page(
    asks="40 clients are connected to each of four servers. How many processes has each server, and how many threads?",
    seen="""processes and threads grow with the clients where each client has one to wait in; with selectors and
    asyncio they stay at one, whoever comes. Memory follows. With 40 clients all four are fast enough, and
    threads are the easiest to write; with ten thousand only the last two fit into a machine. asyncio is
    selectors with the bookkeeping done by the library, and you see what that costs.""",
)
def many_clients(tell: Telling) -> None:
    """While a program waits for one client it cannot wait for another, so a server for many needs many who
    wait: processes, or threads, or one who waits for all of them at once.
    """
    rows = []
    for way in WAYS:
        seen = measure(way, 40)
        rows.append([way, seen["processes"], seen["threads"], seen["memory"], seen["cpu"] * 1000, seen["answers"]])
    shown = [[round(cell) if isinstance(cell, int | float) else cell for cell in row] for row in rows]
    tell.table(["40 clients, served by", "processes", "threads", "MB", "ms of processor", "answers a second"], shown)
    tell.note("MB: without the pages that several processes share. The last two columns differ from run to run.")
    tell.keeps(rows=rows)
