"""Real processes of a farm: dask's scheduler, and workers whose benches follow a script. As a program it is a worker.

What a worker does is said on its standard output: "working ..." when it has come, "runs CHECKS" when a bench begins.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes import END, FakeBench, FakePlace, passing

from grader.bench.local import Ended, OnRecord
from grader.bench.task import Task
from grader.cli.farm import work
from grader.course import Course


class Speaking(FakeBench):
    """Says what it begins; `holds`: and never ends, unless it is cancelled."""

    def __init__(self, *, holds: bool, pause: float) -> None:
        super().__init__([[*passing(), END]])
        self._holds, self._pause, self._cancelled = holds, pause, threading.Event()

    def run(self, task: Task, on_record: OnRecord) -> Ended:
        print(f"runs {' '.join(task.checks) or 'the build'}{', alone' if task.alone else ''}", flush=True)
        if self._holds:
            self._cancelled.wait()
            print("was ended", flush=True)
            return Ended(status=None, cancelled=True)
        self._cancelled.wait(self._pause)
        return super().run(task, on_record)

    def cancel(self) -> None:
        self._cancelled.set()


@dataclass
class Process:
    """A process, and what it says."""

    process: subprocess.Popen[str]

    def says(self, begin: str) -> str:
        """The next line that begins so; what comes before is passed over."""
        assert self.process.stdout is not None
        hung = threading.Timer(90, self.end_at_once)
        hung.start()
        try:
            for line in self.process.stdout:
                if line.startswith(begin):
                    return line.strip()
        finally:
            hung.cancel()
        raise AssertionError(f"it ended (or hung) without saying {begin!r}")

    def kill(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)

    def end_at_once(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()

    def end(self) -> None:
        self.end_at_once()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@dataclass
class Farm:
    """A scheduler and workers of a course."""

    course: Course | None  #: None: of a scheduler only
    address: str = ""
    processes: list[Process] = field(default_factory=list)

    def start(self, *words: str) -> Process:
        """Start a process of this Python."""
        process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
        self.processes.append(Process(process))
        return self.processes[-1]

    def scheduler(
        self, address: str = "tcp://127.0.0.1:0", *, lost_after: float = 60.0, certificates: Path | None = None
    ) -> Process:
        """dask's, as `grader farm scheduler` starts it."""
        more = [f"--certificates={certificates}"] if certificates else []
        process = self.start("-m", "grader.cli", "farm", "scheduler", address, f"--lost-after={lost_after}", *more)
        self.address = process.says("the scheduler is at ").split()[4].rstrip(";")
        return process

    def worker(
        self, name: str, *, labs: int = 2, holds: bool = False, image: str = "image-1", pause: float = 0.0
    ) -> Process:
        """A worker that has come, with fake benches. `holds`: it never ends one, `pause`: one takes so long."""
        assert self.course is not None
        words = [str(self.course.root), self.address, name, str(labs), image, str(pause), "holds" if holds else ""]
        process = self.start(__file__, *words)
        process.says("working ")
        return process

    def close(self) -> None:
        for process in reversed(self.processes):
            process.end()


if __name__ == "__main__":
    root, address, name, labs, image, pause, holds = sys.argv[1:]
    place = FakePlace(lambda: Speaking(holds=bool(holds), pause=float(pause)), image=image)
    work(Course(Path(root)), place, address, None, labs=int(labs), name=name)
