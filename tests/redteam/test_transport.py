"""Hostile programs that answer the calls of `transport` by themselves: none gains, stays undecided, or costs memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.actors.story import Broken
from harness.transport.calls.calls import RemoteConnection
from tests.harness.transport.hosting import hosted
from tests.redteam.attacks_transport import CALLED as CHECK
from tests.redteam.attacks_transport import FLOOD, PROGRAM, QUEUE

ROOT = Path(__file__).resolve().parents[2]

#: Grades one check, and tells how much memory the tester took at most, in MB.
GRADE = """import json, resource, sys
from pathlib import Path
from grader.bench.local import LocalBench
from tests.grading import ROOT, grade
bench = LocalBench(ROOT)
graded = grade(bench, Path(sys.argv[1]), "transport", stages=[3], only=[sys.argv[2]])
bench.close()
print(json.dumps([graded.reports[sys.argv[2]], resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024]))
"""


@pytest.mark.parametrize("timer", ["1" + "0" * 400, "-1" + "0" * 400, "1e999", '"1"', "true", "[]"])
def test_a_time_that_is_none(tmp_path: Path, timer: str):
    (tmp_path / "evil.py").write_text(PROGRAM.format(f"def answer(now): return '{{\"timer\": {timer}}}'"))
    with hosted(tmp_path, argv=[sys.executable, "evil.py"]) as remote:
        connection = RemoteConnection(remote, 1, role="client", isn=1)
        with pytest.raises(Broken, match="next_timer gave no time"):
            connection.step(now=0.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "outcome", "told"), [(FLOOD, "fail", "bytes together"), (QUEUE, "timeout", "must not sleep")]
)
def test_it_fails_and_costs_little(tmp_path: Path, source: str, outcome: str, told: str):
    (tmp_path / "evil.py").write_text(PROGRAM.format(source))
    (tmp_path / "programs.toml").write_text('[programs]\nconnection = ["python3", "evil.py"]\n')
    done = subprocess.run(
        [sys.executable, "-c", GRADE, str(tmp_path), CHECK], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    report, megabytes = json.loads(done.stdout)
    assert (report["outcome"], told in report["message"]) == (outcome, True), report["message"]
    assert megabytes < 400
