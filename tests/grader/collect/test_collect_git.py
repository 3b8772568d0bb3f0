"""Repositories of students: the last commit before the deadline, and nothing in them runs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from grader.collect.git import Mirror, checked
from harness.errors import SubmissionError, UsageError

if TYPE_CHECKING:
    from conftest import Collecting

#: The deadline is 2026-10-26 23:59 in Berlin, 22:59 UTC.
BEFORE, AFTER = "2026-10-26T20:00:00Z", "2026-10-26T23:30:00Z"


def git(folder: Path, *words: object, at: str = BEFORE) -> str:
    about = {"GIT_AUTHOR_NAME": "s", "GIT_AUTHOR_EMAIL": "s@x", "GIT_COMMITTER_NAME": "s", "GIT_COMMITTER_EMAIL": "s@x"}
    environment = {**os.environ, **about, "GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at, "HOME": str(folder)}
    command = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *map(str, words)]
    return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout


class Repository:
    """A student's, with a bare one on the server."""

    def __init__(self, here: Path, name: str) -> None:
        self.work, self.bare = here / f"{name}-work", here / f"{name}.git"
        self.work.mkdir()
        git(self.work, "init")
        git(here, "init", "--bare", self.bare)

    def commits(self, at: str = BEFORE, **files: str) -> None:
        for name, text in files.items():
            path = self.work / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(self.work, "add", "-A")
        git(self.work, "commit", "-m", "work", at=at)
        self.pushes(at)

    def pushes(self, at: str = BEFORE) -> None:
        git(self.work, "push", "--force", self.bare, "HEAD:main", at=at)


@pytest.fixture
def ann(tmp_path: Path) -> Repository:
    return Repository(tmp_path, "ann")


def only_ann(term: Collecting) -> None:
    file = term.folder / "roster.csv"
    file.write_text("\n".join(file.read_text().splitlines()[:2]) + "\n")


def test_the_last_commit_before_the_deadline(term: Collecting, ann: Repository) -> None:
    only_ann(term)
    ann.commits(client_py="first")
    ann.commits(client_py="second")
    ann.commits(at=AFTER, client_py="too late")
    said = " ".join(term.collects("git").split())
    assert "the last commit, of 2026-10-27 00:30 CET by what it says itself, came too late (--late takes it" in said
    assert term.has("ann") == {"client.py": "second"}
    row = json.loads((term.folder / "receipts.jsonl").read_text())
    assert (row["moment"], row["clock"]) == ("2026-10-26T20:00:00+00:00", "commit")
    assert "0 taken, 1 as before" in term.collects("git")
    # An extension is a deadline of one's own.
    file = term.folder / "course.toml"
    file.write_text(file.read_text() + '\n[[extensions]]\nstudent = "ann"\nassignment = "blocking"\ndays = 1\n')
    assert "1 taken" in term.collects("git")
    assert term.has("ann") == {"client.py": "too late"}


def test_who_pushed_too_late_only_is_told_when_and_how_to_take_it(term: Collecting, ann: Repository) -> None:
    only_ann(term)
    git(ann.bare, "config", "core.logAllRefUpdates", "always")
    ann.commits(at=AFTER, client_py="late")
    said = " ".join(term.collects("git", status=1).split())
    assert "no commit before 2026-10-26 23:59 CET; the last commit, of 2026-10-27 00:30 CET by the server's log" in said
    assert "1 taken" in term.collects("git", "--late")
    assert term.has("ann") == {"client.py": "late"}


def test_a_date_that_its_author_set_does_not_beat_the_servers_log(term: Collecting, ann: Repository) -> None:
    only_ann(term)
    git(ann.bare, "config", "core.logAllRefUpdates", "always")
    ann.commits(client_py="in time")
    git(ann.work, "commit", "--allow-empty", "-m", "x")
    (ann.work / "client.py").write_text("backdated")
    git(ann.work, "commit", "-am", "x", at=BEFORE)
    ann.pushes(at=AFTER)
    term.collects("git")
    assert term.has("ann") == {"client.py": "in time"}
    assert json.loads((term.folder / "receipts.jsonl").read_text())["clock"] == "server"


def test_one_repository_may_hold_all_assignments(term: Collecting, ann: Repository) -> None:
    only_ann(term)
    ann.commits(blocking__client_py="this", transport__client_py="that", README_md="hello")
    term.collects("git")
    assert term.has("ann") == {"client.py": "this"}


def test_nothing_in_a_repository_runs(term: Collecting, ann: Repository, tmp_path: Path) -> None:
    only_ann(term)
    proof = tmp_path / "it-ran"
    evil = tmp_path / "evil.sh"
    evil.write_text(f"#!/bin/sh\necho $0 >> {proof}\ncat\n")
    evil.chmod(0o755)
    (ann.work / "link").symlink_to("/etc/passwd")
    lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    ann.commits(
        client_py="ok",
        _gitattributes="* filter=evil diff=evil merge=evil\n",
        big_bin=lfs,
        _gitmodules=f'[submodule "x"]\n\tpath = sub\n\turl = ext::{evil}\n',
        _lfsconfig=f"[lfs]\n\turl = ext::{evil}\n",
    )
    commit = git(ann.work, "rev-parse", "HEAD").strip()
    git(ann.work, "update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
    git(ann.work, "commit", "-m", "a submodule")
    ann.pushes()
    hooks = ann.bare / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("pre-receive", "post-checkout", "reference-transaction", "post-update", "fsmonitor-watchman"):
        (hooks / hook).write_text(evil.read_text())
        (hooks / hook).chmod(0o755)
    for key in ("core.fsmonitor", "filter.evil.smudge", "filter.evil.process", "uploadpack.packObjectsHook",
                "core.sshCommand", "core.pager", "diff.evil.textconv", "credential.helper", "gpg.program"):  # fmt: skip
        git(ann.bare, "config", key, evil)
    git(ann.bare, "config", "alias.log", f"!{evil}")
    git(ann.bare, "config", "core.hooksPath", hooks)
    said = term.collects("git")
    assert not proof.exists()
    assert term.has("ann")["client.py"] == "ok"
    assert sorted(term.has("ann")) == [".gitattributes", ".gitmodules", ".lfsconfig", "big.bin", "client.py"]
    for note in ("link is a symbolic link", "sub is a submodule", "big.bin is in Git LFS"):
        assert note in said


@pytest.mark.parametrize(
    "address",
    [
        "--upload-pack=touch /tmp/x",
        "-x",
        "ext::sh -c id",
        "fd::17",
        "https://-oProxyCommand=x/y",
        "ssh://-oProxyCommand=x/y",
        "u@-host:x",
        "relative/path",
        "https://x y",
        "file://x\nhttps://y",
        "",
    ],
)
def test_what_is_not_an_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a repository"):
        checked(address)


@pytest.mark.parametrize(
    "address",
    [
        "https://git.example.org/ann/work.git",
        "ssh://git@host:22/x",
        "git@host:ann/x.git",
        "/srv/git/ann.git",
        "file:///srv/x",
    ],
)
def test_what_is_an_address_is_taken(address: str) -> None:
    assert checked(address) == address


def test_a_repository_that_is_not_there_is_one_line_and_the_others_are_collected(
    term: Collecting, ann: Repository
) -> None:
    ann.commits(client_py="x")
    said = term.collects("git", status=1)  # bob's is missing
    assert term.has("ann") == {"client.py": "x"}
    assert "bob/blocking: " in said and "cannot be read: fatal: " in said
    assert "does not appear to be a git repository" in " ".join(said.split())
    assert "1 taken, 0 as before, 1 not taken" in said


def test_a_tree_that_leads_elsewhere_is_taken_without_what_does(ann: Repository, tmp_path: Path) -> None:
    ann.commits(client_py="x")
    blob = git(ann.work, "hash-object", "-w", "client.py").strip()
    inner = git(ann.work, "write-tree").strip()
    listing = f"040000 tree {inner}\t..\0" + f"100644 blob {blob}\tok.py\0" + f"040000 tree {inner}\t.git\0"
    tree = subprocess.run(["git", "hash-object", "-t", "tree", "-w", "--literally", "--stdin"], cwd=ann.work,
                          input=_raw(listing), capture_output=True, check=True).stdout.decode().strip()  # fmt: skip
    commit = git(ann.work, "commit-tree", "-m", "x", tree).strip()
    git(ann.work, "push", "--force", ann.bare, f"{commit}:refs/heads/main")
    mirror = Mirror(tmp_path / "mirror", str(ann.bare))
    try:
        mirror.fetch()
    except SubmissionError:
        return  # a git that refuses such a tree as a whole
    last = mirror.last(None)
    assert last is not None
    files = mirror.files(last.name)
    assert list(files.contents) == ["ok.py"]
    assert len(files.notes) == 2


def test_a_folder_that_holds_itself_again_and_again_is_refused(
    ann: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten folders in ten folders in ...: a few hundred bytes are ten thousand million files."""
    monkeypatch.setattr("grader.git.MOST_SAID", 1_000_000)
    ann.commits(client_py="x")
    sha, kind = git(ann.work, "hash-object", "-w", "client.py").strip(), "100644 blob"
    for _ in range(10):
        listing = "".join(f"{kind} {sha}\tf{number}\n" for number in range(10))
        sha = subprocess.run(["git", "mktree"], cwd=ann.work, input=listing, capture_output=True, text=True, check=True
                             ).stdout.strip()  # fmt: skip
        kind = "040000 tree"
    commit = git(ann.work, "commit-tree", "-m", "x", sha).strip()
    git(ann.work, "push", "--force", ann.bare, f"{commit}:refs/heads/main")
    mirror = Mirror(tmp_path / "mirror", str(ann.bare))
    mirror.fetch()
    with pytest.raises(SubmissionError, match="it says more than 1 MB"):
        mirror.files(commit)


@pytest.mark.parametrize("name", ["HEAD", "packed-refs", "config", "logs/HEAD"])
def test_a_pipe_in_a_repository_makes_nobody_wait(
    ann: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("grader.collect.git.PATIENCE", 0.5)
    ann.commits(client_py="x")
    mirror = Mirror(tmp_path / "mirror", str(ann.bare))
    mirror.fetch()
    (ann.bare / name).parent.mkdir(exist_ok=True)
    (ann.bare / name).unlink(missing_ok=True)
    os.mkfifo(ann.bare / name)
    if name == "logs/HEAD":  # which is read without git
        last = mirror.last(None)
        assert last is not None and last.clock == "commit"
        return
    with pytest.raises(SubmissionError, match=r"did not answer within|cannot be read"):
        mirror.fetch()
    left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(ann.bare) in _read(path)]
    assert not left  # what git had started has ended with it


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # it has ended
        return ""


def _raw(listing: str) -> bytes:
    """A tree object's bytes, which `git mktree` would not make with such names."""
    out = b""
    for row in filter(None, listing.split("\0")):
        about, _, name = row.partition("\t")
        mode, _, sha = about.split()
        out += f"{mode.lstrip('0')} {name}".encode() + b"\0" + bytes.fromhex(sha)
    return out
