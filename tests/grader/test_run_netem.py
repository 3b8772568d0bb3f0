"""The reference in the Docker lab over the kernel's netem: full marks. In docker/guest, or any such kernel."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.docker
@pytest.mark.netem
@pytest.mark.slow
def test_the_reference_has_full_marks_over_netem(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "reference" / "blocking", tmp_path / "class" / "reference" / "blocking")
    grader = [str(Path(sys.executable).with_name("grader")), "run", str(tmp_path / "class")]
    options = ["--out", str(tmp_path / "run"), "--lab", "docker", "--engine", "netem", "--workers", "1"]
    done = subprocess.run([*grader, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "run" / "reference" / "blocking" / "result.json").read_text())
    others = [
        (check["id"], check["outcome"], check["message"]) for check in result["checks"] if check["outcome"] != "pass"
    ]
    assert (others, result["points"]) == ([], 100.0)
    engines = {check["link"]["engine"] for check in result["checks"] if check.get("link")}
    assert engines == {"netem"}
