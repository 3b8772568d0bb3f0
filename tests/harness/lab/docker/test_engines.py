"""Engines that the lab cannot use, each refused by name: a program on a Unix socket that answers as they do."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("docker")

from harness.lab.docker import containers

SERVES = {"ServerVersion": "27.0", "OSType": "linux", "CgroupVersion": "2", "Runtimes": {"runc": {}}}
#: Who answers -> what they say of themselves (`docker info`; podman answers the same call), what they are told.
ENGINES: dict[str, tuple[dict[str, Any], str]] = {
    "rootless Docker": (
        {"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"]},
        "rootless",
    ),
    "podman of a user": (
        {"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"], "Runtimes": {"crun": {}}},
        "rootless",
    ),
    "userns-remap": ({"SecurityOptions": ["name=userns"]}, "maps users"),
    "Windows containers": ({"OSType": "windows"}, "Windows containers"),
}


@contextmanager
def engine(folder: Path, info: dict[str, Any]) -> Iterator[str]:
    """A socket that answers as an engine of that kind; its address."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            what = {"ApiVersion": "1.41", "MinAPIVersion": "1.12"} if "version" in self.path else {**SERVES, **info}
            body = json.dumps(what).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if self.command == "GET" else b"")

        do_HEAD = do_GET

        def address_string(self) -> str:
            return "somebody"

        def log_message(self, *_: object) -> None:
            pass

    with socketserver.ThreadingUnixStreamServer(str(folder / "engine"), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"unix://{folder}/engine"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], containers.DockerEngineInfo]:
    def asks(info: dict[str, Any]) -> containers.DockerEngineInfo:
        with engine(tmp_path, info) as address:
            monkeypatch.setenv("DOCKER_HOST", address)
            return containers.find_engine()

    return asks


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_that_will_not_do_is_refused_by_name(
    name: str, found: Callable[[dict[str, Any]], containers.DockerEngineInfo]
) -> None:
    info, told = ENGINES[name]
    seen = found(info)
    assert not seen.usable
    assert seen.why_not is not None
    assert told in seen.why_not
    assert seen.advice


def test_the_same_engine_as_root_will_do_whatever_its_control_groups(
    found: Callable[[dict[str, Any]], containers.DockerEngineInfo],
) -> None:
    seen = found({"SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"]})
    assert (seen.usable, seen.cgroup, seen.why_not) == (True, "2", None)
