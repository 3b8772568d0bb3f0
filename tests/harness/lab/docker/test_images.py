"""Images: what is missing is built, by the way that is open; what stands in the way is said."""

from __future__ import annotations

import io
import itertools
import os
import shutil
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import pytest

from harness.lab.docker import images
from harness.lab.interface import LabError


class Store:
    """An engine with some images, and a registry that answers or not."""

    def __init__(self, *have: str, registry: str | None = "no registry") -> None:
        self.have = set(have)
        self.registry = registry
        self.built: list[str] = []
        self.members: list[str] = []

    def has_image(self, tag: str) -> bool:
        return tag in self.have

    def pull(self, tag: str, timeout: float) -> str | None:  # noqa: ARG002
        return self.registry

    def build(self, folder: Path, target: str, tag: str, arguments: Mapping[str, str]) -> None:
        assert (folder / "Dockerfile").is_file()
        assert (folder / "packages").is_dir()
        self.built.append(f"{target} from {arguments['BASE']} with {arguments['PACKAGES']}")
        self.have.add(tag)

    def size(self, tag: str) -> int:
        return len(tag)

    def load_rootfs(self, tar: IO[bytes], tag: str) -> None:
        with tarfile.open(fileobj=io.BytesIO(tar.read())) as archive:
            self.members = archive.getnames()
        self.built.append(tag.split(":")[0])
        self.have.add(tag)


def test_what_is_there_is_not_built() -> None:
    wanted = images.wanted_images()
    store = Store(wanted.student, wanted.node, wanted.build)
    assert images.ensure_images(store) == wanted
    assert store.built == []


def test_a_registry_is_the_first_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_fetch_packages", lambda kind, folder, python: None)  # noqa: ARG005
    store, said, made = Store(registry=None), list[str](), list[images.Made]()
    images.ensure_images(store, said.append, languages=["c", "java"], made=made.append)
    base = f"from {images.BASE} with"
    assert store.built == [
        f"student {base} default-jre-headless",
        f"build {base} make gcc libc6-dev libssl-dev default-jdk-headless",
        f"node {base} iproute2 nftables tcpdump curl",
    ]
    assert [each.kind for each in made] == ["student", "build", "node"]
    assert said[0] == f"fetching {images.BASE}, the base of the lab's images"


def test_the_image_of_notebooks_is_made_when_notebooks_are_graded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_fetch_packages", lambda kind, folder, python: None)  # noqa: ARG005
    store = Store(registry=None)
    tag = images.ensure_notebook(store)
    assert store.built == [f"notebook from {images.BASE} with make gcc libc6-dev libssl-dev"]
    assert images.ensure_notebook(store) == tag
    assert len(store.built) == 1
    assert tag.partition(":")[2] not in str(images.wanted_images())


def test_without_one_the_machines_own_packages_are_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    def run(command: list[str], what: str, remedy: str) -> str:  # noqa: ARG001
        steps.append(command[0])
        if command[0] == "debootstrap":
            assert command[-1] == "http://mirror.invalid/debian"
            (Path(command[-2]) / "tmp").mkdir(parents=True)
        return ""

    monkeypatch.setattr(images, "_run", run)
    monkeypatch.setattr(images, "_check_debootstrap", lambda: None)
    monkeypatch.setattr(images, "_package_source", lambda: ("http://mirror.invalid/debian", "bookworm"))
    wanted = images.wanted_images()
    store = Store(wanted.node, wanted.build)
    images.ensure_images(store)
    assert store.built == ["socketlab-student"]
    assert steps == ["debootstrap", "chroot"]
    assert store.members == [".", "./tmp"]  # the script that prepared it is gone


def test_a_change_of_the_recipe_makes_new_tags(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = images.wanted_images()
    for path in images._DOCKER.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    monkeypatch.setattr(images, "_DOCKER", tmp_path)
    assert images.wanted_images() == before
    with (tmp_path / "prepare-student.sh").open("a") as file:
        file.write("true\n")
    after = images.wanted_images()
    assert after.student != before.student and after.build != before.build
    assert after.node == before.node
    (tmp_path / "Dockerfile").unlink()
    with pytest.raises(LabError, match="needs a whole checkout"):
        images.wanted_images()


def test_a_course_that_allows_fewer_languages_has_another_node_that_builds() -> None:
    default, python = images.wanted_images(), images.wanted_images(["python"])
    assert python.build != default.build
    assert (python.student, python.node) == (default.student, default.node)
    assert images.wanted_images(["go", "c"]) == default


@pytest.mark.parametrize(
    ("programs", "root", "told"),
    [
        ((), True, "needs Debian or Ubuntu"),
        (("apt-get",), True, "sudo apt-get install debootstrap"),
        (("apt-get", "debootstrap"), False, "run this once with sudo"),
    ],
)
def test_what_stands_in_the_way_is_said(
    monkeypatch: pytest.MonkeyPatch, programs: tuple[str, ...], root: bool, told: str
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(shutil, "which", lambda name: name if name in programs else None)
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000, raising=False)
    with pytest.raises(LabError, match=told):
        images.ensure_images(Store())


@pytest.mark.parametrize(
    ("machine", "processor"), [("x86_64", "x86_64"), ("AMD64", "x86_64"), ("arm64", "aarch64"), ("aarch64", "aarch64")]
)
def test_wheels_are_for_the_images_python_and_processor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, machine: str, processor: str
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(images, "_run", lambda command, what, remedy: commands.append(command))  # noqa: ARG005
    monkeypatch.setattr(images.platform, "machine", lambda: machine)
    images._fetch_packages("node", tmp_path, "3.12")
    (command,) = commands
    options = list(itertools.pairwise(command))
    assert ("--python-version", "3.12") in options
    assert [value for option, value in options if option == "--abi"] == ["cp312", "abi3", "none"]
    platforms = [value for option, value in options if option == "--platform"]
    assert f"manylinux_2_28_{processor}" in platforms
    assert all(value.endswith(processor) for value in platforms)


def test_a_step_that_fails_is_one_sentence() -> None:
    with pytest.raises(LabError, match=r"^trying failed: no such thing; do this$"):
        images._run([sys.executable, "-c", "import sys; sys.exit('no such thing')"], "trying", "do this")
    with pytest.raises(LabError, match=r"^trying failed: /nobody: No such file or directory; do this$"):
        images._run(["/nobody"], "trying", "do this")
