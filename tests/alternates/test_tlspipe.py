"""Solutions of the tlspipe assignment that keep every rule of the handout in other ways get every point they claim."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from grader.bench.local import LocalBench
from harness.course.assignment import load_assignment
from harness.course.forbidden import find_forbidden
from harness.course.programs import load_programs
from tests.alternates import CLASS, lay
from tests.grading import ROOT, grade

RUBRIC = load_assignment(ROOT / "reference/tlspipe/assignment.toml")
HERE = Path(__file__).parent / "tlspipe"
ADA = CLASS / "ada/tlspipe"
#: The command line and the files, for those who bring none of their own.
WORDS = (ADA / "options.py",)

#: What stunnel does otherwise, by check; without [...], all of its variants.
NOT_STUNNELS = {
    "test_1_encrypted.py::test_byte_by_byte": "gives up a record that comes in more than 100 pieces",
    "test_2_identity.py::test_wildcards": "lets * stand for a part of a label",
    "test_2_identity.py::test_common_names": "takes a Common Name where there is no subjectAltName",
    "test_2_identity.py::test_in_each_version": "the same Common Name, once more",
    "test_3_endings.py::test_a_cut": "passes a bare FIN on as an end",
    "test_3_endings.py::test_cuts": "passes a bare FIN on as an end",
    "test_3_endings.py::test_a_cut_after_the_other_end": "passes a bare FIN on as an end",
    "test_3_once.py::test_two_pipes_and_a_cut_between": "passes a bare FIN on as an end",
    "test_3_endings.py::test_a_reset": "says close_notify when the plain side is reset",
    "test_3_endings.py::test_resets": "says close_notify when the plain side is reset",
    "test_3_under_way.py::test_once_behind_much": "forgets what it still holds when both sides have ended",
    "test_3_under_way.py::test_both_end_behind_much": "forgets what it still holds when both sides have ended",
    "test_3_under_way.py::test_broken_off_behind_much": "says close_notify when the plain side is reset",
    "test_3_once.py::test_once": "cannot be told to take one connection; its wrapper ends it with the first",
    "test_4_one_thread.py::test_100_connections": "a thread for each, and the node allows 64",
    "test_4_one_thread.py::test_500_connections": "a thread for each, and the node allows 64",
    "test_4_one_thread.py::test_greedy_ones_among_many": "a thread for each, and the node allows 64",
    "test_4_one_thread.py::test_all_come_at_once": "a thread for each, and the node allows 64",
    "test_4_one_thread.py::test_many_silent_ones_end": "a thread for each, and the node allows 64",
    "test_4_one_thread.py::test_records_of_all_sizes": "gives up a record that comes in more than 100 pieces",
    "test_4_one_thread.py::test_records_as_they_come": "gives up a record that comes in more than 100 pieces",
    "test_4_one_thread.py::test_a_slow_handshake_is_none": "each byte gives the handshake its whole time anew",
    "test_4_company.py::test_twelve_that_trickle": "each byte gives the handshake its whole time anew",
    "test_4_one_thread.py::test_descriptors_come_back": "goes on in the other direction after a bare FIN",
    "test_5_mutual.py::test_protocols": "knows no ALPN",
    "test_5_mutual.py::test_protocols_of_clients": "knows no ALPN",
    "test_5_mutual.py::test_protocols_of_servers": "knows no ALPN",
    "test_5_mutual.py::test_a_client_that_comes_again": "knows no ALPN",
    "test_5_mutual.py::test_a_server_that_is_met_again": "knows no ALPN",
    "test_6_renewal.py::test_what_was_asked_for_still_is": "knows no ALPN",
    "test_5_mutual.py::test_bad_clients[name]": "takes a wildcard or a Common Name of a client for its name",
    "test_6_attack.py::test_a_record_cut_in_two": "passes a bare FIN on as an end",
    "test_6_attack.py::test_floods": "runs beside its wrapper, and one process is asked for",
    "test_6_attack.py::test_handshakes_without_an_end": "a thread for each, and the node allows 64",
    "test_6_renewal.py::test_a_server_renews_its_certificate": "takes a key that others may read, after SIGHUP",
    "test_6_renewal.py::test_roots_are_renewed": "listens anew after SIGHUP and drops who has just come",
}
#: What socat does otherwise. It checks names when the handshake is over, and ends everything alike.
NOT_SOCATS = {
    "test_3_endings.py::test_a_cut": "passes a bare FIN on as an end",
    "test_3_endings.py::test_cuts": "passes a bare FIN on as an end",
    "test_3_endings.py::test_a_cut_after_the_other_end": "passes a bare FIN on as an end",
    "test_3_once.py::test_two_pipes_and_a_cut_between": "passes a bare FIN on as an end",
    "test_3_endings.py::test_ends_in_the_handshake": "ends the plain side without a reset, whatever went wrong",
    "test_3_endings.py::test_a_reset": "passes a reset on as an end",
    "test_3_endings.py::test_resets": "passes a reset on as an end",
    "test_3_under_way.py::test_broken_off_behind_much": "passes a reset on as an end",
    "test_3_endings.py::test_broken": "passes a broken record on as an end",
    "test_3_endings.py::test_refusals": "says close_notify to a server whose name is wrong",
    "test_3_endings.py::test_refused_by_the_peer": "ends the plain side without a reset, whatever went wrong",
    "test_3_endings.py::test_nobody_there": "ends without a reset where nobody answers",
    "test_3_endings.py::test_nobody_answers": "ends without a reset where nobody answers",
    "test_3_once.py::test_once_and_what_went_wrong": "has no time limit for a handshake",
}
#: What an SSLSocket cannot help.
NOT_SSLSOCKETS = {
    "test_6_attack.py::test_answers_that_nobody_reads": "one SSL_read answers all that comes, whoever waits meanwhile"
}


@dataclass(frozen=True)
class Solution:
    """Folders and files laid one over the other, and what it claims."""

    layers: tuple[Path, ...]
    stages: tuple[int, ...]
    needs: str = ""  #: a program that has to be installed
    without: Mapping[str, str] = field(default_factory=dict)  #: check -> why it is not claimed

    @property
    def claimed(self) -> list[str]:
        """The checks that have to pass."""
        return [
            check.id
            for check in RUBRIC.checks
            if check.stage in self.stages and not {check.id, check.id.partition("[")[0]} & set(self.without)
        ]


SOLUTIONS = {
    # Two threads for each connection, one lock around each SSLSocket.
    "threads": Solution((*WORDS, ADA / "swap.py", HERE / "threads"), (1, 2, 3, 5)),
    # Protocols and transports, TLS by MemoryBIO between them; X509_STRICT.
    "asyncio": Solution((CLASS / "dora/tlspipe",), (1, 2, 3, 5)),
    # One thread, poll(), SSLSockets that never block; another socket under them for the moment of a close_notify.
    "SSLSocket": Solution((ADA,), (1, 2, 3, 4, 5, 6), without=NOT_SSLSOCKETS),
    # Programs that nobody here wrote. Those of stage 4 and 6 may not start any; what they do is right all the same.
    "stunnel": Solution((*WORDS, HERE / "stunnel"), (1, 2, 3, 4, 5, 6), "stunnel", NOT_STUNNELS),
    "socat": Solution((*WORDS, HERE / "socat"), (1, 3), "socat", NOT_SOCATS),
}


@pytest.mark.parametrize("name", [name for name, solution in SOLUTIONS.items() if not solution.needs])
def test_nothing_forbidden_is_used(name: str, tmp_path: Path) -> None:
    lay(tmp_path, *SOLUTIONS[name].layers)
    for number in SOLUTIONS[name].stages:
        assert number not in find_forbidden(RUBRIC.rules(load_programs(RUBRIC.programs, tmp_path)), tmp_path)


@pytest.mark.parametrize("name", SOLUTIONS)
def test_what_is_not_claimed_exists(name: str) -> None:
    solution = SOLUTIONS[name]
    ids = {check.id for check in RUBRIC.checks if check.stage in solution.stages}
    assert set(solution.without) <= ids | {check.partition("[")[0] for check in ids}


@pytest.mark.audit
@pytest.mark.parametrize("name", SOLUTIONS)
def test_an_honest_solution_gets_what_it_claims(name: str, tmp_path: Path) -> None:
    solution = SOLUTIONS[name]
    if solution.needs and shutil.which(solution.needs) is None:
        pytest.skip(f"{solution.needs} is not installed here: apt-get install {solution.needs}")
    lay(tmp_path, *solution.layers)
    bench = LocalBench(ROOT)
    try:
        graded = grade(bench, tmp_path, "tlspipe", only=solution.claimed)
    finally:
        bench.close()
    assert sorted(graded.wanted) == sorted(solution.claimed)
    assert graded.lost == {}
