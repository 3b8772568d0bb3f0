"""A load generator: thousands of clients in one thread, and bystanders whose waiting is the measure of fairness.

Rule 1: a connection counts when its exchange was answered; the kernel accepts for a program that never will.
Rule 2: what the generator or the machine cannot do is LabError; what the server does wrong is Broken.
Rule 3: it reports its own CPU use and lateness.
"""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

from harness.actors.cast import Cast
from harness.actors.load.clients import Bystander, Client, Exchange, GreedyClient
from harness.actors.load.generator import Connect, Generator, TrafficPlan
from harness.actors.load.machine import Clocks, Machine, clocks, machine
from harness.actors.load.traffic import Traffic, Waiting, inconclusive
from harness.actors.own_sockets import new_socket
from harness.actors.server import Server
from harness.actors.story import Broken
from harness.lab.interface import LabError, NotMeasured, Usage

#: Descriptors the tester needs beside the clients'.
SPARE_FILES = 128
#: Seconds beyond its own limit within which the generator has to come back; within which a greedy client is connected.
_REPLY_WITHIN, _GREEDY_WITHIN = 10.0, 5.0

Answer = TypeVar("Answer")
Kind = TypeVar("Kind", Client, Bystander)


def echo_exchange(size: int, seed: int) -> Exchange:
    """Random bytes that come back unchanged, different for each client and turn."""
    pool = random.Random(seed).randbytes(65_536 + size)

    def exchange(number: int, turn: int) -> tuple[bytes, bytes]:
        at = (number * 7919 + turn * 104_729) % 65_536
        words = pool[at : at + size]
        return words, words

    return exchange


def allow_files(wanted: int) -> None:
    """Let this process have that many descriptors. Raises LabError where the system allows fewer."""
    try:
        import resource
    except ImportError:
        return  # Windows has no such limit
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise LabError(f"the tester may open {hard:,} files here and needs {wanted:,}: raise it with ulimit -Hn")
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as error:
        raise LabError(f"the tester may open {soft:,} files here and needs {wanted:,}: {error}") from None


def connector(cast: Cast, server: Server, within: float) -> Connect:
    """How each of thousands of clients connects to a server."""
    address = server.listening
    if address.kind == "unix":
        return lambda: (cast.node.connect_unix(address.path, within), None)
    place = cast.network.straight_to_student(address.port, address.family).pair
    return lambda: (new_socket(address.family, socket.SOCK_STREAM), place)


class Load:
    """Clients of one server, held open: `lab.clients.load`. Ended by `closes`, `resets` or the end of the test."""

    _generates: type[Generator] = Generator

    def __init__(
        self,
        cast: Cast,
        server: Server,
        connect: Connect,
        exchange: Exchange,
        *,
        greedy_data: bytes = b"-",
        greedy_rate: float | None = None,
    ) -> None:
        """greedy_data is what greedy clients say, over and over; greedy_rate in bytes a second, None: what is taken."""
        self._node = cast.node
        self._story = cast.story
        self._server = server
        self._greedy_data = greedy_data
        self._greedy_rate = greedy_rate
        self.seconds = 0.0  #: that connecting and proving took
        self.own_cpu = 0.0  #: seconds of CPU that the generator took so far
        self._loop = asyncio.SelectorEventLoop()  # the only kind that watches plain sockets everywhere
        self._generator = self._generates(self._loop, connect, exchange)
        self._active: list[Client] = []
        self._bystanders: list[Bystander] = []
        self._numbers = 0
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="load")
        self._thread.start()

    @property
    def count(self) -> int:
        """Connections held open."""
        return sum(client.open for client in self._generator.clients)

    def memory_per_client(self, before: Usage) -> float:
        """Bytes of memory that each connection takes now, beside what was used before. Raises NotMeasured."""
        return max(0, self._node.usage().memory_bytes - before.memory_bytes) / max(1, self.count)

    @property
    def stamped(self) -> bool:
        """Whether the kernel times the bystanders' answers."""
        return any(bystander.stamped for bystander in self._bystanders)

    def connects(self, *, idle: int, active: int, bystanders: int, within: float, window: int) -> None:
        """Connect all and prove each; called before a test has it. Raises Broken, LabError."""
        wanted = idle + active + bystanders
        allow_files(wanted + SPARE_FILES)
        self._bystanders = [self._make(Bystander) for _ in range(bystanders)]
        self._active = [self._make(Client) for _ in range(active)]
        clients = [*self._bystanders, *self._active, *(self._make(Client) for _ in range(idle))]
        self._story.add("tester", f"connects {wanted:,} clients to {self._server.name}, at most {window} at once")
        began = time.monotonic()
        with LoadInterval(self) as interval:
            missing = self._do(self._generator.connects(clients, window=window, deadline=began + within), within)
        self.seconds = time.monotonic() - began
        if missing:
            self._tell(
                Broken(
                    f"{self._server.name} did not serve {wanted:,} clients within {within:g} s",
                    verdict="timeout",
                    expected=f"an answer to each of {wanted:,} clients",
                    seen=f"{wanted - missing:,} were answered",
                ),
                interval.machine,
                within,
            )
        self._story.add("tester", f"had an answer on each of {wanted:,} connections within {self.seconds:.2f} s")

    def all_answer(self, *, within: float = 20.0, window: int = 200) -> None:
        """Every connection is still there: another exchange on each. Raises Broken, LabError."""
        clients = [client for client in self._generator.clients if client.open]
        with LoadInterval(self) as interval:
            missing = self._do(
                self._generator.exchanges(clients, window=window, deadline=time.monotonic() + within), within
            )
        if missing:
            self._tell(
                Broken(
                    f"{self._server.name} does not answer all of its {len(clients):,} clients any more",
                    verdict="timeout",
                    expected=f"{len(clients):,} answers within {within:g} s",
                    seen=f"{len(clients) - missing:,}",
                ),
                interval.machine,
                within,
            )
        self._story.add("tester", f"had another answer on each of {len(clients):,} connections")

    def drives(
        self,
        *,
        seconds: float,
        rate: float = 2.0,
        bystander_rate: float = 25.0,
        greedy: int = 0,
        patience: float = 10.0,
    ) -> Traffic:
        """Let the active clients speak, `rate` exchanges a second each, beside bystanders and greedy clients.

        A greedy client sends as fast as it is taken and reads whatever comes. Every answer has to come within
        `patience` seconds of the end. Raises Broken, LabError.
        """
        greeds = self._greedy_clients(greedy)
        beside = f", {greedy} greedy ones beside them" if greedy else ""
        self._story.add("tester", f"lets {len(self._active):,} clients speak for {seconds:g} s{beside}")
        plan = TrafficPlan(seconds, self._active, self._bystanders, rate, bystander_rate, greeds, patience)
        with LoadInterval(self) as interval:
            figures = self._do(self._generator.drives(plan), seconds + patience)
            interval.lateness = figures.lateness
        traffic = Traffic(
            seconds=figures.seconds,
            messages=len(figures.answered),
            skipped=figures.skipped,
            clients=Waiting.of(figures.answered),
            bystander=Waiting.of(figures.bystander),
            greedy_bytes=figures.greedy_bytes,
            own_cpu=interval.cpu,
            own_lateness=Waiting.of(figures.lateness).p99,
            machine=interval.machine,
        )
        if figures.unanswered:
            self._tell(
                Broken(
                    f"{figures.unanswered:,} messages were not answered",
                    verdict="timeout",
                    expected=f"an answer to each within {patience:g} s",
                    seen=f"{traffic.messages:,} answers",
                ),
                interval.machine,
                patience,
            )
        self._story.add("tester", traffic.summary())
        return traffic

    def _greedy_clients(self, count: int) -> list[GreedyClient]:
        clients = [self._make_greedy() for _ in range(count)]
        if clients:
            missing = self._do(
                self._generator.joins(clients, deadline=time.monotonic() + _GREEDY_WITHIN), _GREEDY_WITHIN
            )
            if missing:
                raise Broken(
                    f"{self._server.name} takes no further client",
                    verdict="timeout",
                    expected=f"a connection within {_GREEDY_WITHIN:g} s",
                    seen="no answer",
                )
        return clients

    def closes(self) -> None:
        """Close every connection, with pauses."""
        self._leave("closes", reset=False, paced=True)

    def resets(self) -> None:
        """Reset every connection, all at once."""
        self._leave("resets", reset=True, paced=False)

    def _leave(self, verb: str, *, reset: bool, paced: bool) -> None:
        clients = [client for client in self._generator.clients if client.open]
        self._story.add("tester", f"{verb} {len(clients):,} connections")
        self._do(self._generator.leaves(clients, reset=reset, paced=paced), _REPLY_WITHIN)

    def dismiss(self) -> None:
        """End of the test: reset what is open, end the thread."""
        if self._loop.is_closed():
            return
        clients = [client for client in self._generator.clients if client.open]
        work = self._generator.leaves(clients, reset=True, paced=True)
        try:
            asyncio.run_coroutine_threadsafe(work, self._loop).result(_REPLY_WITHIN)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_REPLY_WITHIN)
            if not self._thread.is_alive():
                self._loop.close()

    # -- between the two threads -----------------------------------------------------------------------------------

    def _make(self, kind: type[Kind]) -> Kind:
        self._numbers += 1
        return kind(self._loop, self._numbers, self._generator.faults)

    def _make_greedy(self) -> GreedyClient:
        self._numbers += 1
        loop, faults = self._loop, self._generator.faults
        return GreedyClient(loop, self._numbers, faults, self._greedy_data, self._greedy_rate)

    def _do(self, work: Coroutine[Any, Any, Answer], within: float) -> Answer:
        """Have the generator's thread do something; raise what went wrong in it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            answer = future.result(within + _REPLY_WITHIN)
        except TimeoutError:
            raise LabError(f"the load generator did not come back within {within + _REPLY_WITHIN:g} s") from None
        finally:
            future.cancel()
        faults = self._generator.faults
        if faults.ours:
            raise LabError(faults.ours)
        if faults.count:
            self._server.keeps_running()
            raise Broken(
                f"{self._server.name} did not serve all of its clients",
                expected="every client served as if alone",
                seen="; ".join(faults.words),
            )
        return answer

    def _tell(self, broken: Broken, machine: Machine, within: float) -> None:
        self._server.keeps_running()
        if machine.was_too_slow(within):
            raise inconclusive(broken, machine)
        raise broken

    def look(self) -> tuple[Clocks, Usage | None]:
        """The generator's clocks and what the submission used so far, if that is reported."""

        async def in_its_thread() -> Clocks:
            return clocks()

        now = asyncio.run_coroutine_threadsafe(in_its_thread(), self._loop).result(_REPLY_WITHIN)
        try:
            return now, self._node.usage()
        except NotMeasured:
            return now, None


class LoadInterval:
    """An interval of load: what it cost the generator, and whether the machine had time for it."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self.cpu = 0.0  #: seconds of CPU that the generator's thread took
        self.lateness: list[float] = []  #: of its timers
        self._before: tuple[Clocks, Usage | None]
        self._after: tuple[Clocks, Usage | None]

    def __enter__(self) -> LoadInterval:
        self._before = self._load.look()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if error is None:
            self._after = self._load.look()
            self.cpu = self._after[0].cpu - self._before[0].cpu
            self._load.own_cpu += self.cpu

    @property
    def machine(self) -> Machine:
        """What the machine did to the figures of this interval."""
        (clocks_before, before), (clocks_after, after) = self._before, self._after
        queued, used, threads = None, 0.0, 1
        if before is not None and after is not None:
            used, threads = after.cpu_seconds - before.cpu_seconds, after.threads
            if before.queued_seconds is not None and after.queued_seconds is not None:
                queued = after.queued_seconds - before.queued_seconds
            if queued and before.queued_longest is not None and after.queued_longest is not None:
                # Threads that wake together wait for each other: the machine is to blame for what one of them waited.
                queued = min(queued, max(0.0, after.queued_longest - before.queued_longest))
        return machine(
            clocks_before,
            clocks_after,
            late=max(self.lateness, default=0.0),
            stamped=self._load.stamped,
            queued=queued,
            used=used,
            threads=threads,
        )
