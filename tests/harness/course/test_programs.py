"""A submission may say how its programs start; what it says wrong is told to its author, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.course.programs import load_programs
from harness.errors import SubmissionError

TABLE = {"daytime_client": ("python3", "daytime_client.py"), "daytime_server": ("python3", "daytime_server.py")}


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "programs.toml").write_bytes(b"\xef\xbb\xbf[programs]\r\nclient = ['./client']\r\n")
    assert load_programs({"client": ["python3", "client.py"]}, tmp_path) == {"client": ["./client"]}


def test_without_a_file_the_assignments_table_holds(tmp_path: Path) -> None:
    assert load_programs(TABLE, tmp_path)["daytime_client"] == ["python3", "daytime_client.py"]


def test_a_row_of_the_submission_replaces_one_row(tmp_path: Path) -> None:
    (tmp_path / "programs.toml").write_text('[programs]\ndaytime_client = ["./daytime_client"]\n')
    programs = load_programs(TABLE, tmp_path)
    assert programs["daytime_client"] == ["./daytime_client"]
    assert programs["daytime_server"] == ["python3", "daytime_server.py"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (b"[programs", "programs.toml, line 1: this is not TOML"),
        (b"\xff", "byte 0 is not UTF-8"),
        (b"[programs]\nnc = ['nc']", 'line 2: unknown key "nc"'),
        (b"[programs]\ndaytime_client = 'nc'", "list of texts"),
        (b"[programs]\ndaytime_client = []", "is empty"),
        (b"[programs]\ndaytime_client = [1]", "list of texts"),
        (b'[programs]\ndaytime_client = ["a\\u0000b"]', "list of texts"),
        (b'[programs]\ndaytime_client = ["' + b"a" * 5000 + b'"]', "longer than 4,096 bytes"),
        (b"programs = " + b"[" * 30_000, "nested too deeply"),
        (b"programs = " + b"1" * 30_000, "cannot be read"),
        (b"programs = 1", "has to be a table"),
        (b"[build]\nx = 1", "one table"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, text: bytes, names: str) -> None:
    (tmp_path / "programs.toml").write_bytes(text)
    with pytest.raises(SubmissionError, match=names):
        load_programs(TABLE, tmp_path)


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text('[programs]\ndaytime_client = ["stolen"]\n')
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "programs.toml").symlink_to(secret)
    assert load_programs(TABLE, tmp_path / "s")["daytime_client"] == ["python3", "daytime_client.py"]
