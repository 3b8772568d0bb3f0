"""The languages that submissions may be written in: what each takes on the machine that grades. Pure.

Rule 1: what builds and what runs are two nodes. Compilers are in the first only; what was built goes to the second.
Rule 2: a course names its languages (course.toml); a handout, `lab doctor` and `lab check` say what follows from that.
Rule 3: versions here are the oldest that a machine that grades may have: Debian 12's. Images tell the exact ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Node = Literal["student", "build"]


@dataclass(frozen=True, kw_only=True)
class Language:
    """One language that a course may allow."""

    called: str  #: in a sentence
    build: tuple[str, ...] = ()  #: Debian packages of the node that builds
    run: tuple[str, ...] = ()  #: Debian packages of the node that runs, besides Python
    commands: tuple[str, ...] = ()  #: what a build finds then, of the commands that not every system has
    promise: str = ""  #: what handouts say of the node that builds
    promise_run: str = ""  #: and of the node that runs


#: By the name that course.toml has for it. To allow another one, add a row.
LANGUAGES: Mapping[str, Language] = {
    "python": Language(called="Python", commands=("python3", "python")),
    "c": Language(
        called="C",
        build=("gcc", "libc6-dev", "libssl-dev"),
        commands=("cc", "gcc", "ar", "ld", "as", "objcopy", "strip", "cpp"),
        promise="gcc 12 or newer with the headers of the C library and of OpenSSL 3",
    ),
    "go": Language(called="Go", build=("golang-go",), commands=("go", "gofmt"), promise="Go 1.19 or newer"),
    "rust": Language(
        called="Rust",
        build=("rustc", "cargo", "gcc", "libc6-dev"),
        commands=("rustc", "cargo", "cc", "gcc", "ar", "ld", "as"),
        promise="Rust 1.63 or newer",
    ),
    "java": Language(
        called="Java",
        build=("default-jdk-headless",),
        run=("default-jre-headless",),
        commands=("java", "javac", "jar"),
        promise="a JDK 17 or newer",
        promise_run="Java 17 or newer",
    ),
}
#: What a course allows that says nothing.
DEFAULT = ("python", "c", "go")
#: What every node that builds has.
BUILDS_WITH = ("make",)
_BUILDERS = """
ar as bison c++ cabal cargo cc clang clang++ cmake cpp curl dotnet flex g++ gcc ghc git go gofmt jar java javac kotlinc
ld lex libtool meson nasm ninja node npm npx objcopy pip pip3 pkg-config rustc strip swiftc tsc valac wget yacc yasm zig
"""
#: Commands that builds use and that not every machine has: of these `lab check` says when the grader has none.
TOOLS_OF_BUILDS = frozenset(_BUILDERS.split())
#: What a build is told besides what every program is: it has no network, so nothing is looked for there.
ENVIRONMENT: Mapping[str, str] = {
    "CGO_ENABLED": "0",  # a program of Go's alone: it needs no C compiler, and runs whatever libraries there are
    "GOPROXY": "off",
    "GOSUMDB": "off",
    "GOFLAGS": "-buildvcs=false",
    "GOTOOLCHAIN": "local",
    "CARGO_NET_OFFLINE": "true",
}


def packages(languages: Iterable[str], node: Node) -> tuple[str, ...]:
    """The Debian packages of a node, besides python3, each once.

    >>> packages(["python", "c", "go"], "build")
    ('make', 'gcc', 'libc6-dev', 'libssl-dev', 'golang-go')
    >>> packages(["python", "c", "go"], "student")
    ()
    """
    named = BUILDS_WITH if node == "build" else ()
    rows = [LANGUAGES[name].build if node == "build" else LANGUAGES[name].run for name in in_order(languages)]
    return tuple(dict.fromkeys((*named, *(package for row in rows for package in row))))


def in_order(languages: Iterable[str]) -> list[str]:
    """The same languages in the order of the table, each once; Python is always there.

    >>> in_order(["go", "c", "go"])
    ['python', 'c', 'go']
    """
    wanted = {"python", *languages}
    return [name for name in LANGUAGES if name in wanted]


def in_words(languages: Iterable[str]) -> str:
    """Their names in a sentence.

    >>> in_words(["python", "c", "go"]), in_words(["python"])
    ('Python, C and Go', 'Python')
    """
    return _listed([LANGUAGES[name].called for name in in_order(languages)])


def promised(languages: Iterable[str]) -> str:
    """What handouts say of the machine that grades, up to "Count on nothing else there".

    >>> promised(["python", "go"]).partition("built on ")[2]
    'one that has GNU make 4.3 or newer and Go 1.19 or newer as well; it runs without them.'
    """
    rows = [LANGUAGES[name] for name in in_order(languages)]
    runs = _listed(["OpenSSL 3", *(row.promise_run for row in rows if row.promise_run)])
    builds = _listed(["GNU make 4.3 or newer", *(row.promise for row in rows if row.promise)])
    return (
        f"is a Debian with Python 3.12 (on Debian 12: 3.11, so use nothing that came later) and {runs}. "
        f"What has to be built is built on one that has {builds} as well; it runs without them."
    )


def foreign(commands: Iterable[str], languages: Iterable[str]) -> list[str]:
    """The commands among those that a build used that the machine that grades does not have.

    >>> foreign(["gcc", "cmake", "sed"], ["c"])
    ['cmake']
    """
    there = {command for name in in_order(languages) for command in LANGUAGES[name].commands}
    return sorted(set(commands) & TOOLS_OF_BUILDS - there)


# -- what a release tells of the machine that grades -------------------------------------------------------------------

#: The file of a release that says it.
TOLD_IN = "grader.json"


@dataclass(frozen=True, kw_only=True)
class Grader:
    """What is known of the machine that grades, where its images are not."""

    languages: tuple[str, ...] = DEFAULT
    tools: Mapping[str, str] | None = None  #: tool -> version, None if nobody has asked its images

    def to_json(self) -> str:
        """For a release."""
        return (
            json.dumps({"languages": list(self.languages), "tools": self.tools and dict(self.tools)}, indent=1) + "\n"
        )


def grader_from(text: str) -> Grader:
    """What `to_json` wrote. Raises ValueError."""
    data = json.loads(text)
    if not isinstance(data, dict) or not isinstance(data.get("languages"), list):
        raise ValueError("it does not say which languages there are")
    languages = tuple(name for name in data["languages"] if name in LANGUAGES)
    tools = data.get("tools")
    return Grader(
        languages=languages, tools={str(k): str(v) for k, v in tools.items()} if isinstance(tools, dict) else None
    )


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
