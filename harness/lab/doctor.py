"""What this machine can do for the labs, found by trying; for each missing thing the command that installs it."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import cause_of


@dataclass(frozen=True)
class Capability:
    """One capability that was looked for."""

    name: str
    there: bool
    what: str  #: what was found, or why it does not work
    remedy: str = ""  #: the command that installs it; empty if it is there
    good_for: str = ""  #: what it is needed for


def _docker() -> Capability:
    good_for = "grading submissions you do not trust"
    try:
        from harness.lab.docker.absence import named
        from harness.lab.docker.containers import find_engine
    except ImportError as error:
        return Capability(
            "docker", False, f"the Python package {error.name} is missing", "pip install docker", good_for
        )
    engine = find_engine()
    if engine.usable:
        return Capability("docker", True, f"engine {engine.version}, cgroup v{engine.cgroup}", "", good_for)
    if engine.forbidden:
        remedy = "sudo usermod -aG docker $USER   (then log in again)"
    elif remedy := named():
        pass
    elif shutil.which("dockerd"):
        remedy = "sudo systemctl start docker   (or by hand: sudo dockerd &)"
    elif sys.platform == "linux":
        remedy = "sudo apt-get install docker.io"
    else:
        remedy = "install Docker Desktop and start it"
    return Capability("docker", False, engine.obstacle, remedy, good_for)


def _tun() -> Capability:
    good_for = "the router engine outside Docker, and our own tests of it"
    if sys.platform != "linux":
        return Capability("tun", False, "only Linux has TUN", "use a Linux machine", good_for)
    if not Path("/dev/net/tun").exists():
        return Capability("tun", False, "/dev/net/tun does not exist", "sudo modprobe tun", good_for)
    if os.geteuid() != 0:
        return Capability("tun", False, "only root may make a TUN device", "sudo lab doctor", good_for)
    if shutil.which("ip") is None:
        return Capability("tun", False, "the program ip is missing", "sudo apt-get install iproute2", good_for)
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        remedy = "sudo modprobe tun"
        return Capability("tun", False, f"/dev/net/tun cannot be opened ({error.strerror})", remedy, good_for)
    return Capability("tun", True, "/dev/net/tun opens", "", good_for)


def _netem() -> Capability:
    good_for = "the engine netem: the kernel's own impairments"
    if sys.platform != "linux":
        return Capability("netem", False, "only Linux has netem", "use a Linux machine", good_for)
    tools = [tool for tool in ("ip", "tc", "unshare") if shutil.which(tool) is None]
    if tools:
        remedy = "sudo apt-get install iproute2 util-linux"
        return Capability("netem", False, f"{' and '.join(tools)} missing", remedy, good_for)
    # Tried in a network namespace of its own, which goes away with the process.
    script = "ip link set lo up && tc qdisc add dev lo root netem delay 1ms"
    wrap = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    try:
        done = subprocess.run([*wrap, "sh", "-c", script], capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        why = cause_of(error) if isinstance(error, OSError) else "no answer within 20 s"
        return Capability("netem", False, f"it cannot be tried ({why})", "try again: lab doctor", good_for)
    if done.returncode == 0:
        return Capability("netem", True, "this kernel has sch_netem", "", good_for)
    reason = (done.stderr.strip().splitlines() or ["no reason given"])[0]
    release = os.uname().release
    remedy = f"sudo modprobe sch_netem   (it may need: sudo apt-get install linux-modules-extra-{release})"
    if not Path(f"/lib/modules/{release}").exists():
        remedy = "boot a kernel that has sch_netem; until then the engine router does the same work"
    return Capability("netem", False, f"the kernel refuses it ({reason})", remedy, good_for)


def _user_namespaces() -> Capability:
    good_for = "trying netem without root"
    if sys.platform != "linux":
        return Capability("user namespaces", False, "only Linux has them", "use a Linux machine", good_for)
    child = os.fork()
    if child == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        os._exit(0 if libc.unshare(0x10000000) == 0 else ctypes.get_errno())  # CLONE_NEWUSER
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == 0:
        return Capability("user namespaces", True, "an ordinary process may make one", "", good_for)
    reason = errno.errorcode.get(status, str(status))
    return Capability(
        "user namespaces", False, f"refused ({reason})", "sudo sysctl kernel.unprivileged_userns_clone=1", good_for
    )


def _tshark() -> Capability:
    good_for = "reading captures in a terminal with the dissector, and our own tests of both"
    if shutil.which("tshark") is None:
        remedy = "sudo apt-get install tshark" if sys.platform == "linux" else "install Wireshark, which brings it"
        return Capability("tshark", False, "the program tshark is missing", remedy, good_for)
    try:
        done = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        why = cause_of(error) if isinstance(error, OSError) else "no answer within 20 s"
        return Capability("tshark", False, f"it cannot be started ({why})", "try again: lab doctor", good_for)
    if done.returncode != 0 or "Lua" not in done.stdout or "without Lua" in done.stdout:
        return Capability("tshark", False, "it was built without Lua", "install Wireshark's own build", good_for)
    version = " ".join(done.stdout.split()[:3])
    return Capability("tshark", True, version, "", good_for)


def _peers() -> Capability:
    good_for = "our own tests of TLS with other people's programs"
    # Their names, and those of the packages. Debian's stunnel4 is a program as well.
    programs = {"openssl": "openssl", "stunnel": "stunnel4", "socat": "socat", "curl": "curl"}
    missing = [name for name in programs if not (shutil.which(name) or shutil.which(programs[name]))]
    if missing:
        plural = "programs are" if len(missing) > 1 else "program is"
        what = f"the {plural} missing: {', '.join(missing)}"
        remedy = "sudo apt-get install " + " ".join(programs[name] for name in missing)
        return Capability("peers", False, what, remedy, good_for)
    return Capability("peers", True, "openssl, stunnel, socat, curl", "", good_for)


_LOOKS: dict[str, Callable[[], Capability]] = {
    "docker": _docker,
    "tun": _tun,
    "netem": _netem,
    "tshark": _tshark,
    "peers": _peers,
    "user namespaces": _user_namespaces,
}
_seen: dict[str, Capability] = {}


def look(name: str) -> Capability:
    """Look for one capability, once per process. Raises KeyError for an unknown name."""
    if name not in _seen:
        _seen[name] = _LOOKS[name]()
    return _seen[name]


def examine() -> list[Capability]:
    """All capabilities, Python itself first."""
    version = ".".join(map(str, sys.version_info[:3]))
    python = Capability("python", True, f"{version} on {sys.platform}", "", "everything")
    return [python, *(look(name) for name in _LOOKS)]
