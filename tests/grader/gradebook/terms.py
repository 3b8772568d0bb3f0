"""A term in a test: what an instructor types, and what stands in the gradebook then."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakes import END, FakeBench, hand_in, passing, report
from typer.testing import Result

from grader.course import Course

#: Seconds that a server may take to start on a busy machine.
PATIENCE = 60.0
MORE = "test_server.py::test_more"
NAMES = ("ann", "bob", "cyd", "dan", "eve", "fay", "gus", "hal", "ida", "jim", "kay", "leo")


@dataclass
class Term:
    """A course's folder, and `grader` typed in it."""

    folder: Path
    course: Course
    bench: FakeBench
    types: Callable[[list[str]], Result]
    url: str = ""

    def does(self, *words: object, status: int = 0) -> str:
        """A command of `grader`; what it says."""
        result = self.types([str(word) for word in words])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code == status, result.output
        return result.output

    def says(self, text: str) -> None:
        """Add to course.toml."""
        file = self.folder / "course.toml"
        file.write_text(file.read_text() + text)

    def keeps_gradebook(self, url: str) -> None:
        """In a database of another kind than SQLite."""
        file = self.folder / "course.toml"
        file.write_text(file.read_text().replace("[gradebook]\n", f'[gradebook]\nurl = "{url}"\n'))
        self.url = url.replace("postgresql:", "postgresql+psycopg:")
        self.does("gradebook", "settings", self.folder)

    def roster(self, **left: str) -> None:
        """Twelve students; ann and bob are a group. `left`: whose row says otherwise."""
        rows = ["id,first,last,mail,section,group,active"]
        for name in NAMES:
            group = "one" if name in ("ann", "bob") else ""
            rows.append(f"{name},{name.title()},Student,{name}@example.org,A,{group},{left.get(name, 'yes')}")
        (self.folder / "roster.csv").write_text("\n".join(rows) + "\n")

    def hands_in(self, student: str, text: str = "print(1)\n") -> None:
        folder = self.folder / "submitted" / student / "blocking"
        if folder.exists():
            (folder / "client.py").write_text(text)
        else:
            hand_in(self.folder / "submitted", student, **{"client.py": text})

    def will_see(self, **outcomes: Any) -> None:
        """What the next submissions' checks come to: by the last word of the test's name; else they pass."""
        said = []
        for record in [*passing(), report(MORE)]:
            word = record["check"].rpartition("_")[2]
            said.append({**record, **outcomes.get(record["check"].rpartition("test_")[2], outcomes.get(word, {}))})
        self.bench.scripts = [[*said, END]]
        self.bench.tasks.clear()

    def grades(self, *words: object, status: int = 0) -> str:
        return self.does("run", self.folder / "submitted", "--out", self.folder / "run", *words, status=status)

    def result(self, student: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "run" / student / "blocking" / "result.json").read_text())
        return found

    def brings(self, *words: object) -> str:
        """People's points out of formgrader."""
        return self.does("gradebook", "import", self.folder, *words)

    def nbgraders_table(self) -> str:
        """What nbgrader's own export writes, by its plugin (the program takes seconds to start)."""
        from nbgrader.api import Gradebook
        from nbgrader.plugins import CsvExportPlugin

        plugin = CsvExportPlugin(to=str(self.folder / "grades.csv"))
        with Gradebook(self.url or f"sqlite:///{self.folder / 'gradebook.db'}", "term") as book:
            plugin.export(book)
        return (self.folder / "grades.csv").read_text()

    def table(self, *words: object) -> list[dict[str, str]]:
        """What `grader gradebook export` writes, row by row."""
        file = self.folder / "out.csv"
        self.does("gradebook", "export", self.folder, "--out", file, *words)
        return list(csv.DictReader(io.StringIO(file.read_text())))

    def points(self, *words: object) -> dict[str, str]:
        return {row["student_id"]: row["blocking"] for row in self.table(*words)}


@contextlib.contextmanager
def served(folder: Path, home: Path, words: list[str], **environment: str) -> Iterator[str]:
    """A Jupyter server over a folder, with settings of its own; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home.mkdir()
    homes = {key: str(home / key) for key in ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    words = [sys.executable, *words, "--allow-root", "--no-browser", f"--ServerApp.port={port}"]
    words += ["--ServerApp.port_retries=0", "--IdentityProvider.token=secret", f"--ServerApp.root_dir={folder}"]
    everything = {**os.environ, **homes, "PATH": path, **environment}
    with (home / "jupyter.log").open("wb") as log:
        server = subprocess.Popen(words, cwd=folder, env=everything, stdout=log, stderr=log)
    try:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token=secret", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < end, (home / "jupyter.log").read_text()
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(PATIENCE)
