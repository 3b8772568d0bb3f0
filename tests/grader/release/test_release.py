"""The release: fresh, whole, and silent about answers and hidden tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from fakes import READS, SERVES, TOML

from grader.course import Course
from grader.release import repository
from grader.release.leaks import Secrets, find_leaks
from grader.release.public_view import public_view
from grader.release.starters import differences, generate, write_starters
from harness.course.assignment import Assignment, parse_assignment
from harness.course.languages import DEFAULT, TOLD_IN, Grader, grader_from, promised
from harness.errors import SetupError, UsageError

CLIENT = '''\
"""The client of stage 1."""

import sys


def main() -> None:
    """Read to the end."""
    ### BEGIN SOLUTION
    collected_answer = b"".join(iter(lambda: connection.recv(4096), b""))
    sys.stdout.buffer.write(collected_answer)
    ### END SOLUTION


if __name__ == "__main__":
    main()
'''

PUBLIC_TEST = """\
def test_reads(lab):
    server = lab.listens()
    client = lab.runs("client", server.address)
"""

HIDDEN_TEST = """\
def test_secretly_reads(lab):
    server = lab.listens()
    client = lab.runs("client", server.address)
    peer = server.accepts(); peer.sends(b"one", b"two", apart=0.75)
    client.prints(b"onetwo"); client.exits(0, within=2.25)
"""


@pytest.fixture
def course(course: Course) -> Course:
    """The small course with programs, tests and a handout, released once."""
    reference = course.reference("blocking")
    (reference / "client.py").write_text(CLIENT)
    (reference / "server.py").write_text(CLIENT.replace("stage 1", "stage 2"))
    (reference / "Makefile").write_text("### GIVEN TO STUDENTS\nall:\n")
    (reference / "README.md").write_text("Notes on the answers.\n")
    (course.suites("blocking")["public"] / "test_client.py").write_text(PUBLIC_TEST)
    (course.suites("blocking")["hidden"] / "test_client.py").write_text(HIDDEN_TEST)
    course.released("blocking").mkdir(parents=True)
    (course.released("blocking") / "handout.md").write_text("# Programs that wait\n")
    write_starters(course, "blocking")
    return course


def test_what_is_generated(course: Course) -> None:
    files = generate(course, "blocking")
    assert sorted(files) == ["Makefile", "assignment.toml", "client.py", "server.py", "tests/test_client.py"]
    assert files["Makefile"] == b"all:\n"
    assert b'raise NotImplementedError("stage 1: main is yours to write")' in files["client.py"]
    assert b'"stage 2: main is yours to write"' in files["server.py"]


def test_the_public_view_is_the_assignment_without_hidden_checks(assignment: Assignment) -> None:
    text = public_view(assignment)
    again = parse_assignment(text, Path("assignment.toml"))
    assert [check.id for check in again.checks] == [READS, SERVES]
    assert (again.public, again.points) == (True, 15)
    assert (again.programs, again.build, again.limits) == (assignment.programs, assignment.build, assignment.limits)
    assert again.stages == assignment.stages
    assert again.checks == assignment.checks_of(suite="public")
    for secret in ("hidden check", "secretly", "survives", "Read section 1.2 again"):
        assert secret not in text


def test_any_text_survives_the_public_view() -> None:
    odd = 'quote " backslash \\\\ tab \\t bell \\u0007 delete \\u007f snow \u2603 \U0001f40d'
    text = TOML.replace('rule = "Read to the end."', f'rule = "{odd.replace(chr(34), chr(92) + chr(34))}"')
    assignment = parse_assignment(text, Path("a.toml"))
    view = tomllib.loads(public_view(assignment))
    assert view["checks"][0]["rule"] == assignment.checks[0].rule


def test_fresh_assignments_have_no_differences(course: Course) -> None:
    assert differences(course, "blocking") == []
    assert write_starters(course, "blocking") == []


def test_stale_missing_and_extra_files_are_named(course: Course) -> None:
    folder = course.released("blocking")
    (folder / "client.py").write_text("old\n")
    (folder / "server.py").unlink()
    (folder / "solution.py").write_text("x\n")
    (folder / "handout.md").unlink()
    (folder / "handout").mkdir()
    (folder / "handout" / "picture.svg").write_text("<svg/>")
    assert differences(course, "blocking") == [
        "assignments/blocking/client.py: stale",
        "assignments/blocking/handout.md: missing; it is written by hand",
        "assignments/blocking/server.py: missing",
        "assignments/blocking/solution.py: extra; nothing makes it",
    ]
    changed = write_starters(course, "blocking")
    assert changed == [f"assignments/blocking/{name}" for name in ("client.py", "server.py", "solution.py")]
    assert differences(course, "blocking") == ["assignments/blocking/handout.md: missing; it is written by hand"]


def test_a_release_is_written_with_everything_a_student_needs(course: Course, tmp_path: Path) -> None:
    out = tmp_path / "students"
    repository.write(repository.build(course), out)
    for path in (
        "lab",
        "lab.cmd",
        "README.md",
        "LICENSE.md",
        "requirements.txt",
        ".gitattributes",
        ".gitignore",
        "harness/cli/main.py",
        "blocking/client.py",
        "blocking/tests/test_client.py",
        "blocking/handout.md",
    ):
        assert (out / path).is_file(), path
    assert os.access(out / "lab", os.X_OK)
    assert "[`blocking/`](blocking/handout.md) | Programs that wait | 2 | 15 |" in (out / "README.md").read_text()
    assert not list(out.rglob("grader")) + list(out.rglob("reference")) + list(out.rglob("hidden"))


def test_a_release_replaces_its_own_files_and_no_others(course: Course, tmp_path: Path) -> None:
    out = tmp_path / "students"
    repository.write(repository.build(course), out)
    (out / ".git").mkdir()
    (out / ".git" / "HEAD").write_text("x")
    (out / "notes.md").write_text("mine")
    (course.reference("blocking") / "server.py").unlink()
    write_starters(course, "blocking")
    repository.write(repository.build(course), out)
    assert not (out / "blocking" / "server.py").exists()
    assert (out / "notes.md").exists()
    assert (out / ".git" / "HEAD").exists()


def test_a_folder_with_something_else_is_left_alone(course: Course, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    with pytest.raises(UsageError, match="is not a release"):
        repository.write(repository.build(course), tmp_path / "thesis")


def test_a_stale_course_is_not_released(course: Course) -> None:
    (course.released("blocking") / "client.py").write_text("old\n")
    with pytest.raises(SetupError, match=r"assignments/blocking/client\.py: stale"):
        repository.build(course)


# --- leaks: each way in which a secret could get out ---


ANSWER = "\n".join(CLIENT.splitlines()[8:10])
SECRET_STEPS = "\n".join(HIDDEN_TEST.splitlines()[3:5])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"```\n{ANSWER}\n```\n", "lines of the answer to blocking/client.py"),
        ("Look at test_secretly_reads.\n", "names the hidden test test_secretly_reads"),
        ("The hint of a hidden\ncheck.\n", "the text of a hidden check"),
        ("Read section 1.2 again.", "the text of a hidden check"),
        (SECRET_STEPS, "lines of a hidden test"),
    ],
)
def test_a_handout_that_tells_too_much_stops_the_release(course: Course, text: str, says: str) -> None:
    (course.released("blocking") / "handout.md").write_text(text)
    with pytest.raises(SetupError) as caught:
        repository.build(course)
    assert f"blocking/handout.md: it has {says}" in str(caught.value) or f"handout.md: it {says}" in str(caught.value)


def test_an_answer_left_outside_its_markers_stops_the_release(course: Course) -> None:
    """Two copies of a line, one of them between markers: the other would be released."""
    line = '    collected_answer = b"".join(iter(lambda: connection.recv(4096), b""))\n'
    leaks = find_leaks({"blocking/client.py": line.encode()}, repository.secrets_of(course, ["blocking"]))
    assert leaks == [f"blocking/client.py: it has a line of its answer: {line.strip()!r}"]


@pytest.mark.parametrize(
    ("path", "data", "says"),
    [
        ("grader/cli/run.py", b"x", "nothing of this name"),
        ("a/.git/config", b"x", "nothing of this name"),
        ("journal.jsonl", b"x", "nothing of this name"),
        ("x.pyc", b"x", "nothing of this name"),
        ("x.py", b"from grader.course import Course\n", "imports the grader"),
        ("notes.md", b"private notes\n", "it is reference/blocking/README.md"),
    ],
)
def test_private_files_are_found_under_any_name(path: str, data: bytes, says: str) -> None:
    secrets = Secrets(answers={}, given={}, private={"reference/blocking/README.md": b"private notes\n"})
    (leak,) = find_leaks({path: data}, secrets)
    assert leak.startswith(f"{path}: ")
    assert says in leak


def test_what_both_suites_say_is_no_secret(course: Course) -> None:
    assert "server = lab.listens()" in PUBLIC_TEST
    assert "server = lab.listens()" in HIDDEN_TEST
    repository.build(course)


# --- the bootstrap script ---


def test_lab_starts_the_cli_when_its_environment_is_ready(course: Course, tmp_path: Path) -> None:
    out = tmp_path / "students"
    repository.write(repository.build(course), out)
    (out / ".lab-venv" / "bin").mkdir(parents=True)
    (out / ".lab-venv" / "bin" / "python").write_text('#!/bin/sh\necho "$PYTHONPATH" "$@"\n')
    (out / ".lab-venv" / "bin" / "python").chmod(0o755)
    script = f"import runpy; lab = runpy.run_path({str(out / 'lab')!r}); open(lab['READY'], 'w').write(lab['wanted']())"
    subprocess.run([sys.executable, "-c", script], check=True)
    said = subprocess.run(
        [sys.executable, str(out / "lab"), "check", "blocking"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split() == [str(out), "-m", "harness.cli.main", "check", "blocking"]


@pytest.mark.parametrize(
    ("command", "again"),
    [
        (["./lab"], "./lab"),
        ([sys.executable, "lab"], f"{Path(sys.executable).name} lab"),
        ([sys.executable, "./lab"], "./lab"),
        (["../my students/lab"], "'../my students/lab'"),
        ([sys.executable, "../my students/lab"], "'../my students/lab'"),
    ],
)
def test_lab_names_a_command_that_can_be_typed(course: Course, tmp_path: Path, command: list[str], again: str) -> None:
    out = tmp_path / "my students"
    repository.write(repository.build(course), out)
    (out / ".lab-venv/bin").mkdir(parents=True)
    (out / ".lab-venv/bin/python").write_text('#!/bin/sh\nprintf %s "$LAB_COMMAND"\n')
    (out / ".lab-venv/bin/python").chmod(0o755)
    script = f"import runpy; lab = runpy.run_path({str(out / 'lab')!r}); open(lab['READY'], 'w').write(lab['wanted']())"
    subprocess.run([sys.executable, "-c", script], check=True)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    said = subprocess.run(
        command, cwd=out, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    assert said.stdout == again


def test_lab_leaves_an_environment_alone_that_is_not_its_own(course: Course, tmp_path: Path) -> None:
    out = tmp_path / "students"
    repository.write(repository.build(course), out)
    (out / ".venv").mkdir()
    (out / ".venv/mine").touch()
    (out / "venv.py").write_text("raise ImportError('no venv')\n")
    environment = {**os.environ, "PYTHONPATH": str(out)}
    subprocess.run([sys.executable, str(out / "lab")], env=environment, capture_output=True, check=False)
    assert (out / ".venv/mine").exists()


def test_a_checkout_on_windows_keeps_line_ends(course: Course, tmp_path: Path) -> None:
    out = tmp_path / "students"
    repository.write(repository.build(course), out)
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=out, check=True)
    clone = ["git", "-c", "core.autocrlf=true", "clone", "-q", str(out), str(tmp_path / "clone")]
    subprocess.run(clone, check=True)
    assert b"\r" not in (tmp_path / "clone/lab").read_bytes()
    assert (tmp_path / "clone/lab.cmd").read_bytes().endswith(b"%errorlevel%\r\n")


def test_lab_says_what_is_missing_when_venv_does_not_work(course: Course, tmp_path: Path) -> None:
    out = tmp_path / "students"
    repository.write(repository.build(course), out)
    (out / "venv.py").write_text("raise ImportError('no venv')\n")
    environment = {**os.environ, "PYTHONPATH": str(out)}
    said = subprocess.run(
        [sys.executable, str(out / "lab")], env=environment, capture_output=True, text=True, check=False
    )
    assert said.returncode == 1
    assert "Traceback" not in said.stderr
    assert "the module venv of this Python does not work" in said.stderr
    assert not (out / ".lab-venv").exists()


def test_lab_says_so_in_a_folder_that_it_cannot_write(course: Course, tmp_path: Path) -> None:
    out = tmp_path / "students"
    repository.write(repository.build(course), out)
    # root may write everywhere, so it is told that it may not
    (out / "venv.py").write_text("import os\nos.access = lambda *_: False\nraise PermissionError(13, 'denied')\n")
    environment = {**os.environ, "PYTHONPATH": str(out)}
    said = subprocess.run(
        [sys.executable, str(out / "lab")], env=environment, capture_output=True, text=True, check=False
    )
    assert said.returncode == 1 and "Traceback" not in said.stderr
    assert f"{out} cannot be written" in said.stderr and "copy it to a folder of your own" in said.stderr


def test_a_course_with_other_languages_tells_others(course: Course) -> None:
    handout = course.released("blocking") / "handout.md"
    handout.write_text(f"# Programs that wait\n\n**The machine that grades** {promised(DEFAULT)} And so on.\n")
    grader = Grader(languages=("python", "java"), tools={"java": "17.0.15"})
    files = repository.build(course, grader)
    assert grader_from(files[TOLD_IN].decode()) == grader
    told = files["blocking/handout.md"].decode()
    assert f"**The machine that grades** {promised(grader.languages)} And so on." in told
    assert "OpenSSL 3 and Java 17 or newer." in told and "a JDK 17 or newer" in told and "gcc" not in told
