"""Who is ready? The kernel's answer, by the shortest way to it.

You get this file unchanged. A poller has four words: `register(descriptor, events)`, `modify(descriptor, events)`,
`unregister(descriptor)`, and `poll(seconds)`, which waits and answers (descriptor, events) for each that is ready.

On Linux that is epoll itself. `selectors.DefaultSelector` is epoll there, too, but makes a key and a pair of each
event: in a server that echoes a hundred thousand times a second that is one part in thirty.
"""

from __future__ import annotations

import select
import selectors

if hasattr(select, "epoll"):
    READ, WRITE = select.EPOLLIN, select.EPOLLOUT
    #: A hang-up or an error comes with whichever of READ and WRITE is watched (the kernel's tcp_poll).
    Poller = select.epoll
else:
    READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

    class Poller:  # type: ignore[no-redef]
        """The best that there is elsewhere: kqueue on macOS, select on Windows."""

        def __init__(self) -> None:
            self._selector = selectors.DefaultSelector()
            self.register = self._selector.register
            self.modify = self._selector.modify
            self.unregister = self._selector.unregister

        def poll(self, seconds: float) -> list[tuple[int, int]]:
            """Wait at most so long."""
            return [(key.fd, events) for key, events in self._selector.select(seconds)]
