"""Pictures of failing checks: made from records, kept apart for hidden checks, never the reason for a lost grade."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from fakes import END, READS, SECRET, SERVES, SURVIVES, FakeBench, packets, report

from grader.bench.task import Task
from grader.course import Course
from grader.job.grading import Graded, grade
from grader.reports.html import instructor_page, student_page
from grader.submission import Submission
from grader.verdict import pictures
from harness.link.trace import Packet
from harness.pictures.capture import to_pcapng
from harness.tester.border.records import Report, parse_record
from harness.transport.pictures import artefacts
from harness.transport.pictures.bundle import Bundle, Finding, as_data, from_json
from harness.transport.segments import build, parse
from tests.harness.transport import sample

LAB = {"kind": "fake", "engine": "none", "image": None, "unprotected": None}


def bundle(mark: str = "mark") -> dict[str, Any]:
    """The sample, with a word in every place that holds text."""
    return as_data(
        Bundle(
            assignment="blocking",
            check=READS,
            title=f"{mark}-title",
            remark=f"{mark}-remark",
            wire=sample.WIRE,
            message=f"{mark}-message",
            seed=f"{mark}-seed",
            misfortunes=(f"{mark}-misfortune",),
            names=(f"{mark}-a", f"{mark}-b"),
            packets=tuple(sample.packets()),
            findings=(Finding(5, f"{mark}-finding"),),
        )
    )


def a_run(rows: Sequence[Packet]) -> Bundle:
    return Bundle(assignment="blocking", packets=tuple(rows), wire=sample.WIRE)


def run(course: Course, tmp_path: Path, *records: dict[str, Any]) -> Graded:
    task = Task(
        student="ann",
        assignment=course.load("blocking"),
        suites=course.suites("blocking"),
        seed="ab",
        identity="id",
        lab=LAB,
    )
    submission = Submission("ann", "blocking", tmp_path / "copy", "hash", 1, 10)
    return grade(task, submission, FakeBench([[*records, END]]), lambda _: None)


def test_a_simulation_leaves_packets_pictures_and_a_bundle(course: Course, tmp_path: Path) -> None:
    graded = run(course, tmp_path, report(READS, "fail", bundle=bundle()))
    row = graded.result["checks"][0]
    stem = "captures/public/01-test_reads"
    assert {key: row[key] for key in ("pcapng", "bundle", "ladder_svg", "plot")} == {
        "pcapng": f"{stem}.pcapng",
        "bundle": f"{stem}.bundle.json",
        "ladder_svg": f"{stem}.ladder.svg",
        "plot": f"{stem}.plot.svg",
    }
    assert set(graded.captures) == {row[key] for key in ("pcapng", "bundle", "ladder_svg", "plot")}
    assert "duplicate ACK 3" in row["ladder"]
    for name in ("ladder_svg", "plot"):
        ElementTree.fromstring(graded.captures[row[name]])
    assert from_json(graded.captures[row["bundle"]]).packets == tuple(sample.packets())


def test_a_check_without_packets_leaves_nothing(course: Course, tmp_path: Path) -> None:
    graded = run(course, tmp_path, report(READS, "fail"))
    assert graded.captures == {}
    assert {graded.result["checks"][0][key] for key in ("pcapng", "bundle", "ladder_svg", "plot", "ladder")} == {None}


def test_of_a_hidden_check_the_student_gets_nothing_and_the_instructor_all(course: Course, tmp_path: Path) -> None:
    graded = run(
        course,
        tmp_path,
        report(READS),
        report(SECRET, "fail", bundle=bundle("CANARY")),
        report(SERVES),
        report(SURVIVES, "timeout", bundle=bundle("CANARY")),
    )
    assert {name.split("/")[1] for name in graded.captures} == {"hidden"}
    page = student_page(graded.result)
    assert "CANARY" not in page
    for row in graded.result["checks"]:
        for key in ("pcapng", "bundle", "ladder_svg", "plot"):
            assert row[key] is None or row[key] not in page
    assert "seq=" not in page
    assert "<img" not in page
    whole = instructor_page(graded.result)
    assert "CANARY-finding" in whole
    assert 'src="./captures/hidden/02-test_secretly_reads.ladder.svg"' in whole
    assert 'src="./captures/hidden/02-test_secretly_reads.plot.svg"' in whole


def test_of_a_public_check_the_student_sees_the_pictures(course: Course, tmp_path: Path) -> None:
    graded = run(course, tmp_path, report(READS, "fail", bundle=bundle()))
    page = student_page(graded.result)
    for ending in ("ladder.svg", "plot.svg", "pcapng", "bundle.json"):
        assert f'="./captures/public/01-test_reads.{ending}"' in page
    assert "img-src 'self' file:" in page


def test_a_bundle_that_is_none_is_left_out(course: Course, tmp_path: Path) -> None:
    for wrong in ({}, [], "x", {**bundle(), "packets": [[1]]}, {**bundle(), "schema": 9}):
        line = json.dumps(report(READS, "fail", bundle=wrong)).encode()
        found = parse_record(line)
        assert isinstance(found, Report)
        assert artefacts.bundle_of(found.bundle) is None
    graded = run(course, tmp_path, report(READS, "fail", bundle={}, message="why"))
    assert graded.result["checks"][0]["message"] == "why"


def test_hostile_text_in_a_bundle_becomes_text(course: Course, tmp_path: Path) -> None:
    graded = run(course, tmp_path, report(READS, "fail", bundle=bundle("<script>alert(1)</script>\x1b[2J\u202e")))
    assert "<script" not in student_page(graded.result)
    for name, data in graded.captures.items():
        if name.endswith(".svg"):
            tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(data).iter()}
            assert "script" not in tags
        if not name.endswith(".pcapng"):
            assert b"\x1b" not in data


def test_a_drawing_that_fails_costs_no_grade(course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(artefacts, "pictures", broken)
    graded = run(course, tmp_path, report(READS), report(SERVES, "fail", bundle=bundle()), report(SECRET))
    assert graded.result["points"] == 5
    assert "could not be drawn: ZeroDivisionError" in graded.result["checks"][2]["ladder"]


def test_only_so_many_plots_are_drawn(course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_PLOTS", 1)
    graded = run(course, tmp_path, report(READS, "fail", bundle=bundle()), report(SERVES, "fail", bundle=bundle()))
    first, _, second, _ = graded.result["checks"]
    assert first["plot"]
    assert not second["plot"]
    assert second["ladder_svg"]


def test_a_capture_of_real_segments_becomes_a_ladder_where_the_term_is_known(course: Course, tmp_path: Path) -> None:
    capture = to_pcapng(sample.packets())
    record = report(READS, "fail", pcapng=base64.b64encode(capture).decode())
    without = run(course, tmp_path, record).result["checks"][0]
    assert (without["ladder_svg"], without["ladder"]) == (None, None)
    term = f'[term]\nname = "x"\nmagic = {sample.WIRE.magic}\nchecksum = "{sample.WIRE.checksum}"\n'
    (course.root / "reference" / "blocking" / "term.toml").write_text(term)
    graded = run(course, tmp_path, record)
    row = graded.result["checks"][0]
    assert "duplicate ACK 3" in row["ladder"]
    assert graded.captures[row["pcapng"]] == capture, "the real packets, not a copy made from the ladder"


def test_a_capture_of_something_else_stays_a_capture(course: Course, tmp_path: Path) -> None:
    term = '[term]\nname = "x"\nmagic = 7\nchecksum = "crc-32"\n'
    (course.root / "reference" / "blocking" / "term.toml").write_text(term)
    for data in (packets(), base64.b64encode(to_pcapng(sample.packets())).decode()):
        row = run(course, tmp_path, report(READS, "fail", pcapng=data)).result["checks"][0]
        assert row["pcapng"]
        assert (row["ladder_svg"], row["bundle"]) == (None, None)


def test_a_long_run_is_made_small_enough_for_a_record() -> None:
    rows = sample.packets()
    long = [replace(rows[2], number=n, sent=n / 1000) for n in range(1, 5001)]
    data = artefacts.bundled(a_run(long), check=READS)
    assert len(json.dumps(data)) < 10_000_000
    assert data["check"] == READS
    assert data["left_out"] == 5000 - len(data["packets"]) > 0  # type: ignore[arg-type]


def test_the_oracle_is_asked_what_a_simulation_breaks() -> None:
    rows = sample.packets()
    good = artefacts.bundled(a_run(rows))
    assert [row for row in good["findings"] if row[2]] == []  # type: ignore[attr-defined]
    seg = parse(rows[8].data, sample.WIRE)
    assert seg is not None
    liar = build(replace(seg, acknowledgement=seg.acknowledgement + 1200), sample.WIRE)  # of what was lost
    bad = artefacts.bundled(a_run([*rows[:8], replace(rows[8], data=liar, delivered=liar), *rows[9:]]))
    assert next(row for row in bad["findings"] if row[2])[0] == 9  # type: ignore[attr-defined]


def test_what_was_judged_already_is_not_judged_again() -> None:
    run = replace(a_run(sample.packets()), findings=(Finding(3, "rule 9.9: so it is"),))
    assert artefacts.bundled(run, title="the rule", seed="ab")["findings"] == [[3, "rule 9.9: so it is", True]]
