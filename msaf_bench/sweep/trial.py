"""One trial from start to record, the same on every executor."""

import resource
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import NamedTuple, TypedDict

import torch

from msaf_bench.analyzers.cost.system import parameters_of
from msaf_bench.architectures import build
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.data import content_of, open_split
from msaf_bench.data.cache import Cache
from msaf_bench.data.clips import Clips
from msaf_bench.data.labels.stack import write_stack
from msaf_bench.errors import HostError
from msaf_bench.foreign import guarded
from msaf_bench.host import Host, limited_threads, utc_now
from msaf_bench.records import Matrices, Record, write_record
from msaf_bench.spec import Trial
from msaf_bench.sweep.evaluation import cost_of, measure, validation_miou
from msaf_bench.sweep.faults import CallersError, host_faults, of_caller, reason_of, stops_all
from msaf_bench.sweep.workspace import Setting
from msaf_bench.train.checkpoint import backbone_weights, newest_checkpoint, training_id
from msaf_bench.train.divergence import NonFiniteLossError
from msaf_bench.train.features import Features, Part, features_of
from msaf_bench.train.loop import Trained, train
from msaf_bench.train.parallel import current


class AloneError(HostError):
    """A trial failed in process 0 alone, and its other processes cannot go on."""


@contextmanager
def _timed(part: str, seconds: dict[str, float]) -> Generator[None]:
    begin = time.perf_counter()
    yield
    seconds[part] = round(time.perf_counter() - begin, 3)


def run_trial(
    trial: Trial,
    setting: Setting,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
    on_note: Callable[[str], None] = lambda text: None,
    on_validation: Callable[[int, float], None] = lambda step, miou: None,
) -> Record | None:
    """Train, score and record one trial.

    If the trial itself fails, its record has the state "failed" and the reason. This includes a
    component that tries to end the program. Errors of the callbacks are raised as they are.

    In a group of processes (`train.parallel`), each process calls this with the same trial. Only
    process 0 scores, writes, calls back and returns a record. An error that only some processes
    meet ends all.

    Args:
        trial: Trial to run.
        setting: Folder, device and threads of the trial.
        on_step: Called with (steps done, mean loss).
        on_note: Called with notes for the user.
        on_validation: Called with (steps done, mIoU in percent).

    Raises:
        UsageError: Every trial would fail: a component or a file of starting weights is wrong.
        DataError: Every trial would fail: the data is wrong.
        HostError: Every trial would fail: the device is not available, or the disk is full,
            read-only or lost.
    """
    group = current()
    with limited_threads(setting.threads), host_faults(setting):
        begun = _begin(trial, setting)
        if not group.leads:
            with suppress(NonFiniteLossError):  # raised in all processes; process 0 records it
                _learn(begun, setting, _features(begun, setting))
            return None
        try:
            with guarded("a component"):
                record = _run(
                    begun, setting, of_caller(on_step), of_caller(on_note), of_caller(on_validation)
                )
        except CallersError as error:
            raise error.cause from None
        except Exception as error:
            if stops_all(error):
                raise
            record = _failed(begun, reason_of(error), setting)
            write_record(setting.workspace.records, record)
            shared = "train" in begun.seconds or isinstance(error, NonFiniteLossError)
            if group.size > 1 and not shared:
                raise AloneError(
                    f"{record.reason}; the trial is recorded as failed, and its other processes"
                    " cannot go on; use --resume to try again"
                ) from error
            return record
        write_record(setting.workspace.records, record)
    return record


class _Common(TypedDict):
    trial: Trial
    host: Host
    ended: str
    data: str
    start: str
    plugins: tuple[str, ...]


class _Begun(NamedTuple):
    trial: Trial
    host: Host
    train: Clips
    score: Clips
    validate: Clips | None  #: None without validation during training
    net: VideoNetwork
    start: str
    seconds: dict[str, float]

    def common(self, setting: Setting) -> _Common:
        data = content_of(self.trial.conditions, self.train, self.score)
        return {
            "trial": self.trial,
            "host": self.host,
            "ended": utc_now(),
            "data": data,
            "start": self.start,
            "plugins": setting.plugins,
        }


def _begin(trial: Trial, setting: Setting) -> _Begun:
    seconds: dict[str, float] = {}
    host = setting.host()
    with _timed("data", seconds):
        opened = partial(
            open_split,
            trial.conditions,
            root=setting.root,
            seed=trial.seed,
            readers=setting.readers(trial.conditions),
            cache=_cache(setting),
        )
        learn, test = opened("train"), opened("score")
        held = opened("validate") if trial.conditions.validate_every else None
    if nowhere := [start for start in trial.system.starts() if not start.path]:
        raise HostError(
            f"{nowhere[0]}: only the hash of its content is known here; run the command that names"
            " the file"
        )
    torch.manual_seed(trial.seed)
    net = build(trial.system, len(learn.classes), plugins=setting.plugins)
    start = _load_start(net, trial, setting)
    return _Begun(trial, host, learn, test, held, net.to(setting.device), start, seconds)


def _cache(setting: Setting) -> Cache | None:
    if not setting.cache_gib:
        return None
    folder = setting.cache_folder or setting.workspace.frames
    return Cache(folder, round(2**30 * setting.cache_gib))


def _failed(begun: _Begun, reason: str, setting: Setting) -> Record:
    return Record(state="failed", reason=reason, **begun.common(setting))


def _silent(*said: object) -> None:
    """Do nothing."""


def _features(begun: _Begun, setting: Setting) -> dict[Part, Features | None]:
    """Return the stored features of each split.

    Process 0 makes them; the others read only those of the training split.
    """
    group = current()
    splits: dict[Part, Clips | None] = {"train": begun.train}
    if group.leads:
        splits |= {"score": begun.score, "validate": begun.validate}
    with _timed("features", begun.seconds), group.first():
        return {
            split: features_of(
                begun.net,
                clips,
                begun.trial.conditions,
                split,
                setting.workspace.features,
                setting.device,
            )
            for split, clips in splits.items()
            if clips
        }


def _learn(
    begun: _Begun,
    setting: Setting,
    features: Mapping[Part, Features | None],
    on_step: Callable[[int, float], None] = _silent,
    on_note: Callable[[str], None] = _silent,
    on_validation: Callable[[int, float], None] = _silent,
) -> Trained:
    """Train in every process of the group."""
    trial, net = begun.trial, begun.net
    validate = None
    if begun.validate:
        validate = partial(
            validation_miou,
            net,
            begun.validate,
            trial.conditions,
            setting.device,
            features.get("validate"),
            setting.loader_threads,
        )
    with _timed("train", begun.seconds):
        return train(
            net,
            begun.train,
            trial.conditions,
            trial.seed,
            system=trial.system,
            folder=setting.workspace.checkpoints(trial),
            device=setting.device,
            features=features["train"],
            loader_threads=setting.loader_threads,
            validate=validate,
            on_step=on_step,
            on_note=on_note,
            on_validation=on_validation,
        )


def _run(
    begun: _Begun,
    setting: Setting,
    on_step: Callable[[int, float], None],
    on_note: Callable[[str], None],
    on_validation: Callable[[int, float], None],
) -> Record:
    trial, net = begun.trial, begun.net
    features = _features(begun, setting)
    trained = _learn(begun, setting, features, on_step, on_note, on_validation)
    with _timed("score", begun.seconds):
        scored = measure(
            net,
            begun.score,
            trial.conditions,
            setting.device,
            setting.workspace.flow,
            supply=trained.supply,
            features=features["score"],
            loader_threads=setting.loader_threads,
        )
    write_stack(setting.workspace.predictions(trial), scored.samples)
    return Record(
        state="done",
        params=sum(parameters_of(net).values()),
        class_names=begun.score.classes,
        confusion=Matrices.pack(scored.confusion),
        still=None if scored.still is None else Matrices.pack(scored.still),
        pulses=scored.pulses,
        consistency=scored.consistency,
        cost=cost_of(
            trial.system, len(begun.score.classes), trial.conditions, setting.plugins, on_note
        ),
        repeated=begun.score.repeated,
        skipped=begun.score.skipped,
        loss=tuple(trained.loss),
        validation=tuple(trained.validation),
        kept_step=trained.kept_step,
        processes=current().size,
        determinism=trained.determinism,
        seconds=tuple(begun.seconds.items()),
        peak_mib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        **begun.common(setting),
    )


def _load_start(net: VideoNetwork, trial: Trial, setting: Setting) -> str:
    """Load the pre-trained backbone if there is one; return the network's start for the record."""
    start = setting.start
    if start is None or start == trial:
        return trial.system.start_text()
    folder = setting.workspace.checkpoints(start)
    found, damaged = newest_checkpoint(folder, training_id(start))
    if found is None or found.sidecar.step != start.conditions.steps:
        raise HostError(
            f"the pre-trained backbone in {folder}: {damaged[0] if damaged else 'not found'}; every"
            " worker must have access to this folder"
        )
    net.backbone.load_state_dict(backbone_weights(found))
    return "; ".join(
        [
            f"pre-training {start.id}, sha256 {found.sidecar.sha256[:12]}",
            *map(str, trial.system.starts(but="backbone")),
        ]
    )
