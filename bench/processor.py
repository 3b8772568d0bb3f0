"""Where the processor goes while one submission is graded: the reference, all checks, by the parts that use it.

Let nothing else run: "all of the machine" is what its processors did (/proc/stat), whoever asked them to. The parts are
control groups of the containers (cgroup v1 or v2), and processes by name; what they do not hold is the kernel's.

    .venv/bin/python bench/processor.py [ASSIGNMENT [LABS]]
"""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

import docker
from grader.bench.docker import DockerPlace
from grader.bench.local import closing
from grader.campaign.campaign import Campaign
from grader.campaign.crowd import labs_here
from grader.campaign.plan import make_plan
from grader.course import this_course
from grader.record.run_folder import RunFolder
from harness.lab.docker.owner import this_owner

#: Where a container's use is told: cgroup v1 (nanoseconds), v2 with either driver (microseconds in a table).
PLACES = (
    ("/sys/fs/cgroup/cpuacct/docker/{0}/cpuacct.usage", 1e-9),
    ("/sys/fs/cgroup/docker/{0}/cpu.stat", 1e-6),
    ("/sys/fs/cgroup/system.slice/docker-{0}.scope/cpu.stat", 1e-6),
)
#: Processes of the engine.
ENGINE = ("dockerd", "containerd")
#: Seconds between two looks: what a node used after the last one is missing.
LOOK = 0.02


def used_by(container: str) -> float | None:
    """Seconds of processor of a container, None if it is gone."""
    for path, unit in PLACES:
        try:
            words = Path(path.format(container)).read_text().split()
        except OSError:
            continue
        return int(words[words.index("usage_usec") + 1] if len(words) > 1 else words[0]) * unit
    return None


def busy() -> float:
    """Seconds that the machine's processors have worked."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait)


def of_engine() -> float:
    """The engine's own processes, with the short ones that they have waited for."""
    total = 0.0
    for each in psutil.process_iter(["name"]):
        if each.info["name"] in ENGINE:
            total += sum(each.cpu_times()[:4])
    return total


class Watch(threading.Thread):
    """Looks at every container of this process's labs, again and again."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._used: dict[str, float] = {}  # container -> seconds
        self._names: dict[str, str] = {}  # container -> kind of node
        self._over = threading.Event()

    def run(self) -> None:
        engine = docker.APIClient()
        label = f"socketlab.owner={this_owner().identity}"
        for number in itertools.count():
            if number % 10 == 0:
                for row in engine.containers(all=True, filters={"label": label}):
                    self._names[row["Id"]] = row["Names"][0].rpartition("-")[2].rstrip("0123456789")
            for container in self._names:
                if (seconds := used_by(container)) is not None:
                    self._used[container] = seconds
            if self._over.wait(LOOK):
                return

    def parts(self) -> dict[str, tuple[int, float]]:
        """Kind of node -> how many there were, and seconds of all."""
        self._over.set()
        self.join()
        found: dict[str, tuple[int, float]] = {}
        for container, seconds in self._used.items():
            count, sum_so_far = found.get(self._names[container], (0, 0.0))
            found[self._names[container]] = (count + 1, sum_so_far + seconds)
        return found


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "blocking"
    labs = int(sys.argv[2]) if len(sys.argv) > 2 else labs_here()
    course = this_course()
    with tempfile.TemporaryDirectory() as scratch:
        submitted = Path(scratch) / "submitted"
        shutil.copytree(course.reference(name), submitted / "reference" / name)
        for part, folder in course.parts(name).items():
            shutil.copytree(folder, submitted / "reference" / name / part, dirs_exist_ok=True)
        place = DockerPlace(course, [name], engine="auto", say=print)
        with closing(place), RunFolder(Path(scratch) / "run") as run:
            jobs = make_plan(course, submitted).jobs
            watch, mine = Watch(), psutil.Process()
            watch.start()
            begun, before, engine, own = time.monotonic(), busy(), of_engine(), sum(mine.cpu_times()[:2])
            campaign = Campaign(course, run, place, b"secret", workers=labs)
            result = next(event.result for event in campaign.events(jobs) if event.kind == "ends" and event.result)
            wall, all_of_it = time.monotonic() - begun, busy() - before
            engine, own = of_engine() - engine, sum(mine.cpu_times()[:2]) - own
            parts = watch.parts()
    count, load = len(result["checks"]), psutil.getloadavg()[0]
    print(f"{name}: {result['points']:g} points, {count} checks, up to {labs} labs, load {load:.1f}")
    print(f"{wall:6.1f} s by the clock, {all_of_it:6.1f} s of processor, all of the machine; of that")
    for kind, (count, seconds) in sorted(parts.items(), key=lambda row: -row[1][1]):
        print(f"{seconds:6.1f} s {kind}: {count} nodes")
    print(f"{engine:6.1f} s the engine's own processes (dockerd, containerd)")
    print(f"{own:6.1f} s the grader, and this measuring")
    rest = all_of_it - engine - own - sum(seconds for _, seconds in parts.values())
    print(f"{rest:6.1f} s the rest: starting and ending containers, the kernel, others")


if __name__ == "__main__":
    main()
