"""A safe copy: what is taken, what is refused, and with which words."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from grader.submission import LEFT_OUT, Submission, SubmissionLimits, hash_of, readable_name, take_submission
from harness.errors import SubmissionError


@pytest.fixture
def handed_in(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "client.py").write_text("print(1)\n")
    return folder


def take(folder: Path, *, into: str = "copy", caps: SubmissionLimits | None = None) -> Submission:
    return take_submission(folder, folder.parent / into, student="ann", assignment="blocking", caps=caps)


def refusal(folder: Path, caps: SubmissionLimits | None = None) -> str:
    with pytest.raises(SubmissionError) as caught:
        take(folder, caps=caps)
    return str(caught.value)


def test_a_copy_has_the_same_files_and_ordinary_modes(handed_in: Path) -> None:
    (handed_in / "lib").mkdir(mode=0o700)
    (handed_in / "lib" / "framing.py").write_text("x = 1\n")
    (handed_in / "run").write_text("#!/bin/sh\n")
    (handed_in / "run").chmod(0o4700)
    (handed_in / "client.py").chmod(0o600)
    copy = take(handed_in)
    modes = {path.name: path.stat().st_mode & 0o7777 for path in copy.path.rglob("*")}
    assert modes == {"client.py": 0o644, "lib": 0o755, "framing.py": 0o644, "run": 0o755}
    assert (copy.path / "lib" / "framing.py").read_text() == "x = 1\n"
    assert (copy.files, copy.size, copy.notes) == (3, 25, ())


def test_equal_trees_hash_alike_and_any_change_shows(handed_in: Path) -> None:
    first = take(handed_in, into="1").hash
    os.utime(handed_in / "client.py", (1, 1))
    assert take(handed_in, into="2").hash == first
    (handed_in / "client.py").chmod(0o755)
    executable = take(handed_in, into="3").hash
    (handed_in / "client.py").rename(handed_in / "client2.py")
    renamed = take(handed_in, into="4").hash
    (handed_in / "client2.py").write_text("print(2)\n")
    changed = take(handed_in, into="5").hash
    assert len({first, executable, renamed, changed}) == 4


def test_times_are_kept_for_make(handed_in: Path) -> None:
    os.utime(handed_in / "client.py", (1000, 1000))
    assert (take(handed_in).path / "client.py").stat().st_mtime == 1000


def test_repositories_and_stale_bytecode_are_left_out(handed_in: Path) -> None:
    for name in (".git", "__pycache__"):
        (handed_in / name).mkdir()
        (handed_in / name / "x").write_text("x")
    (handed_in / "client.pyc").write_text("x")
    copy = take(handed_in)
    assert [path.name for path in copy.path.iterdir()] == ["client.py"]
    assert copy.notes == ("left out: .git, __pycache__, client.pyc",)


@pytest.mark.parametrize("name", [".venv", "venv", "node_modules", "__MACOSX", ".DS_Store", "._client.py"])
def test_what_tools_leave_beside_the_work_is_left_out(handed_in: Path, name: str) -> None:
    (handed_in / name).mkdir()
    for number in range(1200):  # more than a submission may hold
        (handed_in / name / f"{number}.js").touch()
    copy = take(handed_in)
    assert (copy.files, copy.notes) == (1, (f"left out: {name}",))


def test_a_virtual_environment_is_known_by_what_is_in_it(handed_in: Path) -> None:
    for name in ("env", "myenv"):
        (handed_in / name).mkdir()
    (handed_in / "myenv/pyvenv.cfg").write_text("home = /usr/bin\n")
    (handed_in / "env/module.py").write_text("x = 1\n")  # only named like one
    copy = take(handed_in)
    assert copy.notes == ("left out: myenv",)
    assert (copy.path / "env/module.py").is_file()


def test_a_link_to_a_virtual_environment_is_a_link(handed_in: Path) -> None:
    (handed_in.parent / "outside").mkdir()
    (handed_in.parent / "outside/pyvenv.cfg").touch()
    (handed_in / "lib").symlink_to(handed_in.parent / "outside")
    assert refusal(handed_in).startswith("lib is a symbolic link")


@pytest.mark.parametrize("beside", [(), (".DS_Store", "__MACOSX", ".git")])
def test_what_a_zip_wraps_around_the_work_is_taken_off(tmp_path: Path, beside: tuple[str, ...]) -> None:
    work = tmp_path / "in/ann-blocking/blocking"
    work.mkdir(parents=True)
    (work / "client.py").write_text("print(1)\n")
    for name in beside:
        (tmp_path / "in" / name).mkdir()
    copy = take(tmp_path / "in")
    assert [path.name for path in copy.path.iterdir()] == ["client.py"]
    assert copy.notes[:2] == (
        "everything was inside the folder ann-blocking/, which was taken off",
        "everything was inside the folder blocking/, which was taken off",
    )


def test_a_folder_beside_a_file_is_no_wrapping(handed_in: Path) -> None:
    (handed_in / "lib").mkdir()
    (handed_in / "lib/client.py").write_text("x = 1\n")
    copy = take(handed_in)
    assert sorted(str(path.relative_to(copy.path)) for path in copy.path.rglob("*.py")) == [
        "client.py",
        "lib/client.py",
    ]
    assert copy.notes == ()


def test_a_wrapping_that_is_a_link_is_refused(tmp_path: Path, handed_in: Path) -> None:
    (tmp_path / "outer").mkdir()
    (tmp_path / "outer/blocking").symlink_to(handed_in)
    assert refusal(tmp_path / "outer").startswith("blocking is a symbolic link")


def test_a_script_from_windows_can_be_started(handed_in: Path) -> None:
    (handed_in / "run").write_bytes(b"#!/bin/sh\r\necho a\r\necho b\r" + b"\n" * 2)
    (handed_in / "data").write_bytes(b"a\r\nb\r\n")
    (handed_in / "unix").write_bytes(b"#!/bin/sh\nprintf 'a\r\n'\n")
    copy = take(handed_in)
    assert (copy.path / "run").read_bytes() == b"#!/bin/sh\necho a\necho b\n\n"
    assert (copy.path / "data").read_bytes() == b"a\r\nb\r\n"
    assert (copy.path / "unix").read_bytes() == b"#!/bin/sh\nprintf 'a\r\n'\n"
    assert copy.notes == ("run is a script with the line ends of Windows; it was run with those of Linux",)


def test_line_ends_are_seen_across_blocks(handed_in: Path) -> None:
    script = b"#!/bin/sh\r\n" + b"#" * ((1 << 20) - 12) + b"\r\n" + b"echo\r"
    assert script[(1 << 20) - 1 : (1 << 20) + 1] == b"\r\n"
    (handed_in / "run").write_bytes(script)
    assert (take(handed_in).path / "run").read_bytes() == script.replace(b"\r\n", b"\n")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    assert refusal(tmp_path / "in").startswith("The folder is empty")


def test_a_folder_with_nothing_but_a_repository_says_what_was_left_out(tmp_path: Path) -> None:
    (tmp_path / "in" / ".git").mkdir(parents=True)
    assert refusal(tmp_path / "in").endswith("Left out: .git.")


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", "client.py", "loop"])
def test_links_are_refused_by_name(handed_in: Path, target: str) -> None:
    (handed_in / "loop").symlink_to(target)
    message = refusal(handed_in)
    assert message == f"loop is a symbolic link (to {target}). Hand in the file itself: links are not followed."


def test_a_linked_folder_is_refused(handed_in: Path) -> None:
    (handed_in / "sub").symlink_to("/etc")
    assert "sub is a symbolic link (to /etc)" in refusal(handed_in)


def test_a_submission_that_is_a_link_itself_is_refused(handed_in: Path) -> None:
    link = handed_in.parent / "link"
    link.symlink_to(handed_in)
    assert "not a real folder" in refusal(link)


def test_pipes_and_sockets_are_refused(handed_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(handed_in / "pipe")
    assert refusal(handed_in) == "pipe is a named pipe. Hand in ordinary files and folders only."
    (handed_in / "pipe").unlink()
    (handed_in.parent / "copy" / "client.py").unlink(missing_ok=True)
    monkeypatch.chdir(handed_in)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        with pytest.raises(SubmissionError, match="s is a socket"):
            take(handed_in, into="copy2")


def test_an_unreadable_file_is_refused_whoever_grades(handed_in: Path) -> None:
    (handed_in / "client.py").chmod(0)
    assert refusal(handed_in) == "client.py cannot be read by anyone. Make it readable: chmod u+r."


@pytest.mark.parametrize(
    ("caps", "says"),
    [
        (SubmissionLimits(files=3), "More than 3 files and folders"),
        (SubmissionLimits(bytes=1000), "larger than 0.001 MB together"),
        (SubmissionLimits(depth=1), "nested deeper than 1"),
    ],
)
def test_limits_are_named(handed_in: Path, caps: SubmissionLimits, says: str) -> None:
    (handed_in / "a" / "b").mkdir(parents=True)
    (handed_in / "a" / "b" / "c").write_bytes(bytes(2000))
    assert says in refusal(handed_in, caps)


def test_an_enormous_sparse_file_is_refused_at_once(handed_in: Path) -> None:
    with open(handed_in / "huge", "wb") as file:
        file.truncate(1 << 40)
    assert "reached at huge" in refusal(handed_in)


def test_a_name_that_is_not_utf8_is_taken_and_noted(handed_in: Path) -> None:
    with open(os.fsencode(handed_in) + b"/caf\xe9.py", "wb") as file:
        file.write(b"x")
    copy = take(handed_in)
    assert copy.notes == ("the name caf\\xe9.py is not UTF-8",)
    assert b"caf\xe9.py" in os.listdir(os.fsencode(copy.path))


def test_odd_names_are_noted(handed_in: Path) -> None:
    (handed_in / "a\nb").write_text("x")
    (handed_in / "CLIENT.py").write_text("x")
    (handed_in / "-rf").write_text("x")
    assert take(handed_in).notes == (
        "CLIENT.py and client.py are one file on systems that ignore case",
        "the name a\\nb has invisible characters",
    )


def test_a_hard_link_is_noted(handed_in: Path) -> None:
    os.link(handed_in / "client.py", handed_in.parent / "elsewhere")
    assert take(handed_in).notes == ("client.py is a hard link (2 names for one file)",)


def test_many_notes_are_counted(handed_in: Path) -> None:
    for n in range(30):
        (handed_in / f"a{n}\t").write_text("x")
    notes = take(handed_in).notes
    assert len(notes) == 21
    assert notes[-1] == "10 more such notes"


def test_a_name_for_a_message_is_readable() -> None:
    assert readable_name("a\x1b[31m\u202eb\udcff") == "a\\x1b[31m\\u202eb\\xff"
    assert len(readable_name("x" * 999)) == 201


def test_students_are_told_what_is_left_out() -> None:
    told = (Path(__file__).parents[2] / "grader/release/student/README.md.j2").read_text()
    common = LEFT_OUT - {".hg", ".svn", ".pytest_cache", ".mypy_cache", ".ruff_cache", "Thumbs.db"}
    assert [name for name in common if f"`{name}`" not in told] == []


def test_the_time_that_nbgrader_writes_beside_a_submission_is_no_part_of_it(handed_in: Path) -> None:
    before = take(handed_in)
    (handed_in / "timestamp.txt").write_text("2026-10-26 20:00:00 UTC\n")
    (handed_in / "lib").mkdir()
    (handed_in / "lib" / "timestamp.txt").write_text("the student's own\n")
    copy = take(handed_in, into="second")
    assert sorted(path.name for path in copy.path.iterdir()) == ["client.py", "lib"]
    assert (copy.path / "lib" / "timestamp.txt").is_file() and not copy.notes
    (handed_in / "lib" / "timestamp.txt").unlink()
    (handed_in / "lib").rmdir()
    assert hash_of(handed_in) == before.hash
