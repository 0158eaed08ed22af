# pyright: basic
"""Early stopping by Ray Tune's schedulers, one per group of trials."""

import math
from typing import Any, cast

from ray.tune.schedulers import (
    ASHAScheduler,
    FIFOScheduler,
    MedianStoppingRule,
    TrialScheduler,
)

from msaf_bench.sweep.executors import Stops

READ: dict[str, Any] = {
    "time_attr": "step",
    "metric": "validation",
    "mode": "max",
}  #: keys of the trials' messages that schedulers read
KEPT = 2  #: ASHA continues one of two trials
SEEN = 2  #: minimum number of trials for a median


class GroupScheduler(FIFOScheduler):
    """Stops trials by comparison within their group, but none that has finished its last step.

    `ids` holds the id of each trial by index, `last` its number of steps.
    """

    def __init__(self, stops: Stops, ids: list[str], last: list[int]) -> None:
        super().__init__()
        self._stops, self._ids, self._last = stops, ids, last
        self._of_group: dict[str, Any] = {}

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Forward the call to the group's scheduler."""
        self._scheduler(trial).on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Return whether the trial continues."""
        said = self._scheduler(trial).on_trial_result(tune_controller, trial, result)
        ended = result.get("step", 0) >= self._last[trial.config["index"]]
        return TrialScheduler.CONTINUE if ended else said

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Forward the call to the group's scheduler."""
        self._scheduler(trial).on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Forward the call to the group's scheduler."""
        self._scheduler(trial).on_trial_remove(tune_controller, trial)

    def _scheduler(self, trial: Any) -> Any:
        index = trial.config["index"]
        group = self._stops.groups[self._ids[index]]
        if group not in self._of_group:
            self._of_group[group] = self._made(self._last[index])
        return self._of_group[group]

    def _made(self, steps: int) -> Any:
        every = self._stops.every
        if self._stops.kind == "median":
            return MedianStoppingRule(
                **READ,
                grace_period=every,
                min_samples_required=SEEN,
                min_time_slice=cast("int", math.inf),  # otherwise it pauses trials
            )
        return ASHAScheduler(
            **READ, grace_period=every, max_t=max(every, steps), reduction_factor=KEPT
        )
