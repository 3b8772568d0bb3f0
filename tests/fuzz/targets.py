"""What comes from somebody else, made at random, and what may become of it: a value, or the one error that says so.

Rule: everything a target makes comes from its dice, so that a seed is the whole of a failure.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import random
import stat
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.archive import ArchiveLimits, unpack
from grader.course_file import load_course_file
from grader.push.receive import updates
from grader.submission import Submission, SubmissionLimits, take_submission
from grader.verdict.outcomes import BadOutcomes, outcomes_of
from harness.actors.story import Broken
from harness.cli import progress
from harness.course.assignment import parse_assignment
from harness.course.programs import load_programs
from harness.errors import CommandError, SubmissionError
from harness.link.trace import Packet
from harness.pictures.capture import BadCapture, from_capture, to_pcapng
from harness.tester.border.job import BadJob, Job
from harness.tester.border.records import BadRecord, line_of, parse_record
from harness.text.lines import Lines
from harness.tls.record_layer.records import certificates, client_hello, describe, is_tls, split
from harness.tls.record_layer.rules import FilteredStream
from harness.transport.calls.calls import RemoteConnection, RemoteReassembler, RemoteSegments
from harness.transport.calls.remote import Remote
from harness.transport.oracle.judge import Case, judge
from harness.transport.pictures.bundle import BadBundle, Bundle, as_data, from_json
from harness.transport.segments import Seg, WireFormat, build, fault, parse
from harness.transport.segments import describe as describe_segment

ROOT = Path(__file__).parents[2]
WIRE = WireFormat()
Dice = random.Random


@dataclass(frozen=True)
class Target:
    """One thing to be fed."""

    name: str
    feed: Callable[[Dice, Path], None]  #: makes something and feeds it; the folder is empty. Raises if it broke
    many: int  #: how often in an audit
    few: int = 60  #: how often in `make test`
    files: bool = False  #: whether it writes any


def refused(call: Callable[[], Any], *errors: type[Exception]) -> Any:
    """What it gives; None if it raises one of these errors, which has to say something."""
    try:
        return call()
    except errors as error:
        if not str(error):
            raise AssertionError("the error says nothing") from error
        return None


# --- bytes and values ---

ODD = (
    0,
    1,
    -1,
    2**31,
    2**32,
    2**63,
    2**64,
    10**400,
    -0.0,
    1e308,
    float("inf"),
    float("nan"),
    True,
    None,
    "",
    "0",
    [],
    {},
)
NAMES = (
    "a.py",
    "b/c.py",
    "../evil",
    "/etc/evil",
    "a/../../evil",
    "C:\\evil",
    "con",
    "a\nb",
    "-rf",
    "\u00e9.py",
    "e\u0301.py",
    "A.PY",
    ".git/config",
    "x" * 300,
    "a/" * 60 + "deep",
    ".",
    "",
    "a/",
    "\x00",
    "a\x1b[31m",
    "__pycache__/a.pyc",
    "\udce9",
)


def damaged(data: bytes, dice: Dice) -> bytes:
    """The bytes with a few of them changed, cut, doubled or filled in; now and then as they were."""
    found = bytearray(data)
    for _ in range(dice.choice((0, 1, 1, 2, 5, 20))):
        at = dice.randrange(len(found) + 1)
        what = dice.randrange(6)
        if what == 0 and found:
            found[min(at, len(found) - 1)] ^= 1 << dice.randrange(8)
        elif what == 1 and found:
            found[min(at, len(found) - 1)] = dice.choice((0, 0xFF, 0x7F, 0x80, dice.randrange(256)))
        elif what == 2:
            del found[at : at + dice.choice((1, 4, 64))]
        elif what == 3:
            found[at:at] = dice.randbytes(dice.choice((1, 2, 8)))
        elif what == 4:
            found[at:at] = found[at : at + 32]
        else:
            found[at : at + 4] = dice.choice((bytes(4), b"\xff" * 4, b"\xff\xff\xff\x7f"))
    return bytes(found)


def value(dice: Dice, deep: int = 0) -> Any:
    """Anything that JSON can hold, and some that it cannot."""
    what = dice.randrange(9 if deep < 4 else 5)
    if what < 2:
        return dice.choice(ODD)
    if what == 2:
        return dice.choice((dice.randrange(-10, 100_000), dice.uniform(-1, 100)))
    if what < 5:
        return "".join(dice.choice("ab \n\x00\x1b\ud800\u00e9\U0001f600[]{}\"\\=#'") for _ in range(dice.randrange(12)))
    if what < 7:
        return [value(dice, deep + 1) for _ in range(dice.randrange(4))]
    return {str(value(dice, 9))[:12]: value(dice, deep + 1) for _ in range(dice.randrange(4))}


def altered(row: Any, dice: Dice) -> Any:
    """A value with something in it replaced, taken away or added."""
    if isinstance(row, dict) and row and dice.random() < 0.8:
        found, key = dict(row), dice.choice(list(row))
        what = dice.randrange(5)
        if what == 0:
            del found[key]
        elif what == 1:
            found[str(value(dice, 9))] = value(dice)
        elif what == 2:
            found[key] = altered(found[key], dice)
        else:
            found[key] = value(dice)
        return found
    if isinstance(row, list) and row and dice.random() < 0.8:
        at = dice.randrange(len(row))
        return [*row[:at], altered(row[at], dice), *row[at + dice.randrange(2) :]]
    return value(dice)


def as_json(row: Any, dice: Dice) -> bytes:
    """A value as a line, now and then damaged."""
    text = json.dumps(row).encode("utf-8", "surrogatepass")
    return damaged(text, dice) if dice.random() < 0.3 else text


# --- what students hand in ---

LIMITS = ArchiveLimits(packed=300_000, unpacked=200_000, entries=60, deep=12, memory=1 << 24)
CAPS = SubmissionLimits(files=40, depth=6, bytes=100_000)


def _a_tar(dice: Dice) -> bytes:
    out = io.BytesIO()
    kinds = (tarfile.REGTYPE,) * 8 + (
        tarfile.DIRTYPE,
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.FIFOTYPE,
        tarfile.CHRTYPE,
    )
    kinds += (tarfile.GNUTYPE_SPARSE, tarfile.CONTTYPE, b"Z")
    formats = (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT)
    with tarfile.open(fileobj=out, mode="w", format=dice.choice(formats), errors="surrogateescape") as tar:
        for _ in range(dice.randrange(8)):
            row = tarfile.TarInfo(dice.choice(NAMES))
            row.type, row.mode, row.linkname = (
                dice.choice(kinds),
                dice.choice((0o644, 0o755, 0, 0o7777)),
                dice.choice(NAMES),
            )
            data = dice.randbytes(dice.choice((0, 1, 511, 512, 3000)))
            row.size = len(data) if row.type in (tarfile.REGTYPE, tarfile.CONTTYPE) else 0
            row.pax_headers = {"size": str(dice.choice(ODD)), "path": row.name} if dice.random() < 0.1 else {}
            try:
                tar.addfile(row, io.BytesIO(data))
            except (ValueError, UnicodeError):  # no tar of that format can say that
                continue
    return out.getvalue()


def _a_zip(dice: Dice) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", dice.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))) as made:
        for name in [dice.choice(NAMES) for _ in range(dice.randrange(8))]:
            row = zipfile.ZipInfo(name)
            row.external_attr = dice.choice((0, stat.S_IFREG | 0o755, stat.S_IFLNK | 0o777, stat.S_IFIFO)) << 16
            try:
                made.writestr(row, dice.randbytes(dice.choice((0, 10, 3000))), dice.choice((0, 8)))
            except (UnicodeError, IndexError):  # a name that no ZIP can have
                continue
    return out.getvalue()


def an_archive(dice: Dice) -> bytes:
    """A ZIP or tar with ordinary and hostile rows, perhaps compressed, perhaps damaged within and without."""
    if dice.random() < 0.45:
        return damaged(_a_zip(dice), dice)
    tar = damaged(_a_tar(dice), dice) if dice.random() < 0.6 else _a_tar(dice)
    pack = dice.choice((lambda data: data, lambda data: data, gzip.compress, bz2.compress, lzma.compress))
    return damaged(pack(tar), dice) if dice.random() < 0.4 else pack(tar)


def _only_ordinary(folder: Path, most: int) -> None:
    """No link, no device, nothing shared with a file elsewhere, and not more than was allowed."""
    size = 0
    for path in folder.rglob("*"):
        row = path.lstat()
        assert stat.S_ISREG(row.st_mode) or stat.S_ISDIR(row.st_mode), path
        assert stat.S_ISDIR(row.st_mode) or row.st_nlink == 1, path
        size += row.st_size if stat.S_ISREG(row.st_mode) else 0
    assert size <= most


def archives(dice: Dice, folder: Path) -> None:
    """Unpacked and taken in: what is refused is refused by name, and nothing is written elsewhere."""
    (folder / "archive").write_bytes(an_archive(dice))

    def takes() -> None:
        unpack(folder / "archive", folder / "out", LIMITS)
        _only_ordinary(folder / "out", LIMITS.unpacked)
        _taken(folder / "out", folder / "copy")
        _only_ordinary(folder / "copy", CAPS.bytes)

    refused(takes, SubmissionError)
    assert set(os.listdir(folder)) <= {"archive", "out", "copy"}


def _taken(source: Path, target: Path, *, unwrap: bool = True) -> Submission:
    return take_submission(source, target, student="s", assignment="a", caps=CAPS, unwrap=unwrap)


def folders(dice: Dice, folder: Path) -> None:
    """A folder with everything that a file system can hold."""
    (source := folder / "in").mkdir()
    (folder / "secret").write_text("secret")
    for _ in range(dice.randrange(12)):
        name = dice.choice(NAMES).replace("\x00", "").strip("/") or "z"
        path = source / (dice.choice(("", "d", "d/e")) + "/" + name.replace("..", "__")).strip("/")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(path):  # a pipe would wait for whoever reads it
                continue
            what = dice.randrange(7)
            if what < 3:
                path.write_bytes(dice.randbytes(dice.choice((0, 10, 60_000))))
            elif what == 3:
                path.symlink_to(dice.choice((folder / "secret", "/etc/passwd", "a.py", ".", "..", path)))
            elif what == 4:
                os.mkfifo(path)
            elif what == 5:
                os.link(folder / "secret", path)
            else:
                path.mkdir()
        except OSError:  # a name that is there, or that no file can have
            continue
    taken = refused(lambda: _taken(source, folder / "copy"), SubmissionError)
    if taken is not None:
        assert taken.files <= CAPS.files
        assert _taken(folder / "copy", folder / "twice", unwrap=False).hash == taken.hash
    if (folder / "copy").is_dir():
        _only_ordinary(folder / "copy", CAPS.bytes + 60_000)


# --- what testers and guests say ---

RECORDS: list[dict[str, Any]] = [
    {
        "record": "report",
        "check": "test_a.py::test_b",
        "outcome": "fail",
        "seconds": 0.5,
        "message": "m",
        "expected": "e",
        "seen": "s",
        "story": [{"at": 0.1, "who": "student", "what": "says"}],
        "link": {"engine": "relay", "packets": 3},
        "pcapng": "Cg0NCgAA",
        "bundle": {"a": 1},
        "waited": 0.1,
        "used": 0.2,
        "because": None,
        "seed": "1",
    },
    {"record": "phase", "name": "build", "seconds": 1.0},
    {"record": "start", "check": "c", "at": 1.0},
    {"record": "end"},
    {"record": "built", "ok": True, "text": "", "late": False},
    {"record": "forbidden", "stages": {"1": "uses x"}},
    {"record": "piece", "data": "QUJD", "last": False},
    {"record": "trouble", "text": "t"},
    {"record": "gone", "check": ""},
]


def records(dice: Dice, _: Path) -> None:
    """A line of a tester."""
    row = altered(dice.choice(RECORDS), dice)
    for line in Lines(200_000).feed(as_json(row, dice) + b"\n"):
        if line is None:
            continue
        try:
            record = parse_record(line)
        except BadRecord:
            continue
        assert parse_record(line_of(record)) == record


def jobs(dice: Dice, _: Path) -> None:
    """What a tester reads, and what a run folder keeps."""
    job = {
        "lab": {"kind": "local", "submission": "/s"},
        "assignment": "/a",
        "suites": {},
        "checks": ["c"],
        "programs": {},
        "build": False,
        "seed": "1",
        "look": False,
        "pack": False,
        "until_failure": False,
        "outcomes": {"c": "pass"},
        "public_seed": "2",
        "reference": None,
    }
    text = as_json(altered(job, dice), dice)
    refused(lambda: Job.from_json(text), BadJob)
    kept = altered({"schema": 1, "student": "s", "reports": [RECORDS[0]], "versions": {}, "endings": {}}, dice)
    if isinstance(kept, dict):
        refused(lambda: outcomes_of(kept), BadOutcomes)


class _Said(Remote):
    """A guest that answers at random."""

    def __init__(self, dice: Dice) -> None:
        self.name, self.doing, self._dice, self._buffer, self._process = "guest", "", dice, bytearray(), None
        self.answers: list[Any] = []

    def ask(self, *_: Any, **__: Any) -> Any:
        row = altered(self._dice.choice(ANSWERS), self._dice)
        return self._parsed(as_json(row, self._dice))

    def dismiss(self) -> None:
        pass

    def meter_called(self, *_: Any) -> None:
        pass


ANSWERS = [
    {"accepted": 5, "read": "", "events": ["connected"], "datagrams": ["XAEAALucKvMAAAAHAAAAAAABAAA="], "timer": 1.0},
    {"value": 7},
    {"data": "QUJD"},
    {"pieces": [[0, "QUJD"]]},
    {"holes": [[1, 2]]},
    {},
    {"segment": None},
    {
        "segment": {
            "sequence": 1,
            "acknowledgement": 2,
            "window": 3,
            "syn": True,
            "ack": False,
            "fin": False,
            "rst": False,
            "sack": [[1, 2]],
            "payload": "QUJD",
        }
    },
]


def guests(dice: Dice, _: Path) -> None:
    """Answers of a guest to each of the calls."""
    remote = _Said(dice)
    calls: list[Callable[[], Any]] = [
        lambda: RemoteConnection(remote, 1, role="client", isn=7).step(now=1.0, send=b"hello", read=10),
        lambda: RemoteReassembler(remote, 1, "InOrder", 10).read(),
        lambda: RemoteReassembler(remote, 1, "WithGaps", 10).missing(),
        lambda: RemoteSegments(remote).decode(b"x"),
        lambda: RemoteSegments(remote).encode(Seg(1)),
        lambda: RemoteSegments(remote).checksum(b"x"),
    ]
    for call in calls:
        refused(call, Broken)


# --- what comes over the wire ---


def a_segment(dice: Dice) -> bytes:
    """A segment, perhaps damaged, or noise."""
    if dice.random() < 0.1:
        return dice.randbytes(dice.randrange(60))
    number = lambda: dice.choice((0, 1, 7, 1200, 65_535, 2**31, 2**32 - 1, dice.getrandbits(32)))  # noqa: E731
    flags = {name: dice.random() < 0.3 for name in ("syn", "fin", "rst")}
    sack = tuple((number(), number()) for _ in range(dice.choice((0, 0, 1, 3))))
    payload = b"" if flags["syn"] else dice.randbytes(dice.choice((0, 0, 1, 1200)))
    seg = Seg(number(), number(), number() & 0xFFFF_FFFF, ack=dice.random() < 0.7, sack=sack, payload=payload, **flags)
    data = build(seg, WIRE)
    return damaged(data, dice) if dice.random() < 0.1 else data


def segments(dice: Dice, _: Path) -> None:
    """Bytes as a segment."""
    data = a_segment(dice)
    assert (parse(data, WIRE) is None) == (fault(data, WIRE) is not None)
    describe_segment(data, WIRE)


def packets(dice: Dice) -> list[Packet]:
    """What a link did to some datagrams."""
    found, at = [], 0.0
    for number in range(1, dice.randrange(1, 40)):
        at += dice.choice((0.0, 1e-9, 0.001, 0.2, 5.0))
        data = a_segment(dice)
        arrives = dice.random() < 0.8
        delivered = (damaged(data, dice) if dice.random() < 0.05 else data) if arrives else b""
        fate = dice.choice(("delivered", "duplicated", "corrupted")) if arrives else dice.choice(("lost", "overflow"))
        late = at + dice.choice((0.0, 0.01, 1.0)) if arrives else None
        found.append(Packet(number, at, late, dice.choice(("up", "down")), data, delivered, fate))
    return found


def oracle(dice: Dice, _: Path) -> None:
    """Any packets at all: the oracle says something, and does not break."""
    case = Case(stage=dice.randrange(1, 10)) if dice.random() < 0.5 else None
    for violation in judge(packets(dice), WIRE, case):
        assert violation.text


def captures(dice: Dice, _: Path) -> None:
    """A capture that somebody opens."""
    data = damaged(to_pcapng(packets(dice)), dice)
    found = refused(lambda: from_capture(data), BadCapture) or []
    assert all(packet.number >= 1 for packet in found)


def bundles(dice: Dice, _: Path) -> None:
    """A bundle that somebody opens."""
    row = as_data(Bundle(assignment="transport", wire=WIRE, packets=tuple(packets(dice))))
    text = as_json(altered(row, dice), dice)
    refused(lambda: from_json(text), BadBundle)


def _vector(data: bytes, width: int) -> bytes:
    return len(data).to_bytes(width) + data


def _hello() -> bytes:
    """A ClientHello for server.example that offers h2 and TLS 1.3, by hand (RFC 8446, section 4.1.2)."""
    name = _vector(bytes(1) + _vector(b"server.example", 2), 2)
    rows = [(0, name), (43, b"\x04\x03\x04\x03\x03"), (16, _vector(_vector(b"h2", 1), 2))]
    extensions = b"".join(number.to_bytes(2) + _vector(data, 2) for number, data in rows)
    suites = _vector(b"\x13\x01\x13\x02", 2)
    body = b"\x03\x03" + bytes(32) + _vector(b"", 1) + suites + _vector(bytes(1), 1) + _vector(extensions, 2)
    return b"\x16\x03\x01" + _vector(b"\x01" + _vector(body, 3), 2)


HELLO = _hello()


def tls(dice: Dice, _: Path) -> None:
    """Bytes as TLS records, in pieces."""
    stream = b"".join(damaged(HELLO, dice) for _ in range(dice.randrange(1, 4))) + dice.randbytes(dice.randrange(9))
    found, rest = split(stream)
    assert b"".join(record.raw for record in found) + rest == stream
    for record in found:
        describe(record)
    is_tls(stream), client_hello(stream), certificates(stream)
    filtered = FilteredStream(lambda _: None)
    at = 0
    while at < len(stream):
        size = dice.choice((1, 5, 100))
        filtered.takes(stream[at : at + size])
        at += size
    filtered.ends()
    assert bytes(filtered.out) == stream


# --- files that people write, and what CIs and git say ---

RUBRIC = (ROOT / "reference/blocking/assignment.toml").read_text(encoding="utf-8")[:6000]
COURSE = """schema = 1
[course]
name = "Sockets"
timezone = "Europe/Berlin"
[late]
days = 3
[[assignments]]
name = "blocking"
due = 2026-12-24T12:00:00
"""


def toml(dice: Dice, folder: Path) -> None:
    """The files of a course and of a submission."""
    text = damaged(dice.choice((RUBRIC, COURSE, '[programs]\nclient = ["./client"]\n')).encode(), dice)
    (folder / "programs.toml").write_bytes(text)
    (folder / "course.toml").write_bytes(text)
    calls: list[Callable[[], Any]] = [
        lambda: parse_assignment(text.decode("utf-8", "replace"), Path("assignment.toml")),
        lambda: load_programs({"client": ["python3", "client.py"]}, folder),
        lambda: load_course_file(folder / "course.toml", ["blocking"]),
    ]
    for call in calls:
        refused(call, CommandError, SubmissionError)


def events(dice: Dice, _: Path) -> None:
    """What a CI's repository keeps of its stages, and what git tells a hook."""
    text = as_json(altered({"schema": 1, "complete": {"blocking": [1, 2]}}, dice), dice)
    refused(lambda: progress.parse(text, "progress.json"), CommandError)
    line = damaged(b"0" * 40 + b" " + b"a" * 40 + b" refs/heads/main", dice).decode("utf-8", "surrogateescape")
    for update in updates([line]):
        assert " " not in update.old


TARGETS = [
    Target("archives", archives, 20_000, files=True),
    Target("folders", folders, 3_000, 40, files=True),
    Target("records", records, 1_000_000, 400),
    Target("jobs", jobs, 100_000, 200),
    Target("guests", guests, 100_000, 100),
    Target("segments", segments, 300_000, 300),
    Target("oracle", oracle, 20_000, 60),
    Target("captures", captures, 20_000, 60),
    Target("bundles", bundles, 20_000, 60),
    Target("tls", tls, 50_000, 100),
    Target("toml", toml, 20_000, 60, files=True),
    Target("events", events, 200_000, 200),
]
