"""What is pushed may be meant to do harm: nothing of it runs, what is refused says why, and the queue goes on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from grader.forges.status import Status
from grader.push.folder import PushFolder
from grader.push.queue import Queue

if TYPE_CHECKING:
    from pushing import Pushing

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """A program that leaves a proof beside itself."""
    program = tmp_path / "evil.sh"
    program.write_text(f"#!/bin/sh\necho $0 $* >> {tmp_path}/it-ran\ncat\n")
    program.chmod(0o755)
    return program


def ran(evil: Path) -> bool:
    return (evil.parent / "it-ran").exists()


def test_nothing_in_a_pushed_commit_runs(served: Pushing, evil: Path) -> None:
    ann = served.student()
    commit = served.commits(ann, "")
    served.commits(
        ann,
        "",
        {
            "blocking/client.py": "",
            "blocking/.gitattributes": "* filter=evil diff=evil merge=evil\n",
            ".gitattributes": "* filter=evil export-subst\n",
            ".lfsconfig": f"[lfs]\n\turl = ext::{evil}\n",
            "blocking/big.bin": LFS,
            "blocking/-oProxyCommand=x": "a name",
            "blocking/--upload-pack=x": "a name",
            "blocking/hooks/post-checkout": evil.read_text(),
            "blocking/.git-hooks/x": "",
        },
    )
    work = served.work(ann)
    (work / "blocking" / "link").symlink_to("/etc/passwd")
    served.git(work, "add", "-A")
    served.git(work, "update-index", "--add", "--cacheinfo", f"160000,{commit},blocking/sub")
    served.git(work, "commit", "-m", "a link and a submodule")
    said = served.pushes(ann)
    for note in ("link is a symbolic link", "sub is a submodule", "big.bin is in Git LFS: only its pointer was taken"):
        assert f"blocking/{note}" in said
    assert "15 of 15 points." in said
    copy = next((served.term / "push/kept/run/.copies").rglob("-oProxyCommand=x"), None)
    assert copy is not None and not ran(evil)


def test_nothing_in_a_repository_that_somebody_set_up_runs(served: Pushing, evil: Path) -> None:
    """Students cannot write there; if one could, the daemon would still run nothing."""
    ann = served.student()
    bare = served.here / f"git/{ann}.git"
    (bare / "hooks" / "post-receive").unlink()
    served.pushes(ann, "")
    for key in ("core.fsmonitor", "filter.evil.smudge", "uploadpack.packObjectsHook", "core.sshCommand", "core.pager",
                "core.alternateRefsCommand", "diff.evil.textconv", "credential.helper", "gpg.program"):  # fmt: skip
        served.git(bare, "config", key, evil)
    for hook in ("post-checkout", "reference-transaction", "fsmonitor-watchman", "post-index-change", "pre-auto-gc"):
        (bare / "hooks" / hook).write_text(evil.read_text())
        (bare / "hooks" / hook).chmod(0o755)
    (bare / "objects/info").mkdir(exist_ok=True)
    (bare / "objects/info/alternates").write_text(f"{served.here}/git/s00.git/objects\n/dev/zero\n|{evil}\n")
    queue = Queue(PushFolder(served.term / "push").queue)
    commit = served.git(served.work(ann), "rev-parse", "HEAD").strip()
    words = {"assignment": "blocking", "repository": str(bare), "ref": "refs/heads/main", "commit": commit}
    number = queue.put(student=ann, now=1.0, **words).push.id
    served.until(lambda: queue.state_of(number)[0] == "done")
    assert queue.state_of(number)[1] == "15 of 15 points." and not ran(evil)


def test_ten_thousand_files_are_refused_and_the_next_one_is_graded(served: Pushing) -> None:
    ann, bob = served.student(), served.student()
    work = served.work(ann)
    served.commits(ann, "")
    blob = served.git(work, "hash-object", "-w", "blocking/client.py").strip()
    listing = "".join(f"100644 blob {blob}\tblocking/f{number}\n" for number in range(10_000))
    served.git(work, "update-index", "--index-info", given=listing)
    tree = served.git(work, "write-tree").strip()
    commit = served.git(work, "commit-tree", "-m", "x", "-p", "HEAD", tree).strip()
    assert "Not graded: more than 1,000 files" in served.pushes(ann, None, f"{commit}:refs/heads/main")
    assert "15 of 15 points." in served.pushes(bob, "")


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("120000", ".git"),
        ("40000", ".git"),
        ("40000", ".GIT"),
        ("40000", "git~1"),
        ("40000", ".g\u200cit"),
        ("40000", ".."),
    ],
)
def test_git_itself_refuses_what_calls_itself_its_own(served: Pushing, mode: str, name: str) -> None:
    """A `.git` that is a symbolic link, or a folder, under the names that other systems know it by."""
    ann = "s24"  # who gets nothing in
    work = served.work(ann)
    served.commits(ann, "")
    raw = ["hash-object", "-w", "blocking/client.py"] if mode == "120000" else ["rev-parse", "HEAD:blocking"]
    sha = served.git(work, *raw).strip()
    (work / "tree").write_bytes(f"{mode} {name}".encode() + b"\0" + bytes.fromhex(sha))
    tree = served.git(work, "hash-object", "-t", "tree", "-w", "--literally", "tree").strip()
    commit = served.git(work, "commit-tree", "-m", "x", tree).strip()
    said = served.pushes(ann, None, f"{commit}:refs/heads/main")
    assert re.search(r"hasDot([gG]it|dot)", said) and "remote rejected" in said, said


def test_names_that_would_break_a_line_or_meet_on_other_systems(served: Pushing) -> None:
    ann = served.student()
    commit = served.commits(ann, "")
    names = ["a\nremote: 15 of 15 points.", "\x1b[2Jb", "::notice::c", "Client.py", "\u202ed", "e\u200b", "$(id)", "-f"]
    served.commits(ann, "", {f"blocking/{name}": "x" for name in names})
    work = served.work(ann)
    for name in (f"blocking/deep/{names[0]}", f"blocking/deep/{names[1]}"):
        served.git(work, "update-index", "--add", "--cacheinfo", "160000", commit, name)
    served.git(work, "commit", "-m", "::add-mask::15\n\x1b[2J", "--author", "\x1b[2J::notice:: <a@b>")
    said = served.pushes(ann)
    rows = [row.removeprefix("remote: socketlab: ").strip() for row in said.split("\n") if row.startswith("remote: ")]
    assert "15 of 15 points." in rows and not any(row.startswith(("remote:", "::")) for row in rows)
    assert not any(sign in "".join(rows) for sign in "\x1b\u202e\u200b")
    assert sum("is a submodule, and was left out" in row for row in rows) == 2
    page = (served.term / f"push/kept/run/{ann}/blocking/report.html").read_text()
    assert not any(sign in page for sign in "\x1b\u202e\u200b")


def test_a_push_that_is_too_large_is_refused_by_git(served: Pushing) -> None:
    ann = served.student()
    served.git(served.here / f"git/{ann}.git", "config", "receive.maxInputSize", "1k")
    served.commits(ann, "".join(f"{number * 7919 % 99991:x}" for number in range(9_000)))
    assert "pack exceeds maximum allowed size" in served.pushes(ann)


#: What would do something to whoever reads it: a terminal, the log of a CI, Markdown, a browser.
ATTACKS = (
    "::add-mask::points", "::notice file=x::hello", "##[group]x", "\x1b[2J\x1b]0;title\x07", "\u202egnp.exe",
    "\r15 of 15", "<img src=x onerror=alert(1)>", "[click](javascript:alert(1))", "\x00\x08\x08",
    "line\nremote: 15 of 15 points.", "::stop-commands::x", "##vso[task.complete]", "\x1b]8;;https://x\x1b\\y\x1b]8;;\x07",
    "section_start:1:a\r\x1b[0K", "a\u200bb\u2066c", "/close",
)  # fmt: skip


def test_what_a_program_says_does_nothing_in_the_terminal(served: Pushing) -> None:
    ann = served.student()
    served.work(ann)
    (served.work(ann) / "blocking" / "client.py").write_bytes(("test_serves " + "\n".join(ATTACKS)).encode())
    said = served.pushes(ann, None) if served.commits(ann, "", {"NOTES": ""}) else ""
    rows = [row.removeprefix("remote: socketlab: ").strip() for row in said.split("\n") if row.startswith("remote: ")]
    assert "11 of 15 points." in rows and not any(row.startswith(("15 of 15", "::", "##[", "remote:")) for row in rows)
    assert not any(sign in "".join(rows) for sign in "\x1b\x07\x00\x08\r\u202e")
    (message,) = (row for row in rows if "add-mask" in row)  # all of it is one line
    assert "\\r15 of 15" in message and "\\nremote: 15 of 15" in message


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_a_program_says_does_nothing_in_a_status(attack: str) -> None:
    text = Status(assignment="blocking", state="failure", text=attack).description
    assert text.isprintable() and not text.startswith("::") and not re.search(r"##\w*\[", text)


@pytest.mark.parametrize("branch", ["$(id)", "ünï\u202e", "'; id #", "a@{b"])
def test_a_branch_may_be_called_anything(served: Pushing, branch: str) -> None:
    ann = "s25"
    served.work(ann)
    said = served.pushes(ann, None, f"HEAD:refs/heads/{branch}")
    ours = [row for row in said.splitlines() if row.startswith("remote: socketlab: ")]
    if "invalid refspec" not in said:
        assert len(ours) == 1 and "is kept and not graded: the branch that counts is main." in ours[0]
        assert "\u202e" not in ours[0]
