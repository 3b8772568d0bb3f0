"""Stubs: what is taken out, what is put in its place, and which markers are refused."""

from __future__ import annotations

import ast

import pytest

from grader.release.markers import answers, is_given, stub
from harness.errors import SetupError

REFERENCE = '''\
"""A client."""

import socket

### BEGIN SOLUTION
SECRET = 1
### END SOLUTION


def read_all(sock: socket.socket) -> bytes:
    """Read to the end."""
    ### BEGIN SOLUTION read until recv returns b""
    data = b""
    while chunk := sock.recv(4096):
        data += chunk
    return data
    ### END SOLUTION


class Framing:
    """Frames."""

    ### BEGIN SOLUTION
    limit = 65536
    ### END SOLUTION

    def feed(
        self,
        data: bytes,
    ) -> None:
        if data:
            ### BEGIN SOLUTION
            self.secret = data
            ### END SOLUTION
            pass


if __name__ == "__main__":
    read_all(socket.socket())
'''


def test_a_stub_says_what_is_to_be_done_and_nothing_of_the_answer() -> None:
    made = stub(REFERENCE, "client.py", where="stage 1")
    for secret in ("SECRET", "chunk", "65536", "self.secret", "BEGIN", "END SOLUTION"):
        assert secret not in made
    assert "    raise NotImplementedError('stage 1: read until recv returns b\"\"')" in made
    assert '            raise NotImplementedError("stage 1: feed is yours to write")' in made
    assert "# Stage 1: your code here.\n" in made
    assert "    # Stage 1: your code here.\n    pass\n" in made
    assert '"""Read to the end."""' in made


def test_a_stub_imports_and_fails_where_it_is_called() -> None:
    space: dict[str, object] = {"__name__": "client"}
    exec(stub(REFERENCE, "client.py"), space)
    with pytest.raises(NotImplementedError, match="read until recv returns"):
        space["read_all"](None)  # type: ignore[operator]


def test_answers_are_what_stands_between_the_markers() -> None:
    assert [lines[0].strip() for lines in answers(REFERENCE, "client.py")] == [
        "SECRET = 1",
        'data = b""',
        "limit = 65536",
        "self.secret = data",
    ]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a\n### BEGIN SOLUTION\n", 2, "never ends"),
        ("a\n### END SOLUTION\n", 2, "never began"),
        ("### BEGIN SOLUTION\nx\n### BEGIN SOLUTION\n### END SOLUTION\n", 3, "begins inside the one of line 1"),
        ("### BEGIN SOLUTION\nx\n### END SOLUTIONS\n", 3, "nearly a marker"),
        ("# begin solution\nx\n", 1, "nearly a marker"),
        ("x = 1  ### BEGIN SOLUTION\n", 1, "nearly a marker"),
        ("###BEGIN SOLUTION\n", 1, "nearly a marker"),
        ("## END THE SOLUTION\n", 1, "nearly a marker"),
    ],
)
def test_wrong_markers_are_named_with_their_line(text: str, line: int, says: str) -> None:
    with pytest.raises(SetupError) as caught:
        stub(text, "reference/blocking/client.py")
    assert str(caught.value).startswith(f"reference/blocking/client.py, line {line}: ")
    assert says in str(caught.value)


def test_a_file_without_a_solution_has_to_say_that_it_is_given() -> None:
    with pytest.raises(SetupError, match="it has no solution in it"):
        stub("x = 1\n", "client.py")
    assert stub("### GIVEN TO STUDENTS\nx = 1\n", "client.py") == "x = 1\n"
    assert not is_given("x\n" * 20 + "### GIVEN TO STUDENTS\n")


def test_what_is_left_has_to_be_python() -> None:
    broken = "def f(\n### BEGIN SOLUTION\n):\n    return 1\n### END SOLUTION\n    return 2\n"
    with pytest.raises(SetupError, match="without its solutions it is no longer Python"):
        stub(broken, "client.py")


def test_other_languages_get_a_comment() -> None:
    made = stub("all:\n### BEGIN SOLUTION\n\tcc x.c\n### END SOLUTION\n", "Makefile")
    assert made == "all:\n# Your code here.\n"


C = """\
// BEGIN SOLUTION: stage 1: a helper
static int help(void) { return 1; }
// END SOLUTION

int answer(void)
{
    // BEGIN SOLUTION: stage 1: say "42" and \\
    return help() + 41;
    // END SOLUTION
}
"""


def test_in_c_and_go_a_stub_ends_the_program_where_it_is_called() -> None:
    assert answers(C, "a.c") == [["static int help(void) { return 1; }"], ["    return help() + 41;"]]
    head = "// Stage 1: a helper.\n\nint answer(void)\n{\n    "
    said = '"stage 1: say \\"42\\" and \\\\"'
    assert stub(C, "c/a.c") == f"{head}not_written({said});\n}}\n"
    assert stub(C, "go/a.go") == f"{head}panic({said})\n}}\n"
    assert stub("// GIVEN TO STUDENTS\n\npackage main\n", "a.go") == "package main\n"
    with pytest.raises(SetupError, match="nearly a marker"):
        stub("int f(void)\n{\n    // Begin solution\n}\n", "a.c")


def test_a_long_sentence_is_wrapped_and_whole() -> None:
    task = "wait for a place before accept, so that no client is accepted that nobody would serve, and say \\o/ 'so'"
    made = stub(
        f"def f():\n    ### BEGIN SOLUTION: {task} {task}\n    1\n    ### END SOLUTION\n", "a.py", where="stage 5"
    )
    assert max(map(len, made.splitlines())) <= 110
    space: dict[str, object] = {}
    exec(made, space)
    with pytest.raises(NotImplementedError) as caught:
        space["f"]()  # type: ignore[operator]
    assert str(caught.value) == f"stage 5: {task} {task}"


@pytest.mark.parametrize(
    "text",
    [
        "async def f():\n    with x:\n        ### BEGIN SOLUTION\n        1\n        ### END SOLUTION\n",
        "def f(a,\n      b):\n    ### BEGIN SOLUTION\n    return a\n    ### END SOLUTION\n",
        "def f():\n    x = '''\nnot code\n'''\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION\n",
    ],
)
def test_a_solution_in_a_function_raises_whatever_surrounds_it(text: str) -> None:
    made = stub(text, "a.py")
    ast.parse(made)
    assert "raise NotImplementedError" in made
