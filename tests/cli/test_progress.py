"""Progress of a sweep: what it counts, foresees and shows, in a terminal and elsewhere."""

import io
from contextlib import suppress
from types import SimpleNamespace

import pytest
from made_records import done, failed
from rich.console import Console

from msaf_bench.catalog import read_conditions, read_table
from msaf_bench.cli.live import picture
from msaf_bench.cli.progress import PLAIN_S, SweepProgress, phases_of
from msaf_bench.cli.status import Stage, tally_of
from msaf_bench.cli.time_text import about, duration, time_left
from msaf_bench.sweep.plan import make_plan

CONDITIONS = read_conditions("smoke", "street", {"pretrain_steps": 30, "steps": 100})
PLAN = make_plan(read_table("3"), CONDITIONS, ["Baseline", "w/o DCN"], 2, controls=False)
TRIALS = PLAN.trials()
PHASES = phases_of(PLAN, speed=True)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is moved."""
    now = SimpleNamespace(s=1000.0)
    monkeypatch.setattr("time.monotonic", lambda: now.s)
    return now


def plain(columns=80):
    return Console(file=io.StringIO(), width=columns)


def terminal(columns=80, rows=30):
    return Console(
        file=io.StringIO(), force_terminal=True, width=columns, height=rows, color_system=None
    )


def drawn(tally, stage, coming=(), columns=80, rows=30):
    console = Console(file=io.StringIO(), width=columns, height=rows)
    console.print(picture(console, tally, stage, coming, 0.0))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (72, "1 min 12 s"), (840, "14 min")]
    + [(7500, "2 h 5 min"), (7200, "2 h"), (3599, "1 h")],
)
def test_a_duration_is_no_finer_than_a_reader_needs(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "about 5 s"), (42, "about 40 s"), (95, "about 2 min"), (50460, "about 14 h")]
    + [(7500, "about 2 h 5 min")],
)
def test_an_estimate_is_coarser(seconds, text):
    assert about(seconds) == text
    assert time_left(seconds) == f"{text} left"


def test_no_time_left_is_said_without_grounds():
    assert time_left(None) == ""


def test_the_difference_to_the_reference_is_over_the_seeds_that_both_have():
    tally = tally_of(PLAN, {})
    baseline, without, msaf = TRIALS[:3]
    for record in (done(baseline, 40), done(msaf, 50), done(TRIALS[3], 60)):
        tally.finished(record)
    rows = tally.rows
    assert rows["Baseline"].mean == pytest.approx(50, abs=0.01)
    assert rows["Baseline"].minus(rows["MSAF"]) == pytest.approx(-10, abs=0.01)
    assert rows["w/o DCN"].minus(rows["MSAF"]) is None
    assert (tally.ended, tally.total) == (3, 6)
    assert tally.name(without) == "w/o DCN, seed 0"


def test_the_time_left_needs_trials_of_two_rows_and_takes_the_slowest_for_others(clock):
    tally = tally_of(PLAN, {})
    tally.step(TRIALS[0], 0, 1.0)
    clock.s += 10
    tally.finished(done(TRIALS[0]))
    assert tally.seconds_left() is None  # one row says nothing of the others
    clock.s += 30
    tally.finished(done(TRIALS[1], train=24, score=6))
    # 40 s for 10 + 30 s of work; left are 30 (of MSAF, unknown), then 10 + 30 + 30
    assert tally.seconds_left() == pytest.approx(100)
    tally.step(TRIALS[2], 50, 1.0)
    # the steps are 80 % of a trial
    assert tally.seconds_left() == pytest.approx(40 * 88 / 52)


def test_scoring_the_last_trial_takes_time_too(clock):
    tally = tally_of(PLAN, {t.id: done(t) for t in TRIALS[:-1]})
    tally.step(TRIALS[-1], 10, 1.0)
    clock.s += 7.2
    tally.step(TRIALS[-1], 100, 1.0)
    assert tally.seconds_left() == pytest.approx(2)


def test_what_is_told_twice_counts_once():
    tally = tally_of(PLAN, {})
    first, again = (tally.finished(done(TRIALS[0], 40)) for _ in range(2))
    assert first == again == pytest.approx(40, abs=0.01)
    assert tally.ended == 1


def test_how_long_the_rest_takes_is_known_from_finished_trials_of_every_row():
    assert tally_of(PLAN, {t.id: done(t) for t in TRIALS[:2]}).seconds_alone() is None
    assert tally_of(PLAN, {t.id: done(t) for t in TRIALS[:3]}).seconds_alone() == 30


def test_a_phase_that_was_resumed_is_timed_from_where_it_began(clock):
    stage = Stage("pre-training", 1000, clock.s)
    assert stage.seconds_left() is None
    stage.first, stage.done = (clock.s, 900), 920
    clock.s += 4
    assert stage.seconds_left() == pytest.approx(16)
    stage.done = 1000
    assert stage.seconds_left() is None


def hear_all(progress, clock):
    """A whole sweep: a failed trial, a speed measurement, the page."""
    progress.begun(PLAN, {TRIALS[0].id: done(TRIALS[0], 40)})
    progress.phase("pre-training", 0, 30)
    first = PLAN.pretraining()
    for step in (10, 20, 30):
        progress.step(first, step, 2.0)
        clock.s += PLAIN_S + 1
    progress.finished(done(first))
    progress.phase("trials", 0, 5)
    progress.note("note: a part is not live")
    for trial in TRIALS[1:]:
        progress.step(trial, 50, 0.8)
        clock.s += 5
        progress.step(trial, 100, 0.7)
        clock.s += 5
        progress.finished(failed(trial) if trial == TRIALS[3] else done(trial, 50))
    progress.phase("speed", 0, 2, "clip and stream")
    clock.s += 20
    progress.phase("speed", 1, 2, "clip and stream")
    clock.s += 20
    progress.phase("page", 0, 1, "figures")
    clock.s += 4


def test_elsewhere_every_event_is_a_line_with_percentages(clock, capsys):
    with SweepProgress(PHASES, console=plain()) as progress:
        hear_all(progress, clock)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "pre-training 0/30 (0 %)",
        "pre-training 20/30 (66 %) · loss 2.000 · about 15 s left",
        "pre-training 30/30 (100 %) · loss 2.000",
        "pre-training done · 48 s",
        "trials 1/6 (16 %)",
        "note: a part is not live",
        "trials 2/6 (33 %) · w/o DCN, seed 0 · mIoU 50.0 · 1 min 50 s · about 65 s left",
        "trials 3/6 (50 %) · MSAF, seed 0 · mIoU 50.0 · 1 min 50 s · about 40 s left",
        "trials 4/6 (66 %) · Baseline, seed 1 · FAILED: non-finite loss",
        "trials 5/6 (83 %) · w/o DCN, seed 1 · mIoU 50.0 · 1 min 50 s · about 10 s left",
        "trials 6/6 (100 %) · MSAF, seed 1 · mIoU 50.0 · 1 min 50 s",
        "trials done · 50 s",
        "speed 0/2 (0 %) · clip and stream",
        "speed 1/2 (50 %) · clip and stream · about 20 s left",
        "speed done · 40 s",
        "page · figures",
        "page done · 4 s",
    ]
    assert progress.failed == 1
    assert progress.trained


def test_a_long_trial_is_heard_of_meanwhile(clock, capsys):
    with SweepProgress(PHASES, console=plain()) as progress:
        progress.begun(PLAN, {})
        progress.phase("trials", 0, 6)
        clock.s += PLAIN_S + 1
        progress.step(TRIALS[0], 50, 0.8)
    assert "trials 0/6 (0 %) · Baseline, seed 0 · step 50/100 (50 %) · loss 0.800" in (
        capsys.readouterr().err.splitlines()
    )


def test_the_newest_validation_stands_beside_the_loss(clock, capsys):
    with SweepProgress(PHASES, console=plain()) as progress:
        progress.begun(PLAN, {})
        progress.phase("trials", 0, 4)
        clock.s += PLAIN_S + 1
        progress.step(TRIALS[0], 10, 0.5)
        for step, miou in ((10, 31.0), (20, 42.04)):
            progress.validated(TRIALS[0], step, miou)
        clock.s += PLAIN_S + 1
        progress.step(TRIALS[0], 30, 0.4)
    first, second = [line for line in capsys.readouterr().err.splitlines() if "loss" in line]
    assert "mIoU" not in first
    assert "loss 0.400 · val mIoU 42.0" in second
    lines = drawn(progress.tally, Stage("trials", 4, clock.s))
    assert any("loss 0.400 · val mIoU 42.0" in line for line in lines)


def test_a_terminal_keeps_a_line_for_each_phase_that_is_done_and_for_what_failed(clock):
    console = terminal()
    with SweepProgress(PHASES, console=console) as progress:
        hear_all(progress, clock)
    shown = console.file.getvalue()
    kept = ["✓ pre-training  48 s", "✓ trials        50 s", "✓ speed         40 s", "✓ page"]
    for line in (*kept, "note: a part is not live", "Baseline, seed 1 · FAILED: non-finite loss"):
        assert line in shown
    assert "Baseline, seed 1 · mIoU" not in shown


def test_a_phase_is_not_ticked_where_it_was_stopped(clock):
    console = terminal()
    progress = SweepProgress(PHASES, console=console)
    with suppress(KeyboardInterrupt), progress:
        progress.begun(PLAN, {})
        progress.phase("trials", 0, 6)
        raise KeyboardInterrupt
    assert "✓" not in console.file.getvalue()


@pytest.mark.parametrize("columns", [80, 120])
def test_the_picture_has_the_phase_its_trials_the_phases_to_come_and_the_rows(clock, columns):
    tally = tally_of(PLAN, {})
    tally.step(TRIALS[0], 10, 2.0)
    clock.s += 10
    tally.finished(done(TRIALS[0], 40))
    clock.s += 10
    tally.finished(done(TRIALS[2], 50))
    tally.step(TRIALS[1], 50, 0.8123)
    lines = drawn(tally, Stage("trials", 6, clock.s), ["speed", "page"], columns)
    assert lines[0].startswith("trials")
    assert "2/6  33 %  about" in " ".join(lines[0].split(" ")).replace("   ", "  ")
    assert lines[1].startswith("  w/o DCN, seed 0")
    assert lines[1].endswith("50/100  50 %  loss 0.812")
    assert lines[2:4] == ["speed", "page"]
    assert [line.split() for line in lines[5:]] == [
        ["Row", "seeds", "mIoU", "minus", "MSAF"],
        ["Baseline", "1/2", "40.0", "−10.0"],
        ["w/o", "DCN", "0/2", "–", "–"],
        ["MSAF", "1/2", "50.0", "–"],
    ]
    assert max(map(len, lines)) <= columns


def test_before_the_first_row_there_is_no_table_and_a_low_terminal_shows_the_latest(clock):
    tally = tally_of(PLAN, {})
    assert drawn(tally, None)[0].startswith("checking systems and data")
    assert not [line for line in drawn(tally, Stage("trials", 6, clock.s)) if "Row" in line]
    for trial in TRIALS[:3]:
        clock.s += 1
        tally.finished(done(trial))
    low = drawn(tally, Stage("trials", 6, clock.s), rows=11)
    assert [line.split()[0] for line in low[-2:]] == ["w/o", "MSAF"]


def test_a_training_scores_at_its_end_and_does_not_stand_at_100_percent(clock):
    tally = tally_of(PLAN, {})
    tally.step(TRIALS[0], 100, 0.5)
    assert drawn(tally, Stage("trials", 6, clock.s))[1].endswith("100/100  100 %  scoring")


@pytest.mark.parametrize(("speed", "last"), [(True, ["speed", "page"]), (False, ["page"])])
def test_the_phases_are_those_of_the_plan(speed, last):
    assert phases_of(PLAN, speed=speed) == ["pre-training", "trials", *last]
    costed = make_plan(read_table("1"), read_conditions("smoke", "street", systems=True))
    assert phases_of(costed, speed=speed) == ["trials", "cost", *last]


def test_a_closed_stderr_stops_nothing(clock, monkeypatch):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    for stream in (Closed(), None):
        monkeypatch.setattr("sys.stderr", stream)
        with SweepProgress(PHASES) as progress:
            hear_all(progress, clock)
        assert progress.tally.ended == 6
