"""The plain executor: one trial after the other, in this process."""

from collections.abc import Sequence
from functools import partial

from msaf_bench.spec import Trial
from msaf_bench.sweep.events import Events
from msaf_bench.sweep.trial import Setting, run_trial


def run(trials: Sequence[Trial], setting: Setting, events: Events) -> None:
    """Runs the trials; each leaves its record."""
    for trial in trials:
        events.finished(run_trial(trial, setting, partial(events.step, trial), events.note))
