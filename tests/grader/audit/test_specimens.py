"""What the parts of an audit consist of, from the tables of this project."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from grader.audit import attacks, generated, handwritten
from grader.audit.parts import Options, batches_of
from grader.course import Course, this_course
from grader.release.markers import is_given
from harness.errors import SetupError

COURSE = this_course()
TEXT = '''"""Says hello."""

from __future__ import annotations


def first(items: list[int] | None, least: int = 1) -> int | None:
    """The first that is large enough."""
    for item in items or []:
        if item > least:
            return item
    return None
'''


@pytest.fixture
def source(tmp_path: Path) -> generated.Source:
    (tmp_path / "a.py").write_text(TEXT)
    return generated.Source.read(tmp_path, "a.py")


def test_every_generated_change_is_another_program(source: generated.Source) -> None:
    changes = [change for place in source.places if (change := source.change(*place)) is not None]
    assert len({change.text for change in changes}) > 10
    for change in changes:
        ast.parse(change.text)
        assert "int | None" in change.text  # annotations are no program
        assert change.lines.count("\n-") == 0 or change.operator
        assert TEXT.splitlines()[change.line - 1] in change.lines


def test_a_change_keeps_its_key_where_lines_move(source: generated.Source, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(TEXT.replace('"""Says hello."""', '"""Says hello.\n\nAgain.\n"""'))
    moved = generated.Source.read(tmp_path, "a.py")
    keys = [
        {change.key for place in one.places if (change := one.change(*place)) is not None} for one in (source, moved)
    ]
    assert keys[0] == keys[1]


def test_a_sample_is_the_same_each_time_and_another_with_another_seed(source: generated.Source) -> None:
    drawn = [[one.key for one in generated.sample([source], 5, seed)] for seed in ("1", "1", "2")]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 5
    whole = generated.sample([source], 10_000, "1")
    assert len({one.text for one in whole}) == len(whole) > 10


@pytest.mark.parametrize("name", COURSE.names())
def test_what_students_are_given_is_not_changed(name: str) -> None:
    files = generated.students_files(COURSE.load(name))
    assert files
    assert not [file for file in files if is_given((COURSE.reference(name) / file).read_text())]


def test_who_has_no_cosmic_ray_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cosmic_ray.plugins", None)
    (tmp_path / "a.py").write_text(TEXT)
    with pytest.raises(SetupError, match="--sample 0"):
        generated.Source.read(tmp_path, "a.py")


@pytest.mark.parametrize("name", COURSE.names())
def test_hand_written_bugs_meet_what_must_notice_them(name: str, tmp_path: Path) -> None:
    rubric = COURSE.load(name)
    some, whole = (handwritten.specimens(COURSE, rubric, whole=whole) for whole in (False, True))
    assert [one.name for one in some] == [one.name for one in whole]
    for one, all_of_it in zip(some, whole, strict=True):
        ids = {check.id for check in one.assignment.checks}
        assert ids <= {check.id for check in all_of_it.assignment.checks}
        asked = {check.id.partition("::")[2] for check in one.assignment.checks if check.stage == one.stage}
        assert set(one.caught_by) <= asked
        assert {need for check in one.assignment.checks for need in check.needs} <= ids
    some[0].write(tmp_path)
    reference = COURSE.reference(name) / some[0].file
    assert (tmp_path / some[0].file).read_text() != reference.read_text()


def test_attacks_stand_between_honest_work() -> None:
    for name in ("blocking", "transport", "tlspipe"):
        kinds = [one.kind for one in attacks.specimens(COURSE, COURSE.load(name))]
        assert kinds[:2] == ["empty", "bystander"]
        assert kinds[-1] == "bystander"
        between = "".join("b" if kind == "bystander" else "a" for kind in kinds[1:]).split("b")
        assert max(map(len, between)) <= attacks.BETWEEN


@pytest.mark.parametrize("name", ["blocking", "transport", "tlspipe"])
def test_each_attack_says_what_success_would_be_and_can_be_written(name: str, tmp_path: Path) -> None:
    for number, one in enumerate(attacks.specimens(COURSE, COURSE.load(name))):
        if one.kind in ("attack", "deed"):
            assert len(one.about) > 20
            (folder := tmp_path / str(number)).mkdir()
            one.write(folder)
            assert any(folder.iterdir())


def test_options_come_back_as_they_were() -> None:
    options = Options(parts=("mutants",), assignments=("blocking",), rounds=3)
    assert Options.from_json(options.to_json()) == options


def test_the_same_audit_is_the_same_specimens() -> None:
    options = Options(parts=("mutants",), assignments=("blocking",), sample=4, lab="local")
    batches = [batches_of(COURSE, options, print) for _ in range(2)]
    names = [[one.name for one in batch.specimens] for (batch,) in batches]
    assert names[0] == names[1]
    assert len(names[0]) == len({*names[0]})


def test_without_docker_hostile_submissions_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert batches_of(COURSE, Options(parts=("redteam",), lab="local"), print) == []
    assert "in the Docker lab only" in capsys.readouterr().out


def test_repetition_has_a_batch_for_each_condition(course: Course) -> None:
    from grader.audit.load import Load

    options = Options(parts=("repetition",), lab="local", loads=(Load.quiet, Load.spin), rounds=2)
    batches = batches_of(course, options, lambda _: None)
    assert [batch.label for batch in batches] == ["repetition-local-quiet", "repetition-local-spin"]
    assert [one.name for one in batches[0].specimens] == ["reference, round 1", "reference, round 2"]
