"""`lab run capstone` as it is typed: the references composed, as a student composes his own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from harness.cli.main import app
from tests.grading import ROOT
from tests.mutants import copy_reference


@pytest.fixture(scope="module")
def solution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("composed")
    copy_reference("capstone", folder)
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    monkeypatch.chdir(ROOT / "assignments")
    return CliRunner().invoke(app, ["run", *words])


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_one_request_is_shown_in_three_layers(monkeypatch: pytest.MonkeyPatch, solution: Path) -> None:
    done = run(monkeypatch, "capstone", str(solution), "--seed", "3")
    assert done.exit_code == 0, done.output
    told = done.output.splitlines()
    order = ["handshake ClientHello", "handshake ServerHello", "web server: ", "curl is answered: HTTP/1.1 200 OK"]
    places = [next(at for at, line in enumerate(told) if word in line and " tester " not in line) for word in order]
    assert places == sorted(places)
    assert "every page came as it is, 3,000 bytes" in done.output
    assert " SYN seq=0 " in done.output


def test_a_call_goes_the_same_way(monkeypatch: pytest.MonkeyPatch, solution: Path) -> None:
    done = run(monkeypatch, "capstone", str(solution), "--call", "--profile", "clean")
    assert done.exit_code == 0, done.output
    assert 'rpc_client printed "42.5' in done.output


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, "capstone", "--call")
    assert done.exit_code == 2
    assert "copy your folder tlspipe into this one" in " ".join(done.output.split())


def test_what_composes_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, "blocking")
    assert done.exit_code == 2 and "lab run is for capstone" in done.output
