"""A concept's page: the demonstration is loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from harness.errors import SetupError, cause_of
from harness.show.index import Concept
from harness.show.telling import WIDTH, Page, Sink, tell


def page_of(concept: Concept) -> Page:
    """Its page."""
    found = getattr(import_module(f"harness.show.{concept.room}"), concept.name.replace("-", "_"))
    assert isinstance(found, Page)
    return found


def show(concept: Concept, sink: Sink, *, width: int = WIDTH) -> dict[str, Any]:
    """Tell the page, demonstration and all; returns what was seen as plain values.

    Raises SetupError if this machine did not let the demonstration run.
    """
    try:
        return tell(concept.title, page_of(concept), sink, width=width)
    except OSError as error:
        raise SetupError(
            f"the demonstration of {concept.name} stopped here, through no fault of yours: {cause_of(error)}. Try "
            "again; it needs sockets on 127.0.0.1 and a few seconds of a machine that is not overloaded."
        ) from None
