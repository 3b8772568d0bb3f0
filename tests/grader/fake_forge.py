"""Three forges on loopback: the parts of the APIs of GitHub, GitLab and Forgejo that are asked, and git over HTTP.

As strict as they are, where that is documented: tokens and how they are sent, scopes, the words for a state, how long a
description may be, a commit that has to be there, an ETag, a limit of requests, GitLab's refusal to set a state twice.
Sources: docs.github.com/rest (version 2022-11-28: branches, commit statuses, rate limits), docs.gitlab.com/api
(branches, commits: "Set commit pipeline status"), Forgejo's swagger.v1.json (repoGetBranch, repoCreateStatus).
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

BACKEND = Path("/usr/lib/git-core/git-http-backend")
TOKEN = "token-of-the-instructor"
_STATES = {
    "github": {"error", "failure", "pending", "success"},
    "forgejo": {"error", "failure", "pending", "success", "warning"},
    "gitlab": {"pending", "running", "success", "failed", "canceled", "skipped"},
}
_MOST = {"github": 140, "gitlab": 255, "forgejo": 10_000}


@dataclass
class FakeForge:
    """One of them; `root` has its repositories, OWNER/NAME.git."""

    kind: str
    root: Path
    statuses: list[dict[str, Any]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  #: method and path of each request that is no git
    unchanged: int = 0  #: answers 304
    scopes: set[str] = field(default_factory=lambda: {"read", "status"})
    limited: str = ""  #: seconds for Retry-After; empty: nobody is limited
    down: bool = False
    elsewhere: str = ""  #: where everything is redirected to

    def __enter__(self) -> FakeForge:
        handler = type("Handler", (_Handler,), {"forge": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def toml(self) -> str:
        """The rows of course.toml."""
        api = f'\napi = "{self.url}"' if self.kind == "github" else ""  # github.com has its own address for it
        more = "" if self.kind == "forgejo" else "\ncomments = true"
        return f'[[forges]]\nurl = "{self.url}"\nkind = "{self.kind}"\ntoken = "file:.token"{api}{more}\n'

    def state_of(self, commit: str) -> list[str]:
        """The states that a commit was given."""
        return [row["state"] for row in self.statuses if row["commit"] == commit]

    def git(self, repository: str, *words: str) -> str:
        done = subprocess.run(
            ["git", f"--git-dir={self.root / repository}.git", *words], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""


class _Handler(BaseHTTPRequestHandler):
    forge: FakeForge
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(body)

    def _answer(self, body: bytes) -> None:
        forge, path = self.forge, self.path
        if forge.down:
            return self._say(502, b"<html>Bad gateway</html>", {"Content-Type": "text/html"})
        if forge.elsewhere:
            return self._say(302, b"", {"Location": forge.elsewhere})
        if ".git/" in path:
            return self._git(body)
        forge.asked.append(f"{self.command} {path}")
        if forge.limited:
            return self._json(
                429 if forge.kind != "github" else 403, {"message": "rate"}, **{"Retry-After": forge.limited}
            )
        if not self._known():
            return self._json(401, {"message": "Bad credentials"})
        status, data = self._route(body)
        tag = f'"{hash(json.dumps(data, sort_keys=True)) & 0xFFFFFFFF:x}"'
        if self.command == "GET" and self.headers.get("If-None-Match") == tag:
            forge.unchanged += 1
            return self._say(304, b"", {"ETag": tag})
        return self._json(status, data, ETag=tag)

    def _known(self) -> bool:
        sent = {
            "github": self.headers.get("Authorization") == f"Bearer {TOKEN}",
            "forgejo": self.headers.get("Authorization") == f"token {TOKEN}",
            "gitlab": self.headers.get("PRIVATE-TOKEN") == TOKEN,
        }
        return sent[self.forge.kind]

    def _route(self, body: bytes) -> tuple[int, Any]:
        kind, parts = self.forge.kind, self.path.strip("/").split("/")
        if kind == "gitlab":
            if parts[:3] != ["api", "v4", "projects"] or len(parts) < 5:
                return 404, {"error": "404 Not Found"}
            repository, rest = unquote(parts[3]), parts[4:]
            if rest[:2] == ["repository", "branches"]:
                rest = rest[1:]
        else:
            parts = parts[2:] if kind == "forgejo" and parts[:2] == ["api", "v1"] else parts
            if parts[:1] != ["repos"] or len(parts) < 5:
                return 404, {"message": "Not Found"}
            repository, rest = unquote("/".join(parts[1:3])), parts[3:]
        if not (self.forge.root / f"{repository}.git").is_dir():
            return 404, {"message": "404 Project Not Found"}
        if self.command == "GET" and rest[0] == "branches" and len(rest) == 2:
            if "read" not in self.forge.scopes:
                return 403, {"message": "insufficient_scope"}
            commit = self.forge.git(repository, "rev-parse", "--verify", f"refs/heads/{unquote(rest[1])}")
            return (
                (200, {"name": rest[1], "commit": {"id": commit, "sha": commit}}) if commit else (404, {"message": "x"})
            )
        comment = {"github": ("commits", "body"), "gitlab": ("repository", "note")}.get(kind)
        if self.command == "POST" and comment and rest[0] == comment[0] and rest[-1] == "comments":
            if not 0 < len(json.loads(body).get(comment[1], "")) < 65_536:
                return 422, {"message": "Validation Failed"}
            self.forge.comments.append(json.loads(body)[comment[1]])
            return 201, {}
        if self.command == "POST" and rest[0] == "statuses" and len(rest) == 2:
            return self._status(repository, rest[1], body)
        return 404, {"message": "Not Found"}

    def _status(self, repository: str, commit: str, body: bytes) -> tuple[int, Any]:
        kind = self.forge.kind
        if "status" not in self.forge.scopes:
            return 403, {"message": "Resource not accessible by personal access token"}
        if self.forge.git(repository, "cat-file", "-t", commit) != "commit":
            return (422 if kind == "github" else 404), {"message": f"No commit found for SHA: {commit}"}
        if "json" not in self.headers.get("Content-Type", ""):
            return 400, {"message": "Problems parsing JSON"}
        row = json.loads(body)
        if row.get("state") not in _STATES[kind] or len(row.get("description", "")) > _MOST[kind]:
            return (422 if kind == "github" else 400), {"message": "Validation Failed"}
        if not row.get("target_url", "http://").startswith(("http://", "https://")):
            return 422, {"message": "target_url must use http(s) scheme"}
        before = [one["state"] for one in self.forge.statuses
                  if (one["commit"], one["context"]) == (commit, row.get("context"))]  # fmt: skip
        if kind == "gitlab" and before[-1:] == [row["state"]]:
            text = f"Cannot transition status via :{row['state']} from :{row['state']}"
            return 400, {"message": text}
        self.forge.statuses.append({"repository": repository, "commit": commit, **row})
        return 201, {"id": len(self.forge.statuses), **row}

    def _git(self, body: bytes) -> None:
        """`git http-backend` (its manual page: CGI), behind HTTP's Basic scheme."""
        scheme, _, pair = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic" or base64.b64decode(pair).partition(b":")[2].decode() != TOKEN:
            return self._say(401, b"", {"WWW-Authenticate": 'Basic realm="forge"'})
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.forge.root), "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": unquote(path), "QUERY_STRING": query, "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "HOME": str(self.forge.root),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }  # fmt: skip
        done = subprocess.run([BACKEND], input=body, env=environment, capture_output=True, check=False)
        head, _, data = done.stdout.partition(b"\r\n\r\n")
        headers = dict(row.split(": ", 1) for row in head.decode().splitlines())
        status = int(headers.pop("Status", "200").split()[0])
        return self._say(status, data, headers)

    def _json(self, status: int, data: Any, **headers: str) -> None:
        self._say(status, json.dumps(data).encode(), {"Content-Type": "application/json", **headers})

    def _say(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
