"""Ladders: signs beside colours, numbers that stay, time that goes down, nothing that steers whoever looks."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.link.model import Fate
from harness.link.trace import Direction, Event, Packet
from harness.pictures.ladder import Fold, Note, Rung, event_ladder, folded, ladder_lines, ladder_text, rungs_of
from harness.pictures.ladder_labels import INSET, LEFT, RIGHT
from harness.pictures.ladder_layout import STEP, lay_out
from harness.pictures.ladder_svg import ladder_svg

HOSTILE = "<script>alert(1)</script>\"'&\x1b[2J\r\n\x00\u202e\ud800]]>"
SVG = "{http://www.w3.org/2000/svg}"


def packet(number: int, fate: Fate = "delivered", why: str = "", *, sent: float = 0.0, way: str = "up") -> Packet:
    arrived = None if fate in ("lost", "overflowed") else sent + 0.02
    delivered = b"" if arrived is None else b"x" * 10
    return Packet(number, sent, arrived, way, b"x" * 100, delivered, fate, why)  # type: ignore[arg-type]


ONE_OF_EACH = [
    packet(1),
    packet(2, "lost", "drop"),
    packet(3, "overflowed", "limit"),
    packet(4, "corrupted"),
    packet(5, "truncated"),
    packet(6, "duplicated"),
    packet(6),
    packet(7, "reordered"),
    packet(8, sent=0.02, way="down"),
]


def body(text: str) -> list[str]:
    return text.splitlines()[1:]


# -- text --------------------------------------------------------------------------------------------------------


def test_each_packet_is_a_line_with_its_number_its_times_and_what_happened_to_it() -> None:
    lines = body(ladder_text(ONE_OF_EACH))
    assert [int(line.split()[0]) for line in lines] == [1, 2, 3, 4, 5, 6, 6, 7, 8]
    assert [line.rpartition("|")[2].strip() for line in lines] == [
        "",
        "lost (drop)",
        "lost (queue full)",
        "damaged",
        "cut to 10 bytes",
        "copy",
        "",
        "overtook",
        "",
    ]
    assert lines[0].split()[1:3] == ["0.0000", "0.0200"]
    assert lines[1].split()[1:3] == ["0.0000", "-"]


def test_every_fate_has_an_arrow_of_its_own() -> None:
    arrows = [line.split("|")[1] for line in body(ladder_text(ONE_OF_EACH, describe=lambda _: "DATA"))]
    plain, lost, _, damaged, _, copy, _, overtook, down = arrows
    assert re.fullmatch(r"-- DATA -+>", plain)
    assert re.fullmatch(r"-- DATA -+X +", lost)
    assert re.fullmatch(r"~~ DATA ~+>", damaged)
    assert re.fullmatch(r"== DATA =+>", copy)
    assert re.fullmatch(r"-- DATA -+>>", overtook)
    assert re.fullmatch(r"<-+ DATA --", down)
    assert len({len(arrow) for arrow in arrows}) == 1


def test_a_lost_packet_from_the_right_ends_before_the_left() -> None:
    (line,) = body(ladder_text([packet(1, "lost", way="down")], describe=lambda _: "DATA"))
    assert re.fullmatch(r" +X-+ DATA --", line.split("|")[1])


def test_the_ends_have_their_names() -> None:
    head = ladder_text([], names=("client", "server")).splitlines()[0]
    assert head.index("client") < head.index("server")


def test_a_long_label_is_cut_and_the_lanes_stay_where_they_are() -> None:
    lines = body(ladder_text([packet(1), packet(2, "lost")], describe=lambda _: "y" * 200))
    assert {[i for i, c in enumerate(line) if c == "|"][-1] for line in lines} == {lines[0].rindex("|")}
    assert "…" in lines[0]


def test_notes_stand_below_their_packet_once_even_if_it_was_copied() -> None:
    notes = {6: [Note("beyond the window", broken=True), Note("the same again")]}
    lines = body(ladder_text(ONE_OF_EACH, notes=notes))
    at = next(i for i, line in enumerate(lines) if "beyond" in line)
    assert lines[at].split() == ["!!", "beyond", "the", "window"]
    assert lines[at - 1].split()[0] == "6"
    assert lines[at + 1].strip() == "the same again"
    assert sum("beyond" in line for line in lines) == 1


def test_nothing_in_a_label_or_a_note_steers_the_terminal() -> None:
    text = ladder_text(
        [packet(1)], describe=lambda _: HOSTILE, notes={1: [Note(HOSTILE, True)]}, names=(HOSTILE, HOSTILE)
    )
    assert len(text.splitlines()) == 3
    assert all(line.isprintable() for line in text.splitlines())
    assert "\\x1b[2J" in text


def test_events_without_bytes_are_drawn_too() -> None:
    events = [Event(0.0, None, "down", "udp", 5, "lost", "drop"), Event(0.1, 0.2, "up", "syn", 0, "delivered")]
    lost, syn = body(event_ladder(events))
    assert "udp 5" in lost
    assert lost.endswith("lost (drop)")
    assert "syn 0" in syn
    assert syn.endswith(">|")


# -- folding -----------------------------------------------------------------------------------------------------


def many(count: int) -> list[Rung]:
    """Rungs 1 to count; 4,000 is where a rule is broken, 2,000 was lost."""
    packets = [packet(n, "lost" if n == 2000 else "delivered", sent=n / 100) for n in range(1, count + 1)]
    return rungs_of(packets, notes={4000: [Note("rule 3.4", broken=True)]})


def test_a_long_ladder_keeps_its_ends_its_losses_and_its_broken_rules_with_what_is_around() -> None:
    rows = folded(many(5000), 60)
    kept = {row.number for row in rows if isinstance(row, Rung)}
    assert {1, 2, 3, 1999, 2000, 2001, *range(3990, 4010), 4999, 5000} <= kept
    assert len(kept) <= 60 + 4 * 4


def test_what_is_left_out_is_counted_and_nothing_is_lost_or_doubled() -> None:
    rows = folded(many(5000), 60)
    expected = 1
    for row in rows:
        if isinstance(row, Fold):
            assert row.first == expected
            assert row.last == row.first + row.count - 1
            assert row.count > 4
            expected = row.last + 1
        else:
            assert row.number == expected
            expected += 1
    assert expected == 5001
    text = "\n".join(line.text for line in ladder_lines(rows))
    fold = next(row for row in rows if isinstance(row, Fold))
    assert f"({fold.count} left out: #{fold.first} to #{fold.last}" in text


def test_of_many_losses_the_first_are_shown_with_what_is_around_them() -> None:
    rungs = rungs_of([packet(n, "lost" if n % 10 == 5 else "delivered", sent=n / 100) for n in range(1, 2001)])
    rows = folded(rungs, 60)
    assert sum(isinstance(row, Fold) for row in rows) <= 6
    assert {5, 14, 15, 16, 2000} <= {row.number for row in rows if isinstance(row, Rung)}


def test_a_ladder_that_fits_is_not_folded() -> None:
    assert folded(many(60), 60) == many(60)
    assert any(isinstance(row, Fold) for row in folded(many(70), 60))


# -- places ------------------------------------------------------------------------------------------------------

TIMES = st.integers(0, 40).map(lambda n: n / 100)
RUNGS = st.builds(
    lambda number, sent, delay, way: Rung(number, sent, None if delay is None else sent + delay, way, "ACK", "", ""),
    st.integers(1, 99),
    TIMES,
    st.none() | st.sampled_from([0.0, 0.01, 0.02, 0.3, 5.0]),
    st.sampled_from(["up", "down"]),
)


@given(st.lists(RUNGS, max_size=25))
def test_what_is_later_is_lower_and_nothing_on_one_side_touches(rungs: list[Rung]) -> None:
    rungs.sort(key=lambda rung: rung.sent)
    layout = lay_out(rungs)
    places: list[tuple[float, float, str]] = []
    for place in layout.placed:
        rung = place.row
        assert isinstance(rung, Rung)
        sides = ("left", "right") if rung.direction == "up" else ("right", "left")
        places.append((rung.sent, place.y_sent, sides[0]))
        assert place.y_seen >= place.y_sent
        if rung.seen is not None:
            places.append((rung.seen, place.y_seen, sides[1]))
    for at, y, side in places:
        assert 0 <= y <= layout.height
        assert all(other_y >= y for other, other_y, _ in places if round(other * 1e6) > round(at * 1e6))
        heights = [other_y for _, other_y, other_side in places if other_side == side]
        assert all(other == y or abs(other - y) >= STEP - 1e-6 for other in heights)
        assert heights.count(y) == 1


def test_a_fold_stands_below_what_arrived_meanwhile_and_is_no_pause() -> None:
    rows = [*rungs_of([packet(1), packet(2)]), Fold(50, 3, 52, 0.01, 5.0), *rungs_of([packet(53, sent=5.01)])]
    layout = lay_out(rows)
    first, second, fold, last = layout.placed
    assert first.y_seen < second.y_seen < fold.y_sent < last.y_sent
    assert not layout.pauses


def test_time_in_which_a_packet_is_under_way_is_no_pause() -> None:
    slow = replace(packet(1), arrived=50.0)
    assert not lay_out(rungs_of([packet(2), packet(3), slow])).pauses


def test_labels_lie_along_parallel_arrows_and_level_where_arrows_cross() -> None:
    def tilted(packets: list[Packet], label: str) -> list[bool]:
        return [place.label.tilted for place in lay_out(rungs_of(packets, describe=lambda _: label)).placed]

    long = "ACK seq=1 ack=1 win=65536 len=1200"
    parallel = [packet(n, sent=n / 1000) for n in range(1, 6)]
    assert all(tilted(parallel, long))
    crossing = [replace(row, arrived=0.2 - row.sent) for row in parallel]
    assert tilted([*crossing, packet(9, sent=5.0)], long) == [False] * 5 + [True]
    assert all(tilted(crossing, "x")), "short labels do not reach the crossing"


@given(
    st.lists(
        st.tuples(st.sampled_from(["up", "down"]), st.integers(0, 40), st.integers(1, 60), st.integers(1, 90)),
        min_size=2,
        max_size=30,
    )
)
def test_no_label_lies_on_another(rows: list[tuple[Direction, int, int, int]]) -> None:
    """However packets cross: of any two labels, one is above the other wherever both have something."""
    packets = [
        replace(packet(n, way=way), sent=sent / 1000, arrived=(sent + delay) / 1000)
        for n, (way, sent, delay, _) in enumerate(rows, 1)
    ]
    lengths = {n: row[3] for n, row in enumerate(rows, 1)}
    placed = lay_out(rungs_of(packets, describe=lambda one: "m" * lengths[one.number])).placed
    lines = []
    for place in placed:
        assert isinstance(place.row, Rung) and place.label.text
        fall = (place.y_seen - place.y_sent) / (RIGHT - LEFT) if place.label.tilted else 0.0
        start, step = (LEFT + INSET, 1) if place.row.direction == "up" else (RIGHT - INSET, -1)
        # every fourth pixel of the text, as wide as the font that needs most room
        along = range(0, int(7.6 * len(place.label.text)), 4)
        lines.append({round((start + step * x) / 4): place.y_sent + fall * (x + INSET) for x in along})
    for one, other in combinations(lines, 2):
        gaps = [one[x] - other[x] for x in one.keys() & other.keys()]
        assert not gaps or min(gaps) > 12 or max(gaps) < -12


def test_a_label_is_cut_only_where_one_from_the_other_side_would_meet_it() -> None:
    long = "ACK seq=31201 ack=1 win=65536 len=1200 sack=32401-33601,34801-36001"
    up, down = [packet(n, sent=n / 1000) for n in range(1, 4)], [packet(4, way="down", sent=0.0015)]
    one_way = lay_out(rungs_of(up, describe=lambda _: long)).placed
    assert [place.label.text for place in one_way] == [long] * 3
    both = lay_out(rungs_of([*up, *down], describe=lambda _: long)).placed
    assert any(place.label.text.endswith("…") for place in both)
    assert long in ladder_svg([place.row for place in both]), "the tooltip has the whole of it"


def test_a_pause_is_shortened_and_told() -> None:
    layout = lay_out(rungs_of([packet(1), packet(2, sent=60.0)]))
    (pause,) = layout.pauses
    assert pause.seconds == pytest.approx(60 - 0.02)
    assert layout.height < 300
    assert "60.0 s pass" in ladder_svg(rungs_of([packet(1), packet(2, sent=60.0)]))


# -- picture -----------------------------------------------------------------------------------------------------


def words(svg: str) -> str:
    root = ElementTree.fromstring(svg)
    return "\n".join("".join(element.itertext()) for element in root.iter(f"{SVG}text"))


def test_the_picture_has_every_number_time_label_and_remark() -> None:
    svg = ladder_svg(rungs_of(ONE_OF_EACH, describe=lambda p: f"label {p.number}"), names=("client", "server"))
    said = words(svg)
    for text in ("client", "server", "#7", "label 8", "0.0200", "lost (drop)", "damaged", "cut to 10 bytes", "copy"):
        assert text in said
    assert 'width="1200"' in svg


@pytest.mark.parametrize(
    ("fate", "path"), [("lost", "M-6 -6L6 6"), ("corrupted", "M2 -11"), ("reordered", "M-7 -6L-1 0")]
)
def test_a_mark_is_a_sign_and_not_only_a_colour(fate: Fate, path: str) -> None:
    def signs(rungs: list[Rung]) -> int:
        root = ElementTree.fromstring(ladder_svg(rungs))
        return sum(str(element.get("d", "")).startswith(path) for element in root.iter(f"{SVG}path"))

    assert signs(rungs_of([packet(1)])) == 1  # the legend's
    assert signs(rungs_of([packet(1, fate)])) == 2


def test_a_lost_packet_stops_on_its_way() -> None:
    def ends(fate: Fate) -> set[str]:
        root = ElementTree.fromstring(ladder_svg(rungs_of([packet(1, fate)])))
        return {str(line.get("x2")) for line in root.iter(f"{SVG}line")}

    assert "812.0" in ends("delivered")
    stopped = {float(x) for x in ends("lost")} - {float(x) for x in ends("delivered")}
    assert any(132 < x < 780 for x in stopped)


def test_notes_stand_beside_their_packet_and_do_not_overlap() -> None:
    notes = {n: [Note(f"note {n} " + "word " * 30, broken=n == 4)] for n in range(1, 8)}
    svg = ladder_svg(rungs_of(ONE_OF_EACH, notes=notes))
    root = ElementTree.fromstring(svg)
    boxes = sorted(
        (float(r.get("y", "0")), float(r.get("height", "0"))) for r in root.iter(f"{SVG}rect") if r.get("rx") == "4"
    )
    assert len(boxes) == 7
    assert all(top + height <= other for (top, height), (other, _) in pairwise(boxes))
    assert float(root.get("height", "0")) >= boxes[-1][0] + boxes[-1][1]
    assert "note 7" in words(svg)


def test_no_label_becomes_markup() -> None:
    rungs = rungs_of(ONE_OF_EACH, describe=lambda _: HOSTILE, notes={1: [Note(HOSTILE)]})
    svg = ladder_svg(rungs, names=(HOSTILE, HOSTILE), title=HOSTILE, remark=HOSTILE)
    root = ElementTree.fromstring(svg.encode("utf-8"))
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {
        "svg",
        "style",
        "g",
        "rect",
        "line",
        "polygon",
        "polyline",
        "path",
        "text",
        "tspan",
        "title",
        "circle",
    }
    names = {name for element in root.iter() for name in element.attrib}
    assert not {name for name in names if name.startswith("on") or "href" in name}
    assert "<script>alert(1)" in words(svg)  # as text


def test_a_long_title_is_cut() -> None:
    said = words(ladder_svg([], title="t" * 400, remark="r" * 400))
    assert "t" * 149 + "…" in said
    assert "r" * 191 not in said


def test_a_fold_is_drawn_with_its_sentence() -> None:
    rows = folded(many(300), 20)
    fold = next(row for row in rows if isinstance(row, Fold))
    assert fold.sentence in words(ladder_svg(rows))


def test_an_empty_ladder_is_a_picture_too() -> None:
    assert "Packets between the two ends" in words(ladder_svg([]))


def test_a_note_that_several_packets_have_stands_once_with_their_numbers() -> None:
    same, own = Note("the window was not kept", broken=True), Note("the first after a pause")
    notes = dict.fromkeys(range(1, 7), (same,)) | {7: (own,)}
    svg = ElementTree.fromstring(ladder_svg(rungs_of([packet(n, sent=0.01 * n) for n in range(1, 8)], notes=notes)))
    words = " ".join("".join(text.itertext()) for text in svg.iter(f"{SVG}text"))
    assert words.count("the window was not kept") == 1
    assert "#1, #2, #3, #4 and 2 more" in words
    assert "#7  the first after a pause" in words
    assert words.count("!") == 6, "each of them is marked"


def test_every_colour_has_one_for_the_dark() -> None:
    rungs = rungs_of(ONE_OF_EACH, notes={1: (Note("a", broken=True),), 2: (Note("b"),)})
    text = ladder_svg([*rungs, Fold(4, 9, 12, 0.3, 0.4)])
    style, _, drawing = text.partition("</style>")
    dark = style.partition("@media(prefers-color-scheme:dark)")[2]
    used = set(re.findall(r'(?:fill|stroke)="(#[0-9a-f]{6})"', drawing)) - {"#ffd45e"}  # the bolt stays yellow
    assert used == {colour for colour in used if f'[fill="{colour}"]' in dark}
    assert not re.search(r'style="[^"]*(fill|stroke):', drawing), "a colour that no style sheet can replace"


def test_a_picture_is_never_wider_than_the_screen() -> None:
    text = ladder_svg(rungs_of(ONE_OF_EACH))
    assert "svg{max-width:100%;height:auto}" in text
    assert ElementTree.fromstring(text).get("viewBox", "").startswith("0 0 1200 ")
