"""What a star tells its tester of the nodes: made by the star, used by harness/lab/docker/lab.py in the tester node."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DockerLab:
    """Where the tester node finds what the lab is made of. All are paths of files in that node."""

    agents: tuple[str, ...]  #: sockets: of the student's node, and of the second one if there is one
    warden: str  #: socket
    router: str  #: socket
    captures: tuple[str, ...]  #: pcap files that grow: of the tester's wire, of the student's, of the second one's
    engine: str  #: what impairs the link: "router", "netem" or "auto"
