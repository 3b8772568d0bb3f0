"""The hook in a repository, a student's key, and two accounts."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.git import GitError, git
from grader.push.folder import Answer, PushFolder
from grader.push.install import check_readable, install, key_line
from grader.push.queue import Queue
from grader.push.rules import Rules, read_rules
from grader.push.shell import environment_of, wanted
from harness.errors import SetupError, UsageError

ROOT = Path(__file__).parents[3]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ ann@laptop"


def rules(base: Path, **more: object) -> Rules:
    words: dict[str, object] = {
        "repositories": f"{base}/{{student}}.git",
        "branch": "main",
        "identity": "path",
        "assignments": ("blocking", "transport"),
        "groups": (),
        "people": {"ann": "", "bob": "red", "eve": "red"},
        "patience": 60.0,
        **more,
    }
    return Rules(**words)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> PushFolder:
    made = PushFolder(tmp_path / "push")
    made.make()
    return made


def test_a_repository_is_made_and_made_ready_once(tmp_path: Path, folder: PushFolder) -> None:
    ann = tmp_path / "ann.git"
    assert install(ann, folder, rules(tmp_path))
    assert not install(ann, folder, rules(tmp_path))  # again changes nothing
    assert os.access(ann / "hooks" / "post-receive", os.X_OK)
    assert (ann / "HEAD").read_text() == "ref: refs/heads/main\n"
    said = git("config", "--local", "--list", repository=ann).decode()
    for setting in ("receive.maxinputsize=67108864", "receive.fsckobjects=true", "core.logallrefupdates=always"):
        assert setting in said


def test_what_cannot_have_the_hook_says_why(tmp_path: Path, folder: PushFolder) -> None:
    known = rules(tmp_path)
    with pytest.raises(UsageError, match=r"does not lie where course\.toml says: repositories = "):
        install(tmp_path / "elsewhere" / "ann.git", folder, known)
    work = tmp_path / "ann.git"
    work.mkdir()
    with pytest.raises(UsageError, match=r"ann\.git: "):
        install(work, folder, known)
    git("init", "--quiet", "--bare", repository=work)
    (work / "hooks").mkdir(exist_ok=True)
    (work / "hooks" / "post-receive").write_text("#!/bin/sh\necho somebody's\n")
    with pytest.raises(UsageError, match=r"is there already\. Have it call ours as well") as refused:
        install(work, folder, known)
    assert "grader.push.receive" in str(refused.value)
    assert "somebody's" in (work / "hooks" / "post-receive").read_text()
    git("config", "core.hooksPath", "/elsewhere", repository=work)
    with pytest.raises(UsageError, match="has its hooks in /elsewhere"):
        install(work, folder, known)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/g/ann.git", ("ann", "")), ("/g/x/ann.git", None), ("/g/.git", None), ("/g/ann", None), ("/h/ann.git", None),
        ("/g/ann.git/", None), ("/g/a\nb.git", ("a\nb", "")),
    ],
)  # fmt: skip
def test_whose_a_repository_is(path: str, place: tuple[str, str] | None) -> None:
    assert rules(Path("/g")).place_of(path) == place


def test_a_repository_for_each_assignment() -> None:
    known = rules(Path("/"), repositories="/g/{assignment}/{student}.git", groups=("transport",))
    assert known.place_of("/g/blocking/ann.git") == ("ann", "blocking")
    assert known.place_of("/g/unknown/ann.git") is None
    assert known.repositories_of("bob") == {"/g/blocking/bob.git": "blocking", "/g/transport/red.git": "transport"}
    assert known.may_hand_in("red", "transport") and known.may_hand_in("ann", "transport")
    assert not known.may_hand_in("bob", "transport") and not known.may_hand_in("red", "blocking")


def test_rules_are_read_as_they_were_written(tmp_path: Path) -> None:
    known = rules(tmp_path, groups=("transport",))
    known.write(tmp_path)
    assert read_rules(tmp_path) == known
    (tmp_path / "rules.json").write_text('{"repositories": 1}')
    with pytest.raises(SetupError, match="is damaged"):
        read_rules(tmp_path)
    (tmp_path / "rules.json").unlink()
    with pytest.raises(SetupError, match=r"cannot be read: No such file or directory\. Make it: grader hook install"):
        read_rules(tmp_path)


def test_a_project_that_the_other_account_cannot_reach_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tmp_path / "python").touch(0o755)
    with pytest.raises(UsageError, match="is closed to others"):
        check_readable()


# -- a student's key ---------------------------------------------------------------------------------------------------


def test_the_line_of_a_key_restricts_it_to_the_one_command(folder: PushFolder, tmp_path: Path) -> None:
    line = key_line("ann", KEY, folder, rules(tmp_path))
    assert line.startswith('restrict,command="') and line.endswith(f'" {KEY}') and "\n" not in line
    command = line[len('restrict,command="') : -len(f'" {KEY}')].replace('\\"', '"')
    assert shlex.split(command)[:5] == [sys.executable, "-I", "-S", "-B", "-c"]
    assert shlex.split(command)[-2:] == [str(folder.path), "ann"]


@pytest.mark.parametrize("key", ["", "hello", f"{KEY}\n{KEY}", f'command="x" {KEY}', "ssh-rsa", "-----BEGIN OPENSSH"])
def test_what_is_no_key_is_refused(folder: PushFolder, tmp_path: Path, key: str) -> None:
    with pytest.raises(UsageError, match="not a public key"):
        key_line("ann", key, folder, rules(tmp_path))


def test_a_key_of_nobody_is_refused(folder: PushFolder, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="zoe is not in the course's roster"):
        key_line("zoe", KEY, folder, rules(tmp_path))


def test_a_key_opens_its_students_repositories_only(tmp_path: Path) -> None:
    known = rules(tmp_path)
    (tmp_path / "ann.git").mkdir()
    for asked in ("ann.git", "ann", f"{tmp_path}/ann.git"):
        assert wanted(known, "ann", f"git-receive-pack '{asked}'") == ["git", "receive-pack", str(tmp_path / "ann.git")]
    assert wanted(known, "ann", "git-upload-pack 'ann.git'")[1] == "upload-pack"
    for asked in ("bob.git", "../etc", "/etc/passwd", "-oProxyCommand=x", "ann.git/../bob.git", "", "--help"):
        with pytest.raises(UsageError, match=r"is not a repository of ann\. Yours: ann\.git"):
            wanted(known, "ann", f"git-receive-pack '{asked}'")
    for command in (
        "",
        "sh",
        "git-receive-pack",
        "git-shell -c x y",
        "git-upload-archive 'ann.git'",
        "rm '",
        "id; id x",
    ):
        with pytest.raises(UsageError, match="for git push, fetch and clone only, ann"):
            wanted(known, "ann", command)
    with pytest.raises(UsageError, match="has not been made yet"):
        wanted(known, "bob", "git-receive-pack 'bob.git'")


def test_git_is_given_nothing_of_the_connection_but_its_protocol() -> None:
    given = {
        "GIT_DIR": "/x",
        "GIT_PROTOCOL": "version=2",
        "GIT_CONFIG_COUNT": "1",
        "SOCKETLAB_STUDENT": "bob",
        "A": "b",
    }
    assert environment_of("ann", given) == {"GIT_PROTOCOL": "version=2", "A": "b", "SOCKETLAB_STUDENT": "ann"}


# -- git with nothing of its surroundings ------------------------------------------------------------------------------


def test_git_has_no_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[alias]\n\tx = !touch it-ran\n[user]\n\tname = somebody\n")
    for key, value in {"HOME": home, "GIT_DIR": "/elsewhere", "GIT_CONFIG_PARAMETERS": "'user.name'='y'"}.items():
        monkeypatch.setenv(key, str(value))
    bare = tmp_path / "bare"
    bare.mkdir()
    git("init", "--quiet", "--bare", repository=bare)
    for words in (("x",), ("config", "user.name"), ("fetch", "ext::touch it-ran")):
        with pytest.raises(GitError):
            git(*words, repository=bare)
    assert not list(tmp_path.rglob("it-ran"))
    with pytest.raises(GitError, match="nowhere is not there"):
        git("status", repository=tmp_path / "nowhere")


# -- two accounts ------------------------------------------------------------------------------------------------------

STUDENTS, GROUP = 65534, 65533  # an account that receives pushes, and a group that it shares with nobody else


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other accounts get through to."""
    path = Path(tempfile.mkdtemp(dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


#: What the account that receives pushes may do, and tries to do.
TRIED = """
import os, sys
sys.path.insert(0, {code!r})
from pathlib import Path
from grader.push.folder import PushFolder, Reader
from grader.push.queue import Queue
folder = PushFolder(Path({folder!r}))
push = {{"student": "ann", "assignment": "a", "repository": "/r", "ref": "refs/heads/x", "commit": "0" * 40}}
print(Queue(folder.queue).put(**push, now=1.0).push.id, Reader(folder, 1).lines(), folder.is_served())
for path in ("answers/1.txt", "answers/2.txt", "answers/rules.json", "kept/secret", "answers/daemon.lock"):
    try:
        open(folder.path / path, "a")
        print("wrote", path)
    except PermissionError:
        pass
try:
    print(os.listdir(folder.kept))
except PermissionError:
    print("closed")
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root may be two accounts")
def test_the_account_that_receives_writes_the_queue_and_nothing_else(open_folder: Path) -> None:
    folder = PushFolder(open_folder / "push")
    folder.make()
    for name in ("queue", "answers"):
        os.chown(folder.path / name, 0, GROUP)
    (folder.path / "queue").chmod(0o2770)
    (folder.path / "answers").chmod(0o2750)
    os.chown(folder.queue, 0, GROUP)
    folder.make()  # mends the rights of what is there
    assert stat.S_IMODE(folder.queue.stat().st_mode) == 0o660
    Answer(folder, 1).add("graded")
    (folder.kept / "secret").write_text("x")
    code = open_folder / "code"
    for room in ("grader/push", "harness/text"):
        shutil.copytree(ROOT / room, code / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("grader/course_push.py", "harness/errors.py"):
        shutil.copy(ROOT / name, code / name)
    tried = open_folder / "tried.py"
    tried.write_text(TRIED.format(code=str(code), folder=str(folder.path)))
    with folder.serving():
        done = subprocess.run(
            ["/usr/bin/env", "PATH=/usr/bin:/usr/local/bin", "python3", "-I", tried],
            user=STUDENTS, group=GROUP, extra_groups=[], capture_output=True, text=True, check=False, cwd="/",
        )  # fmt: skip
    assert done.stdout.splitlines() == ["1 ['graded'] True", "closed"], done.stderr
    assert Queue(folder.queue).take(now=2.0) is not None


@pytest.mark.skipif(os.getuid() != 0, reason="only root may be two accounts")
@pytest.mark.parametrize("what", ["hooks lead elsewhere", "the hook is a pipe", "the hook is a link", "settings run"])
def test_root_does_in_a_repository_only_what_its_account_may(
    open_folder: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account that receives pushes may put what it likes into its folders, and root may come by any day."""
    monkeypatch.setattr("grader.push.install.check_readable", lambda: None)  # of these tests' own project
    account = pwd.getpwnam("nobody")
    roots, base = open_folder / "roots", open_folder / "git"
    roots.mkdir(mode=0o755)
    base.mkdir()
    os.chown(base, account.pw_uid, account.pw_gid)
    folder = PushFolder(open_folder / "term" / "push")
    ann = base / "ann.git"
    install(ann, folder, rules(base))
    hook = ann / "hooks" / "post-receive"
    assert {path.owner() for path in (ann, *ann.rglob("*"))} == {"nobody"}
    hook.unlink()
    if what == "hooks lead elsewhere":
        hook.parent.rmdir()
        hook.parent.symlink_to(roots)
        with pytest.raises(SetupError, match="cannot be written"):
            install(ann, folder, rules(base))
    elif what == "settings run":
        evil = base / "reference-transaction"
        evil.write_text(f"#!/bin/sh\nid -un >> {base}/ran\n")
        evil.chmod(0o755)
        (base / "more").write_text(f"[core]\n\thooksPath = {base}\n\tsshCommand = {evil}\n\tfsmonitor = {evil}\n")
        git("config", "include.path", str(base / "more"), repository=ann)
        install(ann, folder, rules(base))
        assert not (base / "ran").exists() or "root" not in (base / "ran").read_text()
    else:
        os.mkfifo(hook) if what == "the hook is a pipe" else hook.symlink_to(roots / "made")
        with pytest.raises(UsageError, match="is there already"):
            install(ann, folder, rules(base))
    assert not any(roots.iterdir())
