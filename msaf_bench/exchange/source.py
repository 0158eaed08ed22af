"""What is exported: a system with random weights, or a checkpoint with what its run measured."""

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
    """A network and where it comes from."""

    net: VideoNetwork
    system: System  #: as it was built
    num_classes: int
    class_names: tuple[str, ...] = ()  #: empty where nothing tells them
    checkpoint: Path | None = None  #: None: random weights
    sidecar: Sidecar | None = None
    record: Record | None = None  #: of its trial, where the checkpoint lies in its run
    #: the trial alone; None where the weights are not those that were scored
    trial: Subject | None = None
    row: Subject | None = None  #: over seeds, where the run is that of a table
    lacking: str = ""  #: why there are no numbers

    @property
    def conditions(self) -> Conditions | None:
        """The conditions that it was trained under, where its record tells them."""
        return self.record.trial.conditions if self.record else None

    @property
    def published(self) -> System | None:
        """The system as `models/` has it, with title and licence; None for a variant of it."""
        name = self.system.name
        if name not in list_systems():
            return None
        read = read_system(name)
        run = shrunk(read, self.conditions) if self.conditions else read
        return read if run.trained().key == self.system.trained().key else None

    @property
    def title(self) -> str:
        """The name that readers know: of its row in a table, of the system, or both."""
        if self.published:
            return self.published.title or self.system.name
        return f"{self.row.label}, {self.system.name}" if self.row else self.system.name

    def metadata(self) -> Mapping[str, object]:
        """Return what the file of a program says of its origin."""
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
    """Return a system with random weights. Raises `UsageError` for one that cannot be built."""
    read = read_system(system)
    net = build(read.trained(), len(class_names), plugins=plugins)
    return Source(net, read, len(class_names), class_names)


def checkpoint_source(path: Path, plugins: tuple[str, ...]) -> Source:
    """Return the network of a checkpoint, with the numbers of its run where it lies in one.

    Raises `DataError` for a damaged file, `UsageError` for plug-ins that are missing.
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
    """Return the record of a checkpoint's trial; None where it does not lie in its run."""
    folder = path.absolute().parent
    workspace = Workspace(folder.parents[1])
    file = workspace.records / f"{folder.name}.json"
    if folder.parent.name != "checkpoints" or not holds(file):
        return None
    record = read_record(file)
    return record if sidecar.trial in ("", training_id(record.trial)) else None


def _with_numbers(source: Source) -> Source:
    """Return a checkpoint with what its trial and row measured, or why there is nothing."""
    record, sidecar, path = source.record, source.sidecar, source.checkpoint
    if not (record and sidecar and path):
        return replace(source, lacking="the checkpoint does not lie in the folder of its run")
    source = replace(source, class_names=record.class_names)
    if record.state != "done" or record.confusion is None:
        return replace(source, lacking=f"its trial failed: {record.reason}")
    scored = record.trial.conditions.steps
    if sidecar.step != scored:
        lacking = f"its weights are of step {sidecar.step}, those of step {scored} were scored"
        return replace(source, lacking=lacking)
    row = _row_of(path.absolute().parents[2], record.trial)
    return replace(source, trial=_alone(reduced(record)), row=row)


def _alone(result: Result) -> Subject:
    """Return one trial as reports show a row: there is no interval."""
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
    """Return the row or control of a run that a trial is of; None where its folder holds no run of
    a table, or one whose records share no table.
    """
    try:
        run = load_run(folder)
        label = run.plan.labels().get(trial.id)
        return next((s for s in run.summary().subjects if s.label == label), None)
    except BenchError:
        return None
