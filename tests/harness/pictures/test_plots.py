"""Plots: every curve is there, marks beside colours, nothing foreign becomes markup, and what to type without them."""

from __future__ import annotations

import sys
from xml.etree import ElementTree

import pytest

from harness.pictures import plots
from harness.pictures.plots import Curves, Dots, NoPlots, draw

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(1)</script>\"'&\x1b[2J $\\frac{1}$ \ud800"

CURVES = Curves(
    name="client to server",
    sent=Dots([0.0, 0.1], [1, 1201], [1201, 2401]),
    again=Dots([0.4], [1201], [2401]),
    lost=Dots([0.1], [1201], [2401]),
    acknowledged=[(0.05, 1), (0.1, 1201), (0.5, 2401)],
    edge=[(0.05, 9000), (0.5, 11_000)],
    flight=[(0.0, 1200), (0.1, 1200), (0.5, 0)],
    window=[(0.05, 9000)],
    round_trips=[(0.1, 0.05)],
)
NOTHING = Curves(
    name="",
    sent=Dots([], [], []),
    again=Dots([], [], []),
    lost=Dots([], [], []),
    acknowledged=[],
    edge=[],
    flight=[],
    window=[],
    round_trips=[],
)


def words(svg: bytes) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_every_curve_is_named_and_has_its_unit() -> None:
    said = words(draw(CURVES, title="One lost segment"))
    for text in (
        "One lost segment",
        "client to server",
        "sent",
        "sent again",
        "lost or damaged",
        "acknowledged",
        "window's right edge",
        "in flight",
        "window offered",
        "round trip",
        "sequence numbers",
        "bytes",
        "milliseconds",
        "seconds",
    ):
        assert text in said


def test_what_did_not_happen_is_not_in_the_legend() -> None:
    said = words(draw(NOTHING))
    assert said.count("nothing to show") == 3
    assert "sent again" not in said


def test_no_name_becomes_markup_or_a_formula() -> None:
    svg = draw(Curves(**{**vars(CURVES), "name": HOSTILE}), title=HOSTILE)
    root = ElementTree.fromstring(svg)
    assert not [element for element in root.iter() if element.tag.removeprefix(SVG) in ("script", "image", "a")]
    assert any("<script>alert(1)" in text and "$\\frac{1}$" in text for text in words(svg))
    assert b"<!DOCTYPE" not in svg
    links = [value for e in root.iter() for name, value in e.attrib.items() if name.endswith("href")]
    assert all(link.startswith("#") for link in links)


def test_the_same_curves_give_the_same_file_and_others_another() -> None:
    assert draw(CURVES) == draw(CURVES)
    assert draw(CURVES) != draw(Curves(**{**vars(CURVES), "round_trips": [(0.1, 0.3)]}))


def test_a_picture_for_programs_that_do_not_know_svg() -> None:
    assert draw(CURVES, form="png").startswith(b"\x89PNG\r\n")


def test_a_long_transfer_is_thinned_out() -> None:
    count = 20_000
    many = Dots([n / 1000 for n in range(count)], list(range(count)), list(range(1, count + 1)))
    assert len(draw(Curves(**{**vars(NOTHING), "sent": many}))) < 600_000


def test_matplotlib_is_left_as_it_was() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    draw(CURVES)
    assert dict(matplotlib.rcParams) == before


def test_without_matplotlib_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(NoPlots, match="pip install"):
        plots.draw(CURVES)
