"""`lab sim`, `lab trace`, `lab replay`, `lab dissector` as they are typed, with a small solution on this machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from harness.cli.main import app
from harness.pictures.capture import to_pcapng
from harness.transport.pictures.bundle import Bundle, from_json, to_json
from tests.harness.transport import sample

PLAIN = Path(__file__).parents[1] / "transport/plain"
ASSIGNMENT = """\
[assignment]
schema = 1
name = "transport"
title = "A byte stream over bad mail"
handout = "handout.md"

[programs]
connection = ["python3", "connection.py"]

[[stages]]
number = 1
title = "All"
points = 5
section = "1"
programs = ["connection"]

[[checks]]
id = "test_it.py::test_passes"
suite = "public"
stage = 1
points = 2
section = "1.1"
rule = "The rule that passes."

[[checks]]
id = "test_it.py::test_fails"
suite = "public"
stage = 1
points = 3
needs = ["test_it.py::test_passes"]
section = "1.2"
rule = "The rule that fails."
"""
TESTS = """\
def test_passes(lab):
    lab.says("something")


def test_fails(lab):
    from harness.transport.pictures.bundle import Bundle
    from tests.harness.transport import sample

    lab.transport.leaves(Bundle(assignment="", wire=sample.WIRE, packets=tuple(sample.packets())))
    lab.expect(False, "it passes", otherwise=f"the seed is right: {lab.random_bytes(4).hex()}")
"""
TERM = '[term]\nname = "x"\nmagic = 0x5C\nchecksum = "crc-32"\n'


@pytest.fixture
def starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as a student has it, with a solution that sends one segment at a time."""
    folder = tmp_path / "transport"
    shutil.copytree(PLAIN, folder)
    (folder / "assignment.toml").write_text(ASSIGNMENT)
    (folder / "term.toml").write_text(TERM)
    (folder / "tests").mkdir()
    (folder / "tests" / "test_it.py").write_text(TESTS)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "160")
    return folder


def lab(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    file = tmp_path / "bundle.json"
    run = Bundle(
        assignment="transport",
        title="A title",
        message="it did not end",
        wire=sample.WIRE,
        packets=tuple(sample.packets()),
    )
    file.write_text(to_json(run))
    return file


# -- trace -------------------------------------------------------------------------------------------------------


def test_trace_shows_a_bundle(bundle: Path) -> None:
    result = lab("trace", bundle)
    assert result.exit_code == 0
    for text in (
        "A title",
        "lost (drop)",
        "duplicate ACK 3 of 1201",
        "7,200 bytes acknowledged",
        "it failed: it did not",
    ):
        assert text in result.output


def test_trace_shows_a_capture_and_what_it_breaks(tmp_path: Path) -> None:
    file = tmp_path / "x.pcapng"
    file.write_bytes(to_pcapng(sample.packets()))
    result = lab("trace", file)
    assert result.exit_code == 0
    assert "repeats #4 after 0.043 s" in result.output
    assert "broken" not in result.output


def test_trace_writes_what_is_asked_for(bundle: Path, tmp_path: Path) -> None:
    files = {name: tmp_path / "out" / f"x.{name}" for name in ("svg", "txt", "pcapng", "png")}
    result = lab("trace", bundle, "--ladder", files["svg"], "--pcap", files["pcapng"], "--plot", files["png"])
    assert result.exit_code == 0
    lab("trace", bundle, "--ladder", files["txt"])
    assert files["svg"].read_text().startswith("<svg")
    assert "duplicate ACK" in files["txt"].read_text()
    assert files["pcapng"].read_bytes().startswith(b"\x0a\x0d\x0d\x0a")
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    assert str(files["png"]) in result.output


def test_another_term_is_taken_from_its_file(tmp_path: Path) -> None:
    capture, term = tmp_path / "x.pcapng", tmp_path / "term.toml"
    capture.write_bytes(to_pcapng(sample.packets()))
    term.write_text(TERM.replace("0x5C", "0x11"))
    assert "not a segment (20 bytes)" in lab("trace", capture, "--term", term).output


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"{}", "not a bundle"), (b"hello", "cannot be read as a capture"), (None, "cannot be read: No such file")],
)
def test_trace_refuses_what_it_cannot_read(tmp_path: Path, content: bytes | None, why: str) -> None:
    file = tmp_path / "x"
    if content is not None:
        file.write_bytes(content)
    result = lab("trace", file)
    assert result.exit_code == 2
    assert why in " ".join(result.stderr.split())


def test_what_is_in_a_bundle_does_not_steer_the_terminal(tmp_path: Path) -> None:
    hostile = "\x1b[2J[red]x[/]\u202e"
    run = Bundle(
        assignment="transport",
        title=hostile,
        remark=hostile,
        message=hostile,
        misfortunes=(hostile,),
        names=(hostile, hostile),
        wire=sample.WIRE,
        packets=tuple(sample.packets()),
    )
    file = tmp_path / "x.json"
    file.write_text(to_json(run))
    output = lab("trace", file).output
    assert "\x1b" not in output
    assert "\u202e" not in output
    assert "\\x1b[2J[red]x[/]" in output


def test_dissector_prints_the_terms_script(tmp_path: Path) -> None:
    term = tmp_path / "term.toml"
    term.write_text(TERM.replace("0x5C", "0xA1"))
    assert "local MAGIC, PORT, MOST_PAYLOAD = 0xA1," in lab("dissector", "--term", term).output
    term.write_text("[term]\nmagic = 3\n")
    assert lab("dissector", "--term", term).exit_code == 2


# -- sim and replay ----------------------------------------------------------------------------------------------


def test_sim_runs_a_solution_against_itself_and_replay_does_it_again(starter: Path) -> None:
    kept = starter / "run.json"
    first = lab("sim", "transport", "--profile", "clean", "--bytes", 3000, "--seed", 5, "--bundle", kept)
    assert "client" in first.output
    again = lab("replay", kept)
    packets = [line for line in first.output.splitlines() if line.rstrip().endswith("|")]
    assert packets
    assert packets == [line for line in again.output.splitlines() if line.rstrip().endswith("|")]
    assert from_json(kept.read_bytes()).run["bytes"] == 3000


@pytest.mark.usefixtures("starter")
def test_two_solutions_can_meet(tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(PLAIN, other)
    (other / "connection.py").write_text("raise RuntimeError('of the other one')\n")
    result = lab("sim", "transport", "--peer", other, "--profile", "clean")
    assert result.exit_code == 2
    assert "of the other one" in result.stderr


@pytest.mark.usefixtures("starter")
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--profile", "nothing"], "nothing"),
        (["--scenario", "no such story"], "no such story"),
        (["--bytes", "-1"], "0 to 50,000,000"),
        (["--peer", "/does/not/exist"], "is not a folder"),
        (["--role", "referee"], "client or server"),
    ],
)
def test_sim_refuses_with_a_sentence(words: list[str], why: str) -> None:
    result = lab("sim", "transport", *words)
    assert result.exit_code == 2
    assert why in result.stderr


def test_sim_lists_its_scenarios() -> None:
    result = lab("sim", "transport", "--scenario", "list")
    assert result.exit_code == 0
    assert "last ACK lost: " in result.stdout


def test_sim_needs_an_assignment_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = lab("sim", "nosuch")
    assert result.exit_code == 2
    assert "no assignment 'nosuch'" in result.stderr


@pytest.mark.parametrize("assignment", ["blocking", "nonblocking", "tlspipe"])
def test_sim_says_which_assignment_it_is_for(assignment: str) -> None:
    result = lab("sim", assignment)
    assert result.exit_code == 2
    assert "lab sim is for transport" in result.stderr


def of_a_check(starter: Path, check: str, seed: str = "ab12") -> Path:
    file = starter / "failed.json"
    file.write_text(to_json(Bundle(assignment="transport", check=check, seed=seed, packets=tuple(sample.packets()))))
    return file


def test_replay_runs_the_failing_check_alone_with_its_seed(starter: Path) -> None:
    first, second = (lab("replay", of_a_check(starter, "test_it.py::test_fails")) for _ in range(2))
    assert first.exit_code == 1
    told = [line for line in first.output.splitlines() if "the seed is right" in line]
    assert told
    assert told == [line for line in second.output.splitlines() if "the seed is right" in line]
    assert "The rule that passes." not in first.output
    other = lab("replay", of_a_check(starter, "test_it.py::test_fails", "cd34"))
    assert told != [line for line in other.output.splitlines() if "the seed is right" in line]


def test_replay_says_when_a_check_passes_now(starter: Path) -> None:
    result = lab("replay", of_a_check(starter, "test_it.py::test_passes"))
    assert result.exit_code == 0
    assert "It passes now." in result.output


@pytest.mark.parametrize("check", ["test_it.py::test_secret", "x\x1b[2J"])
def test_replay_knows_public_checks_only(starter: Path, check: str) -> None:
    result = lab("replay", of_a_check(starter, check))
    assert result.exit_code == 2
    assert "is not a public check" in result.stderr
    assert "\x1b" not in result.stderr


def test_replay_refuses_a_bundle_without_options(starter: Path) -> None:
    file = starter / "x.json"
    data = json.loads(to_json(Bundle(assignment="transport")))
    file.write_text(json.dumps(data))
    result = lab("replay", file)
    assert result.exit_code == 2
    assert "does not say how to run it again" in result.stderr


# -- what `lab check` leaves -------------------------------------------------------------------------------------


def test_a_failing_check_leaves_its_pictures_and_says_where(starter: Path) -> None:
    result = lab("check", "transport", "--seed", "ab12")
    assert result.exit_code == 1
    folder = Path("lab-results/transport/test_fails")
    assert {file.name for file in folder.iterdir()} == {
        "bundle.json",
        "ladder.svg",
        "ladder.txt",
        "packets.pcapng",
        "plot.svg",
    }
    assert f"lab trace {folder}/bundle.json" in result.output
    assert f"lab replay {folder}/bundle.json" in result.output
    assert not (folder.parent / "test_passes").exists()
    kept = from_json((folder / "bundle.json").read_bytes())
    assert (kept.check, kept.seed, kept.title) == ("test_it.py::test_fails", "ab12", "The rule that fails.")
    assert "lost (drop)" in lab("trace", folder / "bundle.json").output
    assert lab("replay", folder / "bundle.json").exit_code == 1
    (starter / "tests" / "test_it.py").write_text(TESTS.replace("False", "True"))
    assert lab("replay", folder / "bundle.json").exit_code == 0
    assert not folder.exists(), "what passes has nothing to look at"


def test_what_to_type_names_the_folder_that_was_given(starter: Path) -> None:
    result = lab("check", "transport", starter)
    assert f"lab replay lab-results/transport/test_fails/bundle.json {starter}\n" in result.output


def test_without_a_place_to_write_the_check_goes_on(starter: Path) -> None:
    (starter / "lab-results").write_text("a file of the student's own")
    result = lab("check", "transport")
    assert "no pictures are kept" in " ".join(result.output.split())  # where its lines break, the folder's name decides
    assert "lab trace" not in result.output


def test_only_our_own_files_are_removed(starter: Path) -> None:
    lab("check", "transport")
    folder = starter / "lab-results" / "transport" / "test_fails"
    (folder / "notes.txt").write_text("mine")
    (starter / "tests" / "test_it.py").write_text(TESTS.replace("False", "True"))
    lab("check", "transport")
    assert [file.name for file in folder.iterdir()] == ["notes.txt"]
