"""Sources of an export: a system with random weights, or a checkpoint with its run's results."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from msaf_bench.architectures import build
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.catalog import list_systems, read_system
from msaf_bench.errors import BenchError, UsageError
from msaf_bench.findings.measures import measures_of
from msaf_bench.findings.parts import parts_of
from msaf_bench.findings.run import load_run
from msaf_bench.findings.subjects import Subject
from msaf_bench.findings.trials import Result, reduced
from msaf_bench.packed import holds
from msaf_bench.records import Record, read_record
from msaf_bench.spec import Conditions, System, Trial
from msaf_bench.spec.stand_ins import shrunk
from msaf_bench.stats import PERCENT, mean_interval
from msaf_bench.sweep.workspace import Workspace
from msaf_bench.train.checkpoint import Sidecar, read_checkpoint, restore, training_id

WEIGHTS = ".safetensors"  #: suffix of a checkpoint


@dataclass(frozen=True)
class Source:
    """A network and its origin."""

    net: VideoNetwork
    system: System  #: as built
    num_classes: int
    class_names: tuple[str, ...] = ()  #: empty if unknown
    checkpoint: Path | None = None  #: None for random weights
    sidecar: Sidecar | None = None
    record: Record | None = None  #: record of its trial, if the checkpoint is in its run
    #: the trial alone; None if its run did not score these weights
    trial: Subject | None = None
    row: Subject | None = None  #: results over seeds, if the run is of a table
    lacking: str = ""  #: reason for missing numbers

    @property
    def conditions(self) -> Conditions | None:
        """Training conditions from the trial's record; None without a record."""
        return self.record.trial.conditions if self.record else None

    @property
    def published(self) -> System | None:
        """The system in `models/`, with title and licence; None for a variant of it."""
        name = self.system.name
        if name not in list_systems():
            return None
        read = read_system(name)
        run = shrunk(read, self.conditions) if self.conditions else read
        return read if run.trained().key == self.system.trained().key else None

    @property
    def title(self) -> str:
        """Name for readers: of the row in its table, of the system, or both."""
        if self.published:
            return self.published.title or self.system.name
        return f"{self.row.label}, {self.system.name}" if self.row else self.system.name

    def metadata(self) -> Mapping[str, object]:
        """Return the origin of the network, for the metadata of a program."""
        told: dict[str, object] = {
            "system": self.system.name,
            "classes": list(self.class_names) or self.num_classes,
            "weights": "trained" if self.sidecar else "random",
        }
        if self.sidecar:
            told |= {"checkpoint_sha256": self.sidecar.sha256, "step": self.sidecar.step}
        if self.conditions and self.conditions.watermark:
            told["watermark"] = self.conditions.watermark
        return told


def random_source(system: str, class_names: tuple[str, ...], plugins: tuple[str, ...]) -> Source:
    """Return a system with random weights. Raises `UsageError` if it cannot be built."""
    read = read_system(system)
    net = build(read.trained(), len(class_names), plugins=plugins)
    return Source(net, read, len(class_names), class_names)


def checkpoint_source(path: Path, plugins: tuple[str, ...]) -> Source:
    """Return the network of a checkpoint, with the run's numbers if the checkpoint is in its run.

    Raises `DataError` if the file is damaged, and `UsageError` if plug-ins are missing.
    """
    checkpoint = read_checkpoint(path)
    sidecar = checkpoint.sidecar
    record = _record_of(path, sidecar)
    try:
        net = build(sidecar.system.trained(), sidecar.num_classes, plugins=plugins)
    except UsageError as error:
        given = record.plugins if record else ()
        missing = [name for name in given if name not in plugins]
        hint = f"; it was trained with --plugin {','.join(missing)}" if missing else ""
        raise UsageError(f"{path}: {error}{hint}") from error
    restore(checkpoint, net)
    source = Source(net, sidecar.system, sidecar.num_classes, (), path, sidecar, record)
    return _with_numbers(source)


def _record_of(path: Path, sidecar: Sidecar) -> Record | None:
    """Return the record of a checkpoint's trial; None if the checkpoint is not in its run."""
    folder = path.absolute().parent
    workspace = Workspace(folder.parents[1])
    file = workspace.records / f"{folder.name}.json"
    if folder.parent.name != "checkpoints" or not holds(file):
        return None
    record = read_record(file)
    return record if sidecar.trial in ("", training_id(record.trial)) else None


def _with_numbers(source: Source) -> Source:
    """Add the results of a checkpoint's trial and row, or the reason why there are none."""
    record, sidecar, path = source.record, source.sidecar, source.checkpoint
    if not (record and sidecar and path):
        return replace(source, lacking="the checkpoint is not in the folder of its run")
    source = replace(source, class_names=record.class_names)
    if record.state != "done" or record.confusion is None:
        return replace(source, lacking=f"its trial failed: {record.reason}")
    scored = record.trial.conditions.steps
    if sidecar.step != scored:
        lacking = f"the run scored the weights of step {scored}, these are of step {sidecar.step}"
        return replace(source, lacking=lacking)
    row = _row_of(path.absolute().parents[2], record.trial)
    return replace(source, trial=_alone(reduced(record)), row=row)


def _alone(result: Result) -> Subject:
    """Return one trial in the form of a report's row, without an interval over seeds."""
    record = result.record
    return Subject(
        label=record.trial.system.name,
        system=record.trial.system,
        note="",
        runs=(),
        interval=mean_interval([result.miou], within=PERCENT),
        params=record.params,
        measures=measures_of([result], [result]),
        parts=parts_of([record]),
    )


def _row_of(folder: Path, trial: Trial) -> Subject | None:
    """Return the row or control of a run that contains a trial.

    Returns None if the folder has no run of a table, or if its records do not share one table.
    """
    try:
        run = load_run(folder)
        label = run.plan.labels().get(trial.id)
        return next((s for s in run.summary().subjects if s.label == label), None)
    except BenchError:
        return None
