"""What is said of files that are not where they are looked for: each as it comes every term."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.course.misplaced import expected_files, misplaced_in, plain_name, what_is_misplaced

EXPECTED = ["daytime_client.py", "daytime_server.py"]
OTHERS = {"nonblocking": ["echo_server.py", "chat_server.py"]}


def told(*files: str) -> str:
    return what_is_misplaced(EXPECTED, files, OTHERS)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (["blocking/daytime_client.py", "daytime_server.py"], "found blocking/daytime_client.py; move it up"),
        (["Daytime_Client.py", "daytime_server.py"], "found Daytime_Client.py; rename it to daytime_client.py"),
        (["daytime_client.py.txt", "daytime_server.py"], "found daytime_client.py.txt; rename it to daytime_client.py"),
        (["daytime_client (1).py"], "found daytime_client (1).py; rename it to daytime_client.py"),
        (["daytime-client.py"], "found daytime-client.py; rename it to daytime_client.py"),
        (["a/b/Daytime_Server.PY"], "found a/b/Daytime_Server.PY; rename it to daytime_server.py"),
        (["blocking.zip"], "Found blocking.zip: hand in the files themselves"),
        (["work.tar.gz", "notes.md"], "Found work.tar.gz: hand in the files themselves"),
        (["echo_server.py", "x.py"], "Found files of another assignment, nonblocking: echo_server.py, x.py."),
        (["main.py"], "daytime_client.py, daytime_server.py were looked for at the top of the folder. Found: main.py."),
    ],
)
def test_what_was_found_is_named(files: list[str], says: str) -> None:
    assert says in told(*files)


@pytest.mark.parametrize("files", [EXPECTED, ["daytime_client.py", "lib/x.py"], [*EXPECTED, "old/daytime_client.py"]])
def test_nothing_is_said_of_who_has_not_come_so_far(files: list[str]) -> None:
    assert told(*files) == ""


def test_many_are_counted() -> None:
    names = [f"program_{number}.py" for number in range(9)]
    said = what_is_misplaced(names, [f"deep/{name}" for name in names], {})
    assert said.count("move it up") == 4
    assert said.endswith("(and 5 more like this).")


@pytest.mark.parametrize(
    ("argv", "file"),
    [
        (["python3", "client.py"], ["client.py"]),
        (["python3.12", "-u", "./client.py", "--x"], ["client.py"]),
        (["./client", "client.py"], ["client"]),
        (["sh", "run.sh"], ["run.sh"]),
        (["/usr/bin/python3", "client.py"], ["client.py"]),
        (["/bin/true"], []),
        (["python3"], []),
    ],
)
def test_the_file_of_a_command(argv: list[str], file: list[str]) -> None:
    assert expected_files({"client": argv}) == file


def test_other_programs_do_not_look_alike() -> None:
    assert plain_name("daytime_client.py") != plain_name("daytime_server.py")
    assert plain_name("client2.py") != plain_name("client.py")


def test_beside_what_is_built_scripts_need_not_be_begun(tmp_path: Path) -> None:
    (tmp_path / "client.c").touch()
    programs = {"client": ["./client"], "server": ["python3", "server.py"]}
    assert misplaced_in(tmp_path, programs, True, {}) == ""
    (tmp_path / "Server.py.txt").touch()
    assert "found Server.py.txt; rename it to server.py" in misplaced_in(tmp_path, programs, True, {})
    (tmp_path / "Server.py.txt").unlink()
    scripts = {"server": ["python3", "server.py"]}
    assert "server.py was looked for" in misplaced_in(tmp_path, scripts, True, {})
