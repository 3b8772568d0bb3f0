"""How each forge wants it said: paths, headers and bodies of its API. Pure.

GitHub: REST API 2022-11-28, "Branches", "Commit statuses". GitLab: REST API v4, "Branches", "Commits" (set the pipeline
status of a commit). Forgejo and Gitea: their API v1, `repoGetBranch`, `repoCreateStatus`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from grader.course_push import Kind
from grader.forges.status import Status


@dataclass(frozen=True)
class Call:
    """One request."""

    path: str  #: after the address of the API
    body: Mapping[str, Any] | None = None  #: JSON that is posted; None: it is only asked


class Dialect(Protocol):
    """One kind of forge."""

    def headers(self, token: str) -> dict[str, str]:
        """Who asks."""
        ...

    def tip(self, repository: str, branch: str) -> Call:
        """Asks where a branch is; `repository` is its path on the forge, as in `course/ann`."""
        ...

    def commit(self, answer: Any) -> object:
        """The commit in the answer to that."""
        ...

    def status(self, repository: str, commit: str, status: Status) -> Call:
        """Posts a status."""
        ...

    def comment(self, repository: str, commit: str, text: str) -> Call | None:
        """Comments on a commit, in Markdown; None where a forge has nothing of the kind."""
        ...

    def is_so_already(self, answer: bytes) -> bool:
        """Whether a status was refused since the commit has it: somebody was killed after it had been posted."""
        ...


class _AsGitHub:
    """The paths and bodies that GitHub has, and that Forgejo and Gitea have taken over."""

    def tip(self, repository: str, branch: str) -> Call:
        return Call(f"/repos/{quote(repository)}/branches/{quote(branch, safe='')}")

    def status(self, repository: str, commit: str, status: Status) -> Call:
        return Call(f"/repos/{quote(repository)}/statuses/{commit}", _plain(status, status.state))

    def is_so_already(self, answer: bytes) -> bool:
        del answer
        return False


class GitHub(_AsGitHub):
    """github.com and GitHub Enterprise Server."""

    def headers(self, token: str) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    def commit(self, answer: Any) -> object:
        return answer["commit"]["sha"]

    def comment(self, repository: str, commit: str, text: str) -> Call | None:
        return Call(f"/repos/{quote(repository)}/commits/{commit}/comments", {"body": text})


class Forgejo(_AsGitHub):
    """Forgejo, Gitea, Codeberg."""

    def headers(self, token: str) -> dict[str, str]:
        return {"Authorization": f"token {token}", "Accept": "application/json"}

    def commit(self, answer: Any) -> object:
        return answer["commit"]["id"]

    def comment(self, repository: str, commit: str, text: str) -> Call | None:
        del repository, commit, text
        return None


#: GitLab's words for our states. It has none for what broke through our fault: what was cancelled is nobody's failure.
_GITLAB = {"pending": "pending", "success": "success", "failure": "failed", "error": "canceled"}


class GitLab:
    """gitlab.com and GitLab's own servers."""

    def headers(self, token: str) -> dict[str, str]:
        return {"PRIVATE-TOKEN": token, "Accept": "application/json"}

    def tip(self, repository: str, branch: str) -> Call:
        return Call(f"/projects/{quote(repository, safe='')}/repository/branches/{quote(branch, safe='')}")

    def commit(self, answer: Any) -> object:
        return answer["commit"]["id"]

    def status(self, repository: str, commit: str, status: Status) -> Call:
        body = _plain(status, _GITLAB[status.state])
        return Call(f"/projects/{quote(repository, safe='')}/statuses/{commit}", body)

    def comment(self, repository: str, commit: str, text: str) -> Call | None:
        return Call(f"/projects/{quote(repository, safe='')}/repository/commits/{commit}/comments", {"note": text})

    def is_so_already(self, answer: bytes) -> bool:
        return b"Cannot transition status" in answer


def _plain(status: Status, state: str) -> dict[str, str]:
    body = {"state": state, "context": status.context, "description": status.description}
    return {**body, **({"target_url": status.link} if status.link else {})}


KINDS: Mapping[Kind, Dialect] = {"github": GitHub(), "gitlab": GitLab(), "forgejo": Forgejo()}
