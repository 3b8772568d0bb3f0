"""The images the Docker lab needs, and how to make them on a machine that has none.

Rule 1: an image's tag is the hash of all it is made from: a change makes a new tag; only missing images are built.
Rule 2: nothing here talks to Docker; the engine is passed in as an `ImageStore` (containers.py has one).
Rule 3: no mirror or registry is named: the engine's default registry is tried, else the machine's own package sources.
"""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from harness.course.languages import DEFAULT, packages
from harness.errors import cause_of
from harness.lab.docker import owner
from harness.lab.docker.channel import ANSWER_WITHIN, Channel
from harness.lab.docker.recipes import NO_CORE, Recipe
from harness.lab.interface import LabError

#: The base that is tried first; it has to come from a registry.
BASE = "python:3.12-slim"
#: Seconds of silence from a registry after which debootstrap is used instead.
PULL_SILENCE = 20.0
#: Python packages the tester needs besides the standard library; their versions are those of this environment.
PACKAGES = (
    "pytest",
    "pytest-asyncio",
    "pluggy",
    "iniconfig",
    "packaging",
    "pygments",
    "dpkt",
    "pyroute2",
    "trustme",
    "idna",
    "cryptography",
    "psutil",  # what the programs of the reference, beside the tester, use
    "cffi",  # cryptography uses its backend only: pycparser is not needed
)
#: What a notebook's node has besides Python and a compiler; pip finds what these need.
KERNEL = ("ipykernel", "matplotlib", "trustme", "cryptography", "psutil")
#: What compares sources, with all that it needs; what only its command line needs is left out.
LIKENESS = ("compare50", "attrs", "intervaltree", "jellyfish", "numpy", "pygments", "sortedcontainers", "tqdm")
#: Where they are in an image.
PACKAGES_AT = "/usr/local/lib/socketlab"
#: Debian packages of our own nodes, besides python3.
OURS = ("iproute2", "nftables", "tcpdump", "curl")
#: Where an image of submissions says what is in it (docker/prepare-student.sh).
TOOLS_AT = "/usr/local/share/socketlab.json"
#: The images: where submissions run, where they are built, the lab's own nodes, where notebooks run, and where sources
#: are compared.
Kind = Literal["student", "build", "node", "notebook", "likeness"]
#: Those that every grading needs.
KINDS: tuple[Kind, ...] = ("student", "build", "node")
#: What each of them is made by where a registry answers, and what finishes it.
_DOCKERFILE: Mapping[Kind, str] = {
    **dict.fromkeys(KINDS, "Dockerfile"),
    "notebook": "Dockerfile.notebook",
    "likeness": "Dockerfile.likeness",
}
_FINISH: Mapping[Kind, tuple[str, ...]] = {
    "student": ("prepare-student.sh",),
    "build": ("prepare-student.sh",),
    "node": ("prepare-node.sh",),
    "notebook": ("prepare-student.sh", "prepare-notebook.sh"),
    "likeness": ("prepare-node.sh",),
}
_DOCKER = Path(__file__).resolve().parents[3] / "docker"


class ImageStore(Protocol):
    """What an engine has to do with images."""

    def has_image(self, tag: str) -> bool: ...
    def pull(self, tag: str, timeout: float) -> str | None:
        """Fetch an image; None when it is there afterwards, else why not. `timeout`: seconds of silence."""
        ...

    def build(self, folder: Path, target: str, tag: str, arguments: Mapping[str, str]) -> None:
        """Build `target` of the Dockerfile in `folder`, with these values of its ARGs. Raises LabError."""
        ...

    def size(self, tag: str) -> int:
        """How large an image is, in bytes. Raises LabError."""
        ...

    def load_rootfs(self, tar: IO[bytes], tag: str) -> None:
        """Make an image of one layer from a tar stream of a root file system. Raises LabError."""
        ...


class Runner(Protocol):
    """What an engine has to do to run a program of an image (DockerEngine of containers.py). Raises LabError."""

    def create(self, recipe: Recipe, *, name: str, hostname: str, labels: Mapping[str, str]) -> str: ...
    def attach(self, identity: str) -> Any: ...
    def start(self, identity: str) -> None: ...
    def remove(self, identity: str) -> int: ...


@dataclass(frozen=True)
class Images:
    """Tags of the images."""

    student: str  #: where submissions run: no compiler is in it
    node: str  #: link, tester and warden
    build: str  #: where they are built

    def __str__(self) -> str:
        return f"{self.student} {self.build} {self.node}"


@dataclass(frozen=True)
class Made:
    """An image that was made just now."""

    kind: Kind
    seconds: float


def wanted_images(languages: Sequence[str] = DEFAULT) -> Images:
    """The tags this version of the project asks for, for submissions in some languages. Raises LabError."""
    return Images(**{kind: f"socketlab-{kind}:{_hash(kind, debian(kind, languages))}" for kind in KINDS})


def wanted_notebook() -> str:
    """The tag of the image in which notebooks of questions run. Raises LabError."""
    return f"socketlab-notebook:{_hash('notebook', debian('notebook'))}"


def wanted_likeness() -> str:
    """The tag of the image in which sources are compared. Raises LabError."""
    return f"socketlab-likeness:{_hash('likeness', debian('likeness'))}"


def debian(kind: Kind, languages: Sequence[str] = DEFAULT) -> tuple[str, ...]:
    """The Debian packages of an image, besides python3."""
    if kind == "likeness":
        return ()
    if kind == "notebook":
        return packages(("c",), "build")
    return OURS if kind == "node" else packages(languages, kind)


def _hash(kind: Kind, wanted: Sequence[str]) -> str:
    digest = hashlib.sha256(repr((BASE, kind, tuple(wanted), _pins(kind))).encode())
    for name in (_DOCKERFILE[kind], *_FINISH[kind]):
        try:
            digest.update(b"\0" + (_DOCKER / name).read_bytes())
        except OSError as error:
            raise LabError(
                f"{_DOCKER / name} cannot be read ({error.strerror}): the Docker lab needs a whole checkout"
            ) from None
    return digest.hexdigest()[:12]


def ensure_images(
    store: ImageStore,
    say: Callable[[str], None] = lambda _: None,
    *,
    languages: Sequence[str] = DEFAULT,
    made: Callable[[Made], None] = lambda _: None,
) -> Images:
    """The images, built first where they are missing. `say` gets a line per step. Raises LabError."""
    images = wanted_images(languages)
    _ensure(store, {kind: getattr(images, kind) for kind in KINDS}, languages, say, made)
    return images


def ensure_notebook(store: ImageStore, say: Callable[[str], None] = lambda _: None) -> str:
    """The image in which notebooks of questions run, built first if it is missing. Raises LabError."""
    tag = wanted_notebook()
    _ensure(store, {"notebook": tag}, DEFAULT, say, lambda _: None)
    return tag


def ensure_likeness(store: ImageStore, say: Callable[[str], None] = lambda _: None) -> str:
    """The image in which sources are compared, built first if it is missing. Raises LabError."""
    tag = wanted_likeness()
    _ensure(store, {"likeness": tag}, DEFAULT, say, lambda _: None)
    return tag


def _ensure(
    store: ImageStore,
    tags: Mapping[Kind, str],
    languages: Sequence[str],
    say: Callable[[str], None],
    made: Callable[[Made], None],
) -> None:
    missing = [kind for kind in tags if not store.has_image(tags[kind])]
    if not missing:
        return
    if store.has_image(BASE):
        why = None
    else:
        say(f"fetching {BASE}, the base of the lab's images")
        why = store.pull(BASE, PULL_SILENCE)
    for kind in missing:
        begun, tag, wanted = time.monotonic(), tags[kind], debian(kind, languages)
        if why is None:
            say(f"building the {kind} image from {BASE}")
            _build_from_registry(store, kind, tag, wanted)
        else:
            say(f"no registry gives {BASE} ({why}): making the {kind} image with debootstrap, about 40 s")
            _build_from_debian(store, kind, tag, wanted, say)
        made(Made(kind, time.monotonic() - begun))


def tools_of(runner: Runner, tag: str) -> dict[str, str]:
    """Tool -> version in the student's image, as harness.lab.tools has them of this machine. Raises LabError."""
    recipe = Recipe(
        image=tag,
        command=["cat", TOOLS_AT],
        host={"network_mode": "none", "cap_drop": ["ALL"], "security_opt": ["no-new-privileges"], "read_only": True},
        limits={"core": NO_CORE},
        spoken=True,
    )
    name = f"socketlab-tools-{secrets.token_hex(4)}"
    identity = runner.create(recipe, name=name, hostname="tools", labels=owner.this_owner().labels)
    try:
        channel = Channel(runner.attach(identity), "student")
        runner.start(identity)
        told = channel.hear(ANSWER_WITHIN)
        channel.close()
    finally:
        runner.remove(identity)
    if not isinstance(told, dict):
        raise LabError(f"{tag} does not say which tools it has; remove it (docker rmi {tag}), and it is made again")
    return {str(tool): str(version) for tool, version in told.items()}


def _pins(kind: Kind) -> list[str] | None:
    """An image's Python packages with the versions of this environment, so that both labs run the same; or none."""
    names = {"node": PACKAGES, "notebook": KERNEL, "likeness": LIKENESS}.get(kind)
    if names is None:
        return None
    pins = []
    for name in names:
        try:
            pins.append(f"{name}=={metadata.version(name)}")
        except metadata.PackageNotFoundError:
            pins.append(name)
    return pins


def _fetch_packages(kind: Kind, folder: Path, python: str | None) -> None:
    """Install an image's packages into `folder`, for the Python of that version, which may not be this one."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", str(folder)]
    command += ["--only-binary=:all:", *(["--no-deps"] if kind in ("node", "likeness") else [])]
    if python is not None:
        abi = "cp" + python.replace(".", "")
        command += ["--python-version", python, "--implementation", "cp"]
        for choice in (abi, "abi3", "none"):
            command += ["--abi", choice]
        for choice in _wheel_platforms(platform.machine()):
            command += ["--platform", choice]
    _run(
        [*command, *(_pins(kind) or ())],
        f"installing the {kind} image's Python packages",
        "check that pip can reach its index",
    )


def _wheel_platforms(machine: str) -> list[str]:
    """The platform tags of wheels for the images: Linux with the C library of Debian 10 or newer, on this processor."""
    processor = {"AMD64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    return [f"{kind}_{processor}" for kind in ("manylinux_2_28", "manylinux_2_17", "manylinux2014")]


def _build_from_registry(store: ImageStore, kind: Kind, tag: str, wanted: Sequence[str]) -> None:
    with _workplace() as folder:
        for name in {name for names in _FINISH.values() for name in names}:
            shutil.copy(_DOCKER / name, folder / name)
        shutil.copy(_DOCKER / _DOCKERFILE[kind], folder / "Dockerfile")
        (folder / "packages").mkdir()
        if _pins(kind):
            _fetch_packages(kind, folder / "packages", "3.12")
        store.build(folder, kind, tag, {"BASE": BASE, "PACKAGES": " ".join(wanted)})


def _build_from_debian(
    store: ImageStore, kind: Kind, tag: str, wanted: Sequence[str], say: Callable[[str], None]
) -> None:
    _check_debootstrap()
    mirror, suite = _package_source()
    with _workplace() as folder:
        root = folder / "root"
        include = ",".join(("python3", *wanted))
        command = ["debootstrap", "--variant=minbase", f"--include={include}", suite, str(root), mirror]
        _run(command, f"making a {suite} root file system", f"run {' '.join(command)} by hand to see why")
        if _pins(kind):
            say(f"adding the {kind} image's Python packages")
            _fetch_packages(kind, root / PACKAGES_AT.lstrip("/"), _python_of(root))
        for name in _FINISH[kind]:
            shutil.copy(_DOCKER / name, root / "tmp/prepare.sh")
            _run(["chroot", str(root), "sh", "/tmp/prepare.sh"], f"preparing the {kind} image", "see docker/README.md")
            (root / "tmp/prepare.sh").unlink()
        say(f"loading the {kind} image")
        _load(store, root, kind, tag)


def _load(store: ImageStore, root: Path, kind: str, tag: str) -> None:
    """Load a root file system into the engine. What the engine says goes before what tar says: it ends when cut off."""
    command = ["tar", "-C", str(root), "--numeric-owner", "--one-file-system", "-c", "."]
    with tempfile.TemporaryFile() as complaints:
        tar = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints)
        assert tar.stdout is not None
        try:
            store.load_rootfs(tar.stdout, tag)
        finally:
            tar.stdout.close()
            tar.wait()
        if tar.returncode == 0:
            return
        complaints.seek(0)
        last = complaints.read().decode("utf-8", "replace").strip().splitlines()[-1:]
        how = f"was ended by signal {-tar.returncode}" if tar.returncode < 0 else f"ended with status {tar.returncode}"
        why = last[0] if last else f"tar {how}"
        raise LabError(f"the {kind} image could not be packed for the engine ({why}): try again")


def _check_debootstrap() -> None:
    """Raises LabError with the one thing to do if debootstrap cannot be used here."""
    bring = f"or bring the base yourself: docker pull {BASE}"
    if sys.platform != "linux" or shutil.which("apt-get") is None:
        raise LabError(f"no registry gives {BASE}, and the other way needs Debian or Ubuntu; {bring}")
    if shutil.which("debootstrap") is None:
        raise LabError(
            f"no registry gives {BASE}; install the other way with: sudo apt-get install debootstrap ({bring})"
        )
    if os.geteuid() != 0:
        raise LabError(f"no registry gives {BASE}, and debootstrap needs root: run this once with sudo ({bring})")


def _package_source() -> tuple[str, str]:
    """(mirror, suite) of this machine's own distribution, from apt's configuration. Raises LabError."""
    suite = ""
    for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
        if line.startswith("VERSION_CODENAME="):
            suite = line.partition("=")[2].strip('"')
    listing = _run(
        ["apt-get", "indextargets", "--format", "$(SITE)\t$(RELEASE)\t$(COMPONENT)", "Created-By: Packages"],
        "asking apt for this machine's package sources",
        "check /etc/apt/sources.list",
    )
    for line in listing.splitlines():
        site, release, component = line.split("\t")
        if release == suite and component == "main":
            return site, suite
    raise LabError(
        f"apt knows no source of {suite or 'this distribution'}'s main packages; check /etc/apt/sources.list"
    )


def _python_of(root: Path) -> str:
    """The version of a root file system's python3, such as "3.11"."""
    target = os.readlink(root / "usr/bin/python3")
    return target.removeprefix("/usr/bin/").removeprefix("python")


def _run(command: Sequence[str], what: str, remedy: str) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env={**os.environ, "LC_ALL": "C"}
        )
    except OSError as error:
        raise LabError(f"{what} failed: {command[0]}: {error.strerror}; {remedy}") from None
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise LabError(f"{what} failed: {' / '.join(last) or f'status {done.returncode}'}; {remedy}")
    return done.stdout


@contextmanager
def _workplace() -> Iterator[Path]:
    """A folder for a root file system under construction, gone afterwards."""
    folder = owner.owned_folder()
    try:
        with tempfile.TemporaryDirectory(prefix="image-", dir=folder) as name:
            yield Path(name)
    except OSError as error:
        raise LabError(f"an image cannot be made in {folder}: {cause_of(error)}") from None
