"""Which assignments a commit changes, from the hashes of its folders: nothing of their content is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from grader.git import GitError, git

#: What git gives as the commit before the first (githooks(5)): zeros, as many as a hash has.
_NOTHING = frozenset("0")


def is_nothing(commit: str) -> bool:
    """Whether that stands for no commit at all."""
    return set(commit) <= _NOTHING


def changed(repository: Path, before: str, now: str, assignments: Sequence[str]) -> list[str]:
    """The assignments whose folder is in the commit `now`, and not the same in the commit `before`.

    Without a commit before, or where it is gone: not the same as in the first commit of the branch, which is what was
    handed out; all of them if there is only one commit. Raises GitError.
    """
    trees = _trees(repository, now, assignments)
    try:
        old = {} if is_nothing(before) else _trees(repository, before, assignments)
    except GitError:
        before, old = "", {}
    if is_nothing(before):
        first = git("rev-list", "--first-parent", "--max-parents=0", now, "--", repository=repository).decode().split()
        old = _trees(repository, first[-1], assignments) if first and first[-1] != now else {}
    return [name for name in assignments if name in trees and old.get(name) != trees[name]]


def _trees(repository: Path, commit: str, names: Sequence[str]) -> dict[str, str]:
    """Folder -> hash, of these that are folders."""
    rows = git("ls-tree", "-z", commit, "--", *names, repository=repository).decode("utf-8", "surrogateescape")
    found = {}
    for row in filter(None, rows.split("\0")):
        about, _, name = row.partition("\t")
        _, kind, tree = about.split(" ")[:3]
        if kind == "tree":
            found[name] = tree
    return found
