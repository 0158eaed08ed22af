"""Progress of a search on stderr: the progress of a sweep with attempts instead of seeds."""

from collections.abc import Mapping, Sequence

from msaf_bench.cli.progress import SweepProgress
from msaf_bench.cli.status import RunStatus, Stage
from msaf_bench.records import Record
from msaf_bench.spec import Trial
from msaf_bench.sweep.tuning.search import Attempt


class SearchStatus(RunStatus):
    """Counts of a search's attempts while they run; the attempts of a row are numbered."""

    def __init__(self, attempts: Sequence[Attempt], total: int) -> None:
        labels = {each.trial.id: each.row for each in attempts}
        super().__init__(labels, [each.trial for each in attempts], {})
        self.numbers = {each.trial.id: each.number for each in attempts}
        self.total = total
        for each in attempts:
            if each.state != "begun":
                self.missing.pop(each.trial.id)  # ended in an earlier call, without a record here

    @property
    def ended(self) -> int:
        """Number of attempts that have ended."""
        return len(self.labels) - len(self.missing)

    def title(self, stage: Stage) -> str:
        """Return the name of a phase."""
        return "attempts" if stage.name == "trials" else stage.name

    def name(self, trial: Trial) -> str:
        """Return the row and number of an attempt."""
        return f"{self.labels[trial.id]}, attempt {self.numbers[trial.id]}"

    def seed_of(self, trial: Trial) -> int:
        """Return the number of the attempt, which identifies it within its row."""
        return self.numbers[trial.id]


class SearchProgress(SweepProgress):
    """Progress display of a search."""

    def __init__(self, total: int, opening: Sequence[str]) -> None:
        super().__init__(("pre-training", "trials"), SearchStatus((), total), opening=opening)
        self._total = total

    def attempts(self, attempts: Mapping[str, Attempt]) -> None:
        """Count these attempts from now on, including those that have ended."""
        for line in self.opening:
            self.note(line)
        self.opening = ()
        self.tally = SearchStatus(tuple(attempts.values()), self._total)

    def finished(self, record: Record) -> None:
        """Print the end of an attempt."""
        if record.trial.id in self.tally.labels or record.state == "failed":
            super().finished(record)
