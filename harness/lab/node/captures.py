"""The captures of a star's wires: a tcpdump for each, which writes a file that the tester reads. Part of the warden."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

FOLDER = "/trusted/capture"
#: A capture ends at this size (bytes), so that a flood does not fill the disk; the largest test needs a tenth of it.
LIMIT = 256 * 1024 * 1024
#: One that is larger between two tests begins anew, so that what one test has sent is not missing in a later one.
LARGE = LIMIT // 4
#: From this size on it may have ended.
FLOODED = LIMIT - 65_536
#: Seconds a capture may take to begin.
_BEGUN_WITHIN = 2.0
#: Bytes of a pcap file's header, which is written when the wire is listened to.
_HEADER = 24

_OPTIONS = "-U --immediate-mode -n -s 0 -B 16384 -Z root --time-stamp-precision=nano"
_FILTER = "ip or (ip6 and not dst net ff02::/16)"


def carried() -> int:
    """Bytes on the fullest wire since its capture began; in the check before this one it began anew if it was LARGE."""
    with contextlib.suppress(OSError):
        return max((os.stat(entry).st_size for entry in os.scandir(FOLDER)), default=0)
    return 0


class Captures:
    """One process and one file for each wire; `inside` enters the network namespace in which they listen."""

    def __init__(self, inside: Callable[[], AbstractContextManager[None]]) -> None:
        self._inside = inside
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, wires: Mapping[str, int]) -> None:
        """Begin to capture wires: name -> number. They listen a moment later."""
        os.makedirs(FOLDER, mode=0o700, exist_ok=True)
        with self._inside():
            for name, number in wires.items():
                self._begin(name, number)

    def _begin(self, name: str, number: int) -> None:
        path = f"{FOLDER}/{name}.pcap"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self._running[name] = subprocess.Popen(
            ["tcpdump", "-i", f"w{number}", "-w", path, *_OPTIONS.split(), _FILTER],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=_limit_file_size,
        )

    def renew(self, wires: Mapping[str, int]) -> None:
        """Begin those anew that have become large, and wait until they listen."""
        large = {name: number for name, number in wires.items() if name in self._running and _size(name) > LARGE}
        for name in large:
            self._end(name)
        if large:
            self.start(large)
        deadline = time.monotonic() + _BEGUN_WITHIN
        while any(_size(name) < _HEADER for name in large) and time.monotonic() < deadline:
            time.sleep(0.005)

    def stop(self) -> None:
        """End them all."""
        for name in list(self._running):
            self._end(name)

    def _end(self, name: str) -> None:
        capture = self._running.pop(name)
        capture.kill()  # its file is complete after every packet
        capture.wait()


def _size(name: str) -> int:
    try:
        return os.stat(f"{FOLDER}/{name}.pcap").st_size
    except FileNotFoundError:
        return 0


def _limit_file_size() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))
