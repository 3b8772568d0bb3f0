"""What runs next: no thread and no clock, only steps that begin and end."""

from __future__ import annotations

import random

import pytest

from grader.campaign.schedule import Schedule, Step, Turn

ALONE, LAST = Turn.ALONE, Turn.LAST


def class_of(count: int, most_open: int = 3) -> Schedule[str]:
    return Schedule([Step(number, "copy") for number in range(count)], most_open)


def begun(schedule: Schedule[str], lanes: int) -> list[str]:
    """What begins now, as far as there are lanes."""
    found = []
    while (step := schedule.next(lanes)) is not None:
        found.append(f"{step.job} {step.what}")
    return found


def end(schedule: Schedule[str], job: int, what: str, *follows: Step[str]) -> None:
    """A step that runs has ended, and these follow on it."""
    turn = next(step.turn for step in running(schedule) if (step.job, step.what) == (job, what))
    schedule.ended(Step(job, what, turn))
    schedule.put(follows)


def running(schedule: Schedule[str]) -> list[Step[str]]:
    return list(schedule._running)


def test_one_submission_has_all_lanes() -> None:
    schedule = class_of(1)
    assert begun(schedule, 4) == ["0 copy"]
    end(schedule, 0, "copy", *(Step(0, f"public {n}") for n in range(6)))
    assert begun(schedule, 4) == ["0 public 0", "0 public 1", "0 public 2", "0 public 3"]
    end(schedule, 0, "public 2")
    assert begun(schedule, 4) == ["0 public 4"]


def test_what_came_first_is_finished_first() -> None:
    schedule = class_of(3)
    assert begun(schedule, 2) == ["0 copy", "1 copy"]
    end(schedule, 1, "copy", Step(1, "a"), Step(1, "b"))
    assert begun(schedule, 2) == ["1 a"]
    end(schedule, 0, "copy", Step(0, "a"), Step(0, "b"))
    assert begun(schedule, 2) == ["0 a"]
    end(schedule, 1, "a")
    assert begun(schedule, 2) == ["0 b"]
    end(schedule, 0, "a")
    assert begun(schedule, 2) == ["1 b"]
    end(schedule, 1, "b")
    assert begun(schedule, 2) == ["2 copy"]  # and only now a new one


def test_only_so_many_are_begun_at_a_time() -> None:
    schedule = class_of(5, most_open=2)
    assert begun(schedule, 8) == ["0 copy", "1 copy"]
    end(schedule, 0, "copy")
    assert begun(schedule, 8) == []
    schedule.closes(0)
    assert begun(schedule, 8) == ["2 copy"]


def test_what_wants_the_machine_for_itself_gets_it() -> None:
    schedule = class_of(1)
    begun(schedule, 4)
    end(schedule, 0, "copy", Step(0, "idle", ALONE), Step(0, "a"), Step(0, "b"))
    assert begun(schedule, 4) == ["0 a", "0 b"]
    end(schedule, 0, "a")
    assert begun(schedule, 4) == []  # b runs still
    end(schedule, 0, "b")
    assert begun(schedule, 4) == ["0 idle"]
    schedule.put([Step(0, "c")])
    assert begun(schedule, 4) == []
    end(schedule, 0, "idle")
    assert begun(schedule, 4) == ["0 c"]


def test_the_machine_runs_empty_once_for_many_that_want_it() -> None:
    schedule = class_of(4, most_open=3)
    begun(schedule, 2)
    end(schedule, 0, "copy", Step(0, "idle", ALONE))
    end(schedule, 1, "copy", Step(1, "idle", ALONE))
    assert begun(schedule, 2) == ["2 copy"]  # others are begun meanwhile, but not all of them
    end(schedule, 2, "copy", Step(2, "idle", ALONE))
    for job in range(3):
        assert begun(schedule, 2) == [f"{job} idle"]
        end(schedule, job, "idle", Step(job, "hidden"))
    assert begun(schedule, 2) == ["0 hidden", "1 hidden"]


def test_what_is_tried_once_more_comes_last_and_alone() -> None:
    schedule = class_of(2)
    begun(schedule, 1)
    end(schedule, 0, "copy", Step(0, "again", LAST))
    schedule.closes(0)
    assert begun(schedule, 2) == ["1 copy"]
    end(schedule, 1, "copy", Step(1, "idle", ALONE))
    assert begun(schedule, 2) == ["1 idle"]
    end(schedule, 1, "idle", Step(1, "again", LAST))
    assert begun(schedule, 2) == ["0 again"]
    end(schedule, 0, "again", Step(0, "result"))
    assert begun(schedule, 2) == ["0 result"]
    end(schedule, 0, "result")
    assert begun(schedule, 2) == ["1 again"]
    assert not schedule.over
    end(schedule, 1, "again")
    assert schedule.over


def test_the_steps_of_what_broke_are_forgotten() -> None:
    schedule = class_of(2)
    begun(schedule, 2)
    end(schedule, 0, "copy", Step(0, "a"), Step(0, "idle", ALONE))
    end(schedule, 1, "copy", Step(1, "b"))
    assert schedule.drop(0) == 2
    assert begun(schedule, 2) == ["1 b"]


def test_of_several_machines_one_is_enough_for_what_runs_alone() -> None:
    schedule: Schedule[str] = Schedule([Step(number, "copy") for number in range(4)], most_open=3, machines=2)
    assert begun(schedule, 4) == ["0 copy", "1 copy", "2 copy"]
    for job in range(3):
        end(schedule, job, "copy", Step(job, "idle", ALONE), *([Step(job, "a")] if job == 2 else []))
    assert begun(schedule, 4) == ["2 a", "0 idle", "1 idle"]  # and no third one, though there is a lane
    end(schedule, 0, "idle", Step(0, "hidden"))
    assert begun(schedule, 4) == ["2 idle", "0 hidden"]  # first all that run so: machines run empty for them once
    end(schedule, 1, "idle", Step(1, "again", LAST))
    schedule.closes(1)
    assert begun(schedule, 4) == ["3 copy"]
    for job, what in ((2, "a"), (0, "hidden"), (2, "idle"), (3, "copy")):
        assert begun(schedule, 4) == []  # what is tried once more waits for all else
        end(schedule, job, what)
    schedule.put([Step(2, "again", LAST), Step(3, "again", LAST)])
    assert begun(schedule, 4) == ["1 again", "2 again"]


@pytest.mark.parametrize("machines", [1, 2])
@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_order_everything_runs_and_the_rules_hold(seed: int, machines: int) -> None:
    """Submissions of random waves, ended in a random order, on a number of lanes that changes."""
    dice = random.Random(seed)
    waves = {
        job: [
            [dice.choice([Turn.BESIDE, Turn.BESIDE, ALONE]) for _ in range(dice.randint(1, 4))]
            for _ in range(dice.randint(1, 3))
        ]
        for job in range(dice.randint(1, 9))
    }
    left = dict.fromkeys(waves, 1)  # steps of its wave
    schedule = Schedule([Step(job, "") for job in waves], dice.randint(1, 5), machines)
    ran: list[int] = []
    while not schedule.over:
        lanes = dice.randint(1, 4)
        while (step := schedule.next(lanes)) is not None:
            ran.append(step.job)
            assert schedule.running <= lanes
        assert running(schedule), "something has to run while not all is over"
        quiet = [step for step in running(schedule) if step.turn is not Turn.BESIDE]
        assert len(quiet) <= machines and (machines > 1 or not quiet or len(running(schedule)) == 1)
        step = dice.choice(running(schedule))
        schedule.ended(step)
        left[step.job] -= 1
        if not left[step.job] and waves[step.job]:
            wave = waves[step.job].pop(0)
            left[step.job] = len(wave)
            schedule.put(Step(step.job, "", turn) for turn in wave)
        elif not left[step.job]:
            schedule.closes(step.job)
    assert not any(waves.values())
