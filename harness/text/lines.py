"""Lines out of a stream of bytes, with a bound on what is kept of one. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Lines:
    """Bytes -> lines. A line that is too long comes out as None, once, and its rest is dropped."""

    most: int  #: bytes of a line
    _open: bytearray = field(default_factory=bytearray)
    _dropping: bool = False

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """The lines that are complete with these bytes, without their line feeds; blank ones are left out."""
        *complete, rest = data.split(b"\n")
        for part in complete:
            if not self._dropping:
                self._open += part
                if len(self._open) > self.most:
                    yield None
                elif self._open.strip():
                    yield bytes(self._open)
            self._open.clear()
            self._dropping = False
        if not self._dropping:
            self._open += rest
            if len(self._open) > self.most:
                self._open.clear()
                self._dropping = True
                yield None
