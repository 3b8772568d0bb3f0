"""A tester, a link and a student as network namespaces, wired as in the Docker lab. Needs root."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import select
import socket
import subprocess
import sys
from pathlib import Path

from harness.lab import doctor
from harness.link.profile import Profile

ROOT = Path(__file__).parents[3]
ADDRESSES = {4: ("10.77.1.2", "10.77.2.2"), 6: ("fd77:1::2", "fd77:2::2")}
OWN = {4: ("10.77.1.1", "10.77.2.1"), 6: ("fd77:1::1", "fd77:2::1")}


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def missing() -> str | None:
    """Why this machine cannot make a star with a router in it; None if it can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "network namespaces take Linux and root"
    found = doctor.look("tun")
    if not found.there:
        return f"the router takes TUN: {found.what}. {found.remedy}"
    try:
        ip("netns", "list")
    except (OSError, subprocess.CalledProcessError) as error:
        return f"network namespaces take iproute2: {error}"
    return None


_numbers = itertools.count()


class Star:
    """A tester, a link and a student, each a network namespace; the router runs in the link's.

    Without a folder (for the router's control socket) the kernel forwards, and nothing is done to packets.
    """

    def __init__(self, folder: Path | None, *program: str) -> None:
        number = next(_numbers)
        self.names = {each: f"slt{os.getpid()}-{number}{each}" for each in "TLS"}
        self._libc = ctypes.CDLL(None, use_errno=True)
        for name in self.names.values():
            ip("netns", "add", name)
        settings = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        ip("netns", "exec", self.names["L"], "sysctl", "-qw", *settings)
        self.router: subprocess.Popen[bytes] | None = None
        if folder is not None:
            self.start_router(folder, *(program or ("harness.lab.router.tun",)))
        self.wire("1", "T")
        self.wire("2", "S")  # after the router started, as a new student's is

    def start_router(self, folder: Path, module: str, *words: str) -> None:
        self.control = folder / "router.sock"
        router = [sys.executable, "-B", "-m", module, "--control", str(self.control), *words]
        self.router = subprocess.Popen(
            ["ip", "netns", "exec", self.names["L"], *router], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert self.router.stdout is not None
        assert select.select([self.router.stdout], [], [], 10)[0]
        assert self.router.stdout.readline() == b"ready\n"

    def wire(self, number: str, end: str) -> None:
        link, name = self.names["L"], self.names[end]
        ip("-n", link, "link", "add", f"w{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
        for namespace, device, host in ((link, f"w{number}", 1), (name, "eth0", 2)):
            ip("-n", namespace, "link", "set", device, "addrgenmode", "none", "address", f"02:77:0:0:0:{host}")
            ip("-n", namespace, "addr", "add", f"10.77.{number}.{host}/24", "dev", device)
            ip("-n", namespace, "addr", "add", f"fd77:{number}::{host}/64", "dev", device, "nodad")
            ip("-n", namespace, "link", "set", device, "up")
            # Static neighbours: otherwise the first packets wait for neighbour discovery.
            for other in (f"10.77.{number}.{3 - host}", f"fd77:{number}::{3 - host}"):
                ip("-n", namespace, "neigh", "add", other, "lladdr", f"02:77:0:0:0:{3 - host}", "dev", device)
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "route", "add", "default", "via", f"10.77.{number}.1")
        ip("-n", name, "-6", "route", "add", "default", "via", f"fd77:{number}::1")

    def socket(self, end: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket of one of the ends."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.names[end]}", os.O_RDONLY)
        try:
            assert self._libc.setns(there, 0) == 0
            sock = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, kind, protocol)
        finally:
            assert self._libc.setns(home, 0) == 0
            os.close(home)
            os.close(there)
        sock.settimeout(5)
        return sock

    def bound(self, family: int, kind: int) -> tuple[socket.socket, socket.socket]:
        """(tester's, student's) socket, each bound to its address."""
        both = []
        for end, host in zip("TS", ADDRESSES[family], strict=True):
            sock = self.socket(end, family, kind)
            sock.bind((host, 0))
            both.append(sock)
        return both[0], both[1]

    def ask(self, **request: object) -> dict:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(str(self.control))
            sock.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(sock.makefile().readline())

    def shape(self, up: Profile | None = None, down: Profile | None = None, seed: int = 1) -> None:
        profiles = {"up": (up or Profile()).as_dict(), "down": (down or Profile()).as_dict()}
        assert self.ask(op="shape", seed=seed, **profiles) == {"ok": True}

    def close(self) -> None:
        try:
            if self.router is not None:
                with contextlib.suppress(OSError):
                    self.ask(op="quit")
                assert self.router.wait(5) == 0
        finally:
            if self.router is not None:
                self.router.kill()
            for name in self.names.values():
                subprocess.run(["ip", "netns", "del", name], check=False)
