"""The ring of bytes that wait for their acknowledgement."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reference.transport.pairs import module

send_buffer = module("send_buffer")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.binary(max_size=20), st.integers(0, 20)), max_size=40), st.booleans())
def test_what_was_written_stands_at_its_position_until_released(
    monkeypatch: pytest.MonkeyPatch, steps: list[tuple[bytes, int]], finished: bool
) -> None:
    monkeypatch.setattr(send_buffer, "CAPACITY", 16)
    buffer, stream, released = send_buffer.SendBuffer(), b"", 0
    buffer.finished = finished
    for data, release in steps:
        accepted = buffer.write(data)
        assert accepted == min(len(data), 16 - (len(stream) - released))
        stream += data[:accepted]
        end = len(stream) + 1
        assert (buffer.data_end, buffer.end) == (end, end + finished)
        for start in range(released + 1, end):
            assert buffer.payload(start, end) == stream[start - 1 :]
        released = min(released + release, len(stream))
        buffer.release(released + 1)
    assert buffer.payload(0, 1) == b""
    assert buffer.payload(len(stream) + 1, len(stream) + 2) == b""
