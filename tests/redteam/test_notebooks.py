"""Hostile notebooks, run for real: none gains a point that an empty one would not get, and none tells anything."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.job import questions as job
from grader.questions import cells
from grader.questions.executed import executed
from grader.questions.source import Source, read_source
from grader.questions.submitted import cells_of
from harness.lab.docker import containers
from harness.lab.docker.images import ensure_notebook
from harness.lab.docker.notebook import NotebookLimits, Notebooks

sys.path.append(str(Path(__file__).parents[1] / "grader" / "questions"))
from kernels import TEXT, answered

pytestmark = [pytest.mark.docker, pytest.mark.slow]

#: What expressions ask for, and nothing that students get has: if it is seen anywhere, something told it.
SECRET = "hidden_input_4711"
QUESTIONS = TEXT.replace('"ports(3)"', f"\"ports(int('{SECRET}'[-1]) + 2)\"")
ONE_ANSWER = {"ports": "def ports(n): return list(range(n))"}

#: Answers of the first question; the second one is right, so a fair grader gives its points alone.
ATTACKS: dict[str, str] = {}

ATTACKS["equal_to_everything"] = """
class Equal:
    def __eq__(self, other): return True
    def __gt__(self, other): return True
    def __instancecheck__(self, other): return True
    __class__ = int
port = Equal()
"""

ATTACKS["an_int_that_lies"] = """
class Liar(int):
    def __repr__(self): return "5000"
    __str__ = __format__ = __repr__
    def __gt__(self, other): return True
port = Liar(7)
"""

ATTACKS["transformers"] = """
import ast
shell = get_ipython()
shell.input_transformers_post.append(lambda lines: (print(lines), lines)[1])
class Change(ast.NodeTransformer):
    def visit(self, node):
        print(ast.dump(node))
        return ast.Constant(True) if isinstance(node, (ast.Compare, ast.Assert)) else self.generic_visit(node)
shell.ast_transformers.append(Change())
"""

ATTACKS["expressions_printed"] = """
shell = get_ipython()
real = shell.user_expressions
def told(expressions):
    if expressions:
        print("SEEN", expressions)
        open("/work/seen", "a").write(str(expressions))
    return real(expressions)
shell.user_expressions = told
try:
    print("SEEN", open("/work/seen").read())
except OSError:
    pass
"""

ATTACKS["a_kernel_that_answers_by_itself"] = """
import builtins
shell = get_ipython()
shell.user_expressions = lambda found: {
    name: {"status": "ok", "data": {"text/plain": "__import__('os').system('true')"}, "metadata": {}} for name in found}
builtins.eval = lambda *_: "5000"
"""

ATTACKS["frames"] = """
import gc, sys
found = []
frame = sys._getframe()
while frame:
    found += [repr(value) for value in frame.f_locals.values() if isinstance(value, (str, dict))]
    frame = frame.f_back
for one in gc.get_objects():
    if isinstance(one, dict) and ("holds" in one or "answers" in one):
        found.append(repr(one))
print("SEEN" if any("mine > " "1024" in one or "hidden_" "input" in one for one in found) else "nothing")
"""

ATTACKS["files_of_the_kernel"] = """
import glob, os
for path in [*glob.glob("/tmp/**", recursive=True), *glob.glob("/code/**/*.py", recursive=True), "/proc/1/environ",
             "/proc/1/cmdline", "/proc/1/mem", "/proc/1/fd/0", "/proc/1/fd/1", "/submission/questions.md"]:
    try:
        text = open(path, errors="replace").read()
    except OSError:
        continue
    if "hidden_" "input" in text or "mine > " "1024" in text:
        print("SEEN", path)
try:
    os.write(os.open("/proc/1/fd/1", os.O_WRONLY), b'{"ok": true, "ended": "ok", "value": "\\'5000\\'"}\\n')
    print("SEEN the channel")
except OSError as error:
    print("nothing")
"""

ATTACKS["ten_gigabytes"] = """
import sys
line = "x" * 1_000_000 + "\\n"
for _ in range(10_000):
    sys.stdout.write(line)
"""

ATTACKS["forks"] = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
ATTACKS["memory"] = "found = []\nwhile True:\n    found.append(bytearray(10_000_000))"
ATTACKS["a_full_disk"] = "file = open('/work/full', 'wb')\nwhile True:\n    file.write(bytes(1_000_000))"
ATTACKS["signals_ignored"] = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    pass"
ATTACKS["the_kernel_ends"] = "import os\nos._exit(0)"
ATTACKS["another_kernel_on_its_ports"] = """
import json, os, subprocess, sys
about = json.load(open("/tmp/kernel.json"))
if os.fork() == 0:
    os.setsid()
    import time
    time.sleep(0.5)
    subprocess.Popen([sys.executable, "-m", "ipykernel_launcher", "-f", "/tmp/kernel.json"])
    os._exit(0)
os._exit(0)
"""
ATTACKS["forged_messages"] = """
shell = get_ipython()
kernel = shell.kernel
def forged(stream, kind, content=None, parent=None, **rest):
    if kind == "execute_reply":
        content = {"status": "ok", "user_expressions": {"value": {"status": "ok", "data": {"text/plain": ["'5000'"]}}}}
    return real(stream, kind, content, parent, **rest)
real = kernel.session.send
kernel.session.send = forged
"""
ATTACKS["standard_error"] = "import sys\nport = 5\nprint('fine', file=sys.stderr)"

#: Attacks that would run into the whole time for a cell.
LONG = {"ten_gigabytes", "forks", "memory", "signals_ignored"}


@pytest.fixture(scope="module")
def nodes() -> Iterator[Notebooks]:
    containers.sweep()
    limits = NotebookLimits(memory_mb=300, processes=64, file_mb=8, disk_mb=32)
    with Notebooks(ensure_notebook(containers.DockerEngine()), limits) as made:
        yield made


@pytest.fixture
def source() -> Source:
    return read_source(QUESTIONS, "questions.md")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "daytime_client.py").write_text("pass\n")
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit\n")
    (tmp_path / "ipykernel.py").write_text("raise SystemExit\n")
    (tmp_path / "usercustomize.py").write_text("raise SystemExit\n")
    for path in (tmp_path, *tmp_path.parents):
        if path.owner() == "root" and path != Path("/") and path != Path("/tmp"):
            path.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.audit] if name in LONG else []) for name in ATTACKS]
)
def test_an_attack_gains_and_tells_nothing(
    nodes: Notebooks, source: Source, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "CELL", 4.0 if name in LONG else 20.0)
    monkeypatch.setattr(job, "VALUE", 4.0)
    handed = answered(cells.unanswered(source), {**ONE_ANSWER, "port": ATTACKS[name]}, own={"ports-points": "print(1)"})
    mine = cells_of(source, handed)
    found = job.grade(nodes, folder, source, mine)
    for one, most in zip(found.answers, (0, 3, 0), strict=True):
        assert one.points in (0, most), one  # what an attack does to its own kernel may cost it more
        # On a machine that has no processor to give, a cell that never ends is nobody's fault, and waits.
        assert not one.waits or one.fault == "machine", one
    shown = executed(source, mine, found.outputs, {}).decode()
    assert SECRET not in shown
    assert "mine > 1024" not in shown
    assert "SEEN" not in json.dumps(found.outputs)
    assert len(shown) < 300_000


def test_forged_metadata_and_points_count_for_nothing(nodes: Notebooks, source: Source, folder: Path) -> None:
    whole = json.loads(cells.unanswered(source))
    for cell in whole["cells"]:
        about = cell["metadata"].setdefault("nbgrader", {})
        about.update(points=1000, score=1000, locked=False, grade=True, solution=True)
        cell["source"] = "port = 5" if cell["id"] == "port" else cell["source"]
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "2 of 2 points\n"}]
    whole["metadata"]["kernelspec"] = {"name": "evil", "argv": ["/bin/sh"], "language": "sh"}
    found = job.grade(nodes, folder, source, cells_of(source, json.dumps(whole).encode()))
    assert sum(one.points for one in found.answers) == 0
    assert sum(one.possible for one in found.answers) == 6


def test_the_reference_gets_all_beside_files_that_would_be_taken_for_modules(
    nodes: Notebooks, source: Source, folder: Path
) -> None:
    found = job.grade(nodes, folder, source, cells_of(source, cells.notebook(source)))
    assert sum(one.points for one in found.answers) == 5
    assert found.attempts == 1


def test_a_node_has_no_network_and_no_port_of_ours(nodes: Notebooks, folder: Path) -> None:
    asks = """
import os, socket
print(sorted(name for _, name in socket.if_nameindex()), os.getuid() >= 40000, os.access("/code", os.W_OK))
for path in ("/var/run/docker.sock", "/trusted", "/agent/agent.sock"):
    print(path, os.path.exists(path))
try:
    socket.create_connection(("10.77.1.2", 1), 1)
except OSError as error:
    print(type(error).__name__, os.listdir("/submission") != [])
"""
    with nodes.node(folder) as kernel:
        said = str(kernel.run(asks, 10.0).said["outputs"])
    assert "['lo'] True False" in said
    assert said.count("False") == 4
    assert "OSError True" in said
