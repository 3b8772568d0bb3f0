"""What is asked of a forge, and what is made of its answers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_forge import TOKEN, FakeForge

from grader.course_push import KINDS, Forge
from grader.forges.api import Api, ForgeError
from grader.forges.status import Status


@pytest.fixture(params=KINDS)
def forge(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeForge]:
    """Each of the three, with one repository of one commit."""
    bare = tmp_path / "course" / "ann.git"
    bare.mkdir(parents=True)
    about = {f"GIT_{role}_{key}": "s@x" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    git = ["git", f"--git-dir={bare}"]
    subprocess.run([*git, "init", "--quiet", "--bare"], check=True)
    tree = subprocess.run([*git, "mktree"], input="", check=True, capture_output=True, text=True).stdout.strip()
    commit = subprocess.run(
        [*git, "commit-tree", "-m", "x", tree], check=True, capture_output=True, text=True, env=about
    )
    subprocess.run([*git, "update-ref", "refs/heads/a/b", commit.stdout.strip()], check=True)
    with FakeForge(request.param, tmp_path) as made:
        yield made


def api_of(forge: FakeForge, token: str = TOKEN, now: float = 0.0) -> Api:
    api = {"github": "", "gitlab": "/api/v4", "forgejo": "/api/v1"}[forge.kind]
    return Api(Forge(url=forge.url, kind=forge.kind, api=forge.url + api, token=""), token, now=lambda: now)  # type: ignore[arg-type]


def status(state: str = "success", text: str = "15 of 15 points.", link: str = "https://x.example/") -> Status:
    return Status(assignment="blocking", state=state, text=text, link=link)  # type: ignore[arg-type]


def test_a_branch_is_asked_for_and_not_sent_again_while_it_stays(forge: FakeForge) -> None:
    api, address = api_of(forge), f"{forge.url}/course/ann.git"
    commit = forge.git("course/ann", "rev-parse", "refs/heads/a/b")
    assert api.tip(address, "a/b") == api.tip(address, "a/b") == commit and forge.unchanged == 1
    assert api.tip(address, "none") is None
    assert api.tip(f"{forge.url}/course/nobody", "main") is None


def test_a_status_is_posted_in_the_forges_words(forge: FakeForge) -> None:
    api, address = api_of(forge), f"{forge.url}/course/ann.git"
    commit = forge.git("course/ann", "rev-parse", "refs/heads/a/b")
    for state in ("pending", "pending", "failure", "success", "error"):
        api.post(address, commit, status(state, text="x" * 1_000, link="" if state == "pending" else "https://x/"))
    words = {"gitlab": ["pending", "failed", "success", "canceled"]}
    assert forge.state_of(commit) == words.get(forge.kind, ["pending", "pending", "failure", "success", "error"])
    assert {row["context"] for row in forge.statuses} == {"socketlab/blocking"}
    assert forge.statuses[-1]["target_url"] == "https://x/" and "target_url" not in forge.statuses[0]
    with pytest.raises(ForgeError, match=r"422|no such repository"):
        api.post(address, "0" * 40, status())


def test_what_a_forge_refuses_is_said_with_its_cause(forge: FakeForge) -> None:
    address = f"{forge.url}/course/ann.git"
    commit = forge.git("course/ann", "rev-parse", "refs/heads/a/b")
    with pytest.raises(ForgeError, match="the token is not valid") as refused:
        api_of(forge, "wrong-token").tip(address, "a/b")
    assert "wrong-token" not in str(refused.value) and "wrong-token" not in repr(api_of(forge, "wrong-token"))
    forge.scopes.remove("status")
    with pytest.raises(ForgeError, match=r"may not do that: docs/ci\.md names the scopes"):
        api_of(forge).post(address, commit, status())
    forge.down = True
    with pytest.raises(ForgeError, match="it answers 502"):
        api_of(forge).tip(address, "a/b")
    forge.down = False
    gone = api_of(forge)
    forge.__exit__()
    with pytest.raises(ForgeError, match="cannot be reached: ConnectionError"):
        gone.tip(address, "a/b")


def test_a_token_goes_to_its_forge_only(forge: FakeForge, tmp_path: Path) -> None:
    with FakeForge(forge.kind, tmp_path) as other:
        forge.elsewhere = f"{other.url}/repos/course/ann/branches/main"
        with pytest.raises(ForgeError, match=r"wants to be asked elsewhere \(302\)"):
            api_of(forge).tip(f"{forge.url}/course/ann.git", "main")
        assert other.asked == []


def test_who_is_asked_too_often_is_left_alone(forge: FakeForge) -> None:
    address, forge.limited = f"{forge.url}/course/ann.git", "90"
    moment = 1_000.0
    api = api_of(forge)
    api.now = lambda: moment
    with pytest.raises(ForgeError, match="was asked too often"):
        api.tip(address, "a/b")
    forge.limited = ""
    moment += 60
    with pytest.raises(ForgeError, match="wants to be left alone for 30 s"):
        api.tip(address, "a/b")
    assert len(forge.asked) == 1
    moment += 31
    assert api.tip(address, "a/b")


def test_what_is_no_answer_of_a_forge_is_said(forge: FakeForge, monkeypatch: pytest.MonkeyPatch) -> None:
    api, address = api_of(forge), f"{forge.url}/course/ann.git"
    for data, why in (
        ({"commit": {"id": "--upload-pack=x", "sha": "--upload-pack=x"}}, "does not answer as"),
        ({"commit": "x"}, "does not answer as"), ([], "does not answer as"), (None, None),
        ("x" * (1 << 21), "more than"),
    ):  # fmt: skip
        monkeypatch.setattr("fake_forge._Handler._route", lambda *_, data=data: (200, data))
        if why is None:
            assert api.tip(address, "a/b") is None
            continue
        with pytest.raises(ForgeError, match=why):
            api.tip(address, "a/b")
