"""One recording, many pictures: the same numbers everywhere, and the documentation's sample as it is drawn today."""

from __future__ import annotations

import re

from harness.pictures.ladder import Note
from harness.transport.pictures.pictures import Recording, curves_of
from tests.harness.pictures.test_capture import frames
from tests.harness.transport import sample

FOUND = {5: [Note("rule 3.4 (MUST): beyond the window", broken=True)]}


def broken() -> Recording:
    return Recording(packets=sample.packets(), wire=sample.WIRE, title="A title", remark="seed 7", findings=FOUND)


def test_the_sample_in_the_documentation_is_what_is_drawn() -> None:
    drawn = sample.recording().ladder_svg()
    assert sample.PICTURE.read_text(encoding="utf-8") == drawn, "run: python -m tests.harness.transport.sample"


def test_the_sample_tells_what_fast_retransmit_is() -> None:
    text = sample.recording().ladder_text()
    lost = re.search(r"^ +(\d+) .*X.*lost \(drop\)$", text, re.MULTILINE)
    assert lost is not None
    for count in (1, 2, 3):
        assert f"duplicate ACK {count} of 1201" in text
    assert f"repeats #{lost[1]} after 0.043 s and 3 duplicate ACKs" in text


def test_a_broken_rule_has_the_same_number_in_text_picture_and_capture() -> None:
    recording = broken()
    lines = recording.ladder_text().splitlines()
    at = next(i for i, line in enumerate(lines) if "rule 3.4" in line)
    assert lines[at - 1].split()[0] == "5"
    assert "#5 rule 3.4" in re.sub(r"\s+", " ", recording.ladder_svg())
    comments = [comment for *_, comment in frames(recording.pcapng())]
    assert [comment for comment in comments if "rule 3.4" in comment] == ["#5 sent; rule 3.4 (MUST): beyond the window"]


def test_remarks_stay_out_of_the_capture_but_not_out_of_the_ladder() -> None:
    recording = broken()
    assert "duplicate ACK" in recording.ladder_text()
    assert not [comment for *_, comment in frames(recording.pcapng()) if "duplicate" in comment]


def test_the_curves_are_those_of_the_flow() -> None:
    flow = sample.recording().reading.flows["up"]
    curves = curves_of(flow, "client to server")
    assert len(curves.sent.at) + len(curves.again.at) == len(flow.sent) == 9  # SYN, six, one again, FIN
    assert (list(curves.again.first), list(curves.lost.first)) == ([1201], [1201])
    assert max(count for _, count in curves.flight) == 7200


def test_the_plot_is_of_the_direction_that_carried_more() -> None:
    assert b"client to server; seed 7" in broken().plot()


def test_the_summary_counts() -> None:
    both, up, down = broken().summary()
    assert both == "18 packets in 0.184 s, 1 of them lost by the link"
    assert up.startswith("client to server: 7,200 bytes acknowledged, 7 segments with data, 1 sent again, 1 lost")
    assert up.endswith("round trip 40.0 ms (median of 3)")
    assert down.startswith("server to client: 0 bytes acknowledged, 0 segments with data")
