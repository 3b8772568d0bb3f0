"""What course.toml says of pushes and forges: every mistake is named with its line, and no token is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.course_file import CourseFile, load_course_file
from harness.errors import SetupError

HEAD = '[course]\nschema = 1\nname = "networks"\nzone = "Europe/Berlin"\n'
FORGE = '[[forges]]\nurl = "https://git.example"\nkind = "gitlab"\ntoken = "file:.token"\n'


def course(tmp_path: Path, text: str) -> CourseFile:
    (tmp_path / "course.toml").write_text(HEAD + text)
    return load_course_file(tmp_path / "course.toml", ["blocking"])


def test_without_a_word_there_are_defaults_and_no_forge(tmp_path: Path) -> None:
    push = course(tmp_path, "").push
    assert (push.folder, push.repositories) == (tmp_path / "push", "/srv/git/{student}.git")
    assert (push.branch, push.identity, push.forges, push.pages) == ("main", "path", (), None)
    assert course(tmp_path, "").assignment("blocking").verdicts_per_day is None


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = course(
        tmp_path,
        '[push]\nbranch = "trunk"\nidentity = "gitolite"\nwatch_minutes = 2\npages = "www"\n[watch]\nseconds = 5\n'
        + FORGE
        + '[[assignments]]\nname = "blocking"\nverdicts_per_day = 0\n',
    )
    assert (found.push.branch, found.push.identity, found.push.watch_seconds) == ("trunk", "gitolite", 120)
    assert (found.push.every, found.push.pages) == (5, tmp_path / "www")
    assert found.push.forges[0].api == "https://git.example/api/v4"
    assert found.assignment("blocking").verdicts_per_day == 0


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ('[push]\nrepositories = "git/{student}.git"', 6, "it has to be a whole path with {student} in it"),
        ('[push]\nrepositories = "/srv/git/all.git"', 6, "it has to be a whole path with {student} in it"),
        ('[push]\nbranch = "-x"', 6, "cannot be the name of a branch"),
        ('[push]\nbranch = "a b"', 6, "cannot be the name of a branch"),
        ('[push]\nidentity = "mail"', 6, "'mail' is not known. Write one of: path, key, gitolite"),
        ('[push]\nlink = "https://x.example/"', 6, "it has to be an address with {student} and {assignment} in it"),
        ('[push]\nlink = "javascript:{student}{assignment}"', 6, "it has to be an address"),
        ('[push]\nbrunch = "main"', 6, 'unknown key "brunch"'),
        ("[watch]\nseconds = 0", 6, '"seconds" has to be a number above zero'),
        (FORGE.replace("gitlab", "gitea"), 7, "'gitea' is not known. Write one of: github, gitlab, forgejo"),
        (FORGE.replace("https", "http"), 6, "the token would go over the network for everybody to read"),
        (FORGE.replace("git.example", "me:secret@git.example"), 6, "is not the address of a forge"),
        (FORGE.replace("file:.token", "ghp_0123456789"), 8, "this says where the token is, and is not it"),
        (FORGE.replace("gitlab", "forgejo") + "comments = true", 9, "Forgejo has no comments on commits"),
        ('[[assignments]]\nname = "blocking"\nverdicts_per_day = -1', 7, "a whole number from 1 on"),
        ('[[assignments]]\nname = "blocking"\nverdicts_per_day = true', 7, "a whole number from 1 on"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, line: int, why: str) -> None:
    with pytest.raises(SetupError) as mistake:
        course(tmp_path, text + "\n")
    assert f"line {line}: " in str(mistake.value) and why in str(mistake.value)
    assert "ghp_0123456789" not in str(mistake.value)
