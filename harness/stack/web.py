"""A real web server, Python's own, on a listening socket that may be in a student's node. It is the tester's."""

from __future__ import annotations

import functools
import http.server
import socket
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class Web:
    """Serves files. `told` hears a line for each request, in the threads that serve."""

    def __init__(self, listening: socket.socket, pages: Mapping[str, bytes], told: Callable[[str], None]) -> None:
        """`pages`: path, such as "/index.html" -> content."""
        self._folder = tempfile.TemporaryDirectory(prefix="sl-web-")
        for path, content in pages.items():
            file = Path(self._folder.name, path.lstrip("/"))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        handler = functools.partial(_Handler, told=told, directory=self._folder.name)
        self._server = _Server(listening.getsockname()[:2], handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listening
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True, name="web")
        self._thread.start()

    def dismiss(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._folder.cleanup()


class _Server(http.server.ThreadingHTTPServer):
    """A connection that breaks is nothing to print a traceback about: who reset it knows."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Called by socketserver for what a handler raises."""


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Keeps connections open, as HTTP/1.1 does."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: Any, told: Callable[[str], None], **options: Any) -> None:
        self._told = told
        super().__init__(*arguments, **options)

    def log_message(self, format: str, *arguments: Any) -> None:
        """One line for each request."""
        self._told(f"the web server: {format % arguments}")
