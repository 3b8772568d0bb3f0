"""assignment.toml as students get it: written from what was read, so that no comment or hidden row slips through.

Pure. Rule: what is written here can be read back by harness.course.assignment; only hidden checks are missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields

from harness.course.assignment import Assignment, Check, Stage

HEAD = "# The students' copy, made by `grader release`. Hidden checks are left out, so points are missing on purpose.\n"


def public_view(assignment: Assignment) -> str:
    """The text of the students' assignment.toml."""
    blocks = [
        _table(
            "assignment",
            [
                ("schema", 1),
                ("name", assignment.name),
                ("title", assignment.title),
                ("handout", assignment.handout),
                ("public", True),
            ],
        ),
        _table("programs", assignment.programs.items()),
    ]
    if assignment.build is not None:
        blocks.append(_table("build", _rows(assignment.build)))
    blocks.append(_table("limits", _rows(assignment.limits)))
    blocks += [_table("stages", _rows(stage), many=True) for stage in assignment.stages]
    blocks += [_table("checks", _check_rows(check), many=True) for check in assignment.checks_of(suite="public")]
    return HEAD + "\n" + "\n".join(blocks)


def _check_rows(check: Check) -> list[tuple[str, object]]:
    return [(key, value) for key, value in _rows(check) if key != "feedback"]


def _rows(row: object) -> list[tuple[str, object]]:
    """The fields of a dataclass, without empty optional ones."""
    values = [(field.name, getattr(row, field.name)) for field in fields(row)]  # type: ignore[arg-type]
    optional = (
        ("needs", "hint", "forbidden", "forbidden_c", "forbidden_go", "programs", "bonus")
        if isinstance(row, Check | Stage)
        else ()
    )
    return [(key, value) for key, value in values if value or key not in optional]


def _table(name: str, rows: Iterable[tuple[str, object]], *, many: bool = False) -> str:
    head = f"[[{name}]]" if many else f"[{name}]"
    return "\n".join([head, *[f"{key} = {_value(value)}" for key, value in rows]]) + "\n"


def _value(value: object) -> str:
    """A TOML value. A JSON text is a basic string of TOML 1.0, but for DEL, which JSON leaves bare."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Sequence):
        return f"[{', '.join(_value(item) for item in value)}]"
    raise TypeError(f"no TOML for {value!r}")
