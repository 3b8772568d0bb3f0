"""curl, as a client that somebody else wrote. Runs where the tester runs; it is the only file that starts it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.lab.interface import LabError, NotMeasured

#: The name that the pages are fetched from. It is resolved by nobody: `--connect-to` says where it is.
HOST = "server.example"
#: curl's exit status for a time that is over (curl(1)).
TIMED_OUT = 28
#: Seconds more than it was given, within which it has to end.
_GRACE = 10.0


@dataclass(frozen=True)
class Fetched:
    """What came of it."""

    status: int  #: curl's exit status
    bodies: list[bytes]  #: what it wrote for each path, as far as it came
    complaint: str  #: what it said on standard error


def fetch(port: int, paths: Sequence[str], *, within: float) -> Fetched:
    """Fetch some paths one after the other over one connection to a port of this machine's loopback.

    Raises NotMeasured if there is no curl here, LabError if it cannot be run.
    """
    program = shutil.which("curl")
    if program is None:
        raise NotMeasured("there is no curl on this machine (sudo apt-get install curl)")
    with tempfile.TemporaryDirectory(prefix="sl-curl-") as folder:
        files = [Path(folder, str(number)) for number in range(len(paths))]
        argv = [program, "--disable", "--silent", "--show-error", "--fail", "--http1.1", "--noproxy", "*"]
        argv += ["--max-time", f"{within:g}", "--connect-to", f"{HOST}:80:127.0.0.1:{port}"]
        for path, file in zip(paths, files, strict=True):
            argv += ["--output", str(file), f"http://{HOST}{path}"]
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": folder},
                timeout=within + _GRACE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Fetched(TIMED_OUT, [_read(file) for file in files], f"not done within {within:g} s")
        except OSError as error:
            raise LabError(f"curl cannot be started: {error.strerror}") from None
        complaint = done.stderr.decode("utf-8", "replace").strip()
        return Fetched(done.returncode, [_read(file) for file in files], complaint)


def _read(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""
