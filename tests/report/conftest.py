"""A made-up Table 3: nine rows, five seeds, eleven classes, with the orders that a real run might
show.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import product

import numpy as np
import pytest

from msaf_bench.analyzers.speed.measure import Speed, SpeedConditions
from msaf_bench.data.labels.classes import CAMVID_CLASSES
from msaf_bench.findings.summarise import summarise
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.trials import results_of
from msaf_bench.records import Consistency, Host, Matrices, Pulse, Record, SystemCost
from msaf_bench.report.kinds import view_of
from msaf_bench.report.view import View
from msaf_bench.spec import Conditions, Control, Ordering, Row, System, Table, Trial

BASE = System.model_validate(
    {
        "architecture": "msaf",
        "name": "msaf-r50",
        "slots": {
            "motion": "pst-att",
            "align": "dcn",
            "state": "apm",
            "assign": "softmax",
            "backbone": "resnet50",
        },
    }
)
# label: (swap, printed mIoU, strength of the made-up measurement)
ROWS: dict[str, tuple[dict[str, str], float, float]] = {
    "Baseline": (
        {"motion": "none", "align": "none", "state": "none", "assign": "none"},
        74.5,
        0.60,
    ),
    "Baseline + TR": ({"motion": "transformer", "state": "none", "assign": "none"}, 77.5, 0.615),
    "Motion only": ({"state": "none", "assign": "none"}, 79.1, 0.645),
    "State only": ({"motion": "none", "assign": "none"}, 76.5, 0.635),
    "w/o Motion": ({"motion": "none"}, 77.3, 0.64),
    "w/o State": ({"state": "none"}, 79.7, 0.655),
    "w/o Semantics": ({"assign": "none"}, 79.8, 0.662),
    "w/o DCN": ({"align": "none"}, 79.8, 0.672),
    "MSAF": ({}, 80.4, 0.668),
}
CONCAT = {"motion": "concat", "align": "none", "state": "none", "assign": "none"}
CONTROLS = {
    "Concatenation": {"role": "positive", "swap": CONCAT, "note": "features side by side"},
    "Oracle alignment": {"role": "bound", "swap": CONCAT, "past": "aligned"},
    "Strangers": {"role": "negative", "swap": CONCAT, "past": "strangers"},
}
TABLE = Table(
    name="table3",
    title="Table 3: what each part of MSAF earns",
    source="the paper, Table 3",
    provenance="Cityscapes val, ResNet-50",
    base="msaf-r50",
    metrics=("miou",),
    reference="MSAF",
    ticks={
        "MonA": "motion",
        "StaA": "state",
        "SemA": "assign",
    },  # pyright: ignore[reportArgumentType]
    rows={
        label: Row(swap=swap, paper={"miou": printed}) for label, (swap, printed, _) in ROWS.items()
    },  # pyright: ignore[reportArgumentType]
    controls={  # pyright: ignore
        label: Control.model_validate(control) for label, control in CONTROLS.items()
    },
    orderings=(
        Ordering(better="Motion only", worse="Baseline + TR", source="section 4.3"),
        Ordering(better="MSAF", worse="w/o Motion", source="section 4.3", points=3.1),
    ),
)
CONDITIONS = Conditions(
    preset="quick",
    data="street",
    size=(96, 192),
    train_spacing=1,
    score_spacing=1,
    steps=300,
    batch=4,
    lr=3e-4,
)
HOST = Host(
    device="cpu",
    cpu="Example CPU 3000 @ 2.5 GHz",
    cores=2,
    threads=2,
    python="3.11.2",
    torch="2.13.0",
    msaf_bench="0.1.0",
    commit="0123456789ab",
)
# of each class in an image; no pedestrian ever
PIXELS = np.array([2200, 2600, 60, 3000, 900, 1500, 90, 200, 700, 0, 110])


def systems_of(table: Table) -> dict[str, System]:
    """Every row's system."""
    return {label: BASE.swap(row.swap) for label, row in table.rows}


def trials_of(
    table: Table = TABLE, seeds: Iterable[int] = range(5), conditions: Conditions = CONDITIONS
) -> list[Trial]:
    """Every row with every seed."""
    return [
        Trial(system=system, conditions=conditions, seed=seed)
        for system in systems_of(table).values()
        for seed in seeds
    ]


def confusion(strength: float, rng: np.random.Generator) -> np.ndarray:
    """(4, K, K): rare classes are found less often; wrong pixels spread over the others as they are
    common.
    """
    common = PIXELS / PIXELS.sum()
    hit = np.clip(
        strength + 0.5 * common**0.5 + 0.05 * rng.standard_normal(len(PIXELS)) * 0.2, 0, 1
    )
    rates = hit[:, None] * np.eye(len(PIXELS)) + (1 - hit)[:, None] * common[None]
    return np.stack(
        [rng.multinomial(n, rate / rate.sum(), 4) for n, rate in zip(PIXELS, rates, strict=True)], 1
    ).astype(np.int64)


def record_of(trial: Trial, strength: float) -> Record:
    """A finished trial whose mIoU grows with `strength`, and whose seeds share a common part."""
    rng = np.random.default_rng([trial.seed, int(1000 * strength)])
    shared = 0.012 * np.random.default_rng(trial.seed).standard_normal()
    noise = 0.003 * rng.standard_normal()
    steps = np.arange(20, 301, 20)
    loss = (
        2.4 * np.exp(-steps / (120 - 60 * (strength - 0.6) * 10))
        + 0.9
        - strength
        + 0.02 * rng.standard_normal(len(steps))
    )
    return Record(
        trial=trial,
        state="done",
        host=HOST,
        data="d41d8cd98f00",
        params=1_234_567 + int(1e6 * strength),
        class_names=CAMVID_CLASSES,
        confusion=Matrices.pack(confusion(strength + shared + noise, rng)),
        loss=tuple((int(step), float(value)) for step, value in zip(steps, loss, strict=True)),
    )


def records_of(table: Table, trials: Iterable[Trial]) -> dict[str, Record]:
    """A finished record for every trial."""
    known = {tuple(sorted(swap.items())): strength for swap, _, strength in ROWS.values()}
    swaps = {
        systems_of(table)[label].key: tuple(sorted((slot, choice.use) for slot, choice in row.swap))
        for label, row in table.rows
    }
    strength = {key: known.get(swap, 0.62) for key, swap in swaps.items()}
    return {trial.id: record_of(trial, strength[trial.system.key]) for trial in trials}


PAST = {  # label: (share of the hits that go with the past frames, strength of a control)
    "Baseline + TR": (0.001, 0.0),
    "Motion only": (0.03, 0.0),
    "w/o State": (0.025, 0.0),
    "w/o Semantics": (0.024, 0.0),
    "w/o DCN": (0.022, 0.0),
    "MSAF": (0.018, 0.0),
    "Concatenation": (0.035, 0.65),
    "Oracle alignment": (0.04, 0.66),
    "Strangers": (0.0, 0.599),
}
GAUGES = {
    "align": {"inside": 0.97, "offset_rms": 0.6, "varying": 1.0},
    "motion": {"past_weight": 0.6, "varying": 1.0},
}


def pulse_of(part: str, **how: object) -> Pulse:
    """A live pulse."""
    known = {
        "gradient": 0.9,
        "silent": 0.0,
        "changed": 40.0,
        "miou": 12.0,
        "gauges": GAUGES.get(part, {}),
    }
    return Pulse.model_validate({"part": part, "live": True, **known, **how})


def dead_pulse(part: str, inside: float = 0.02) -> Pulse:
    """The pulse of a part whose taps have left the map."""
    why = f"{inside:.1%} of its taps lie inside the map"
    return pulse_of(
        part,
        live=False,
        reason=why,
        changed=0.4,
        miou=0.1,
        gradient=1e-7,
        gauges={"inside": inside, "offset_rms": 60.0},
    )


def moving(record: Record, share: float, dead: Mapping[str, Pulse]) -> Record:
    """The same record with pulses and, of a network of several frames, with a score whose newest
    frame is repeated.
    """
    parts = [
        "entry",
        *(
            slot
            for slot, choice in record.trial.system.slots
            if choice.use != "none" and slot != "backbone"
        ),
        "past",
    ]
    if not share and record.trial.conditions.past != "strangers":
        return record.model_copy(
            update={"pulses": tuple(dead.get(part, pulse_of(part)) for part in parts[:-1])}
        )
    assert record.confusion is not None
    matrices = record.confusion.unpack()
    lost = (
        share
        + 0.002 * np.random.default_rng(record.trial.seed + int(1e5 * share)).standard_normal()
    ) * np.diagonal(matrices, axis1=1, axis2=2)
    lost = np.rint(lost).astype(np.int64)
    still = matrices - lost[:, :, None] * np.eye(len(PIXELS), dtype=np.int64)
    still[:, :, 0] += lost
    pulses = tuple(dead.get(part, pulse_of(part)) for part in parts)
    return record.model_copy(update={"still": Matrices.pack(still), "pulses": pulses})


def moving_run(
    dead: Mapping[tuple[str, int], Pulse] | None = None,
    shares: Mapping[str, float] | None = None,
    strengths: Mapping[str, float] | None = None,
    seeds: Iterable[int] = range(5),
    table: Table = TABLE,
    conditions: Conditions = CONDITIONS,
    change: Callable[[dict[str, Record], list[Trial]], dict[str, Record]] = lambda records, _: (
        records
    ),
) -> Summary:
    """A made-up run with controls and pulses.

    `dead` gives pulses that are not live by label and seed, `shares` and `strengths` other numbers
    for `PAST`, by label.
    """
    seeds = list(seeds)
    controls = {
        label: (BASE.swap(control.swap), conditions.model_copy(update={"past": control.past}))
        for label, control in table.controls
    }
    trials = trials_of(table, seeds, conditions)
    beside = [
        Trial(system=system, conditions=own, seed=seed)
        for system, own in controls.values()
        for seed in seeds
    ]
    records = records_of(table, trials)
    labels = {
        trial.id: label
        for label, system in systems_of(table).items()
        for trial in trials
        if trial.system == system
    }
    for trial in beside:
        labels[trial.id] = next(
            label for label, pair in controls.items() if pair == (trial.system, trial.conditions)
        )
        records[trial.id] = record_of(
            trial, (strengths or {}).get(labels[trial.id], PAST[labels[trial.id]][1])
        )
    share = {label: share for label, (share, _) in PAST.items()} | dict(shares or {})
    for name, label in labels.items():
        pulse = (dead or {}).get((label, records[name].trial.seed))
        records[name] = moving(
            records[name], share.get(label, 0.0), {pulse.part: pulse} if pulse else {}
        )
    return summarise(
        table,
        systems_of(table),
        [*trials, *beside],
        results_of(change(records, [*trials, *beside]).values()),
        controls=controls,
    )


Make = Callable[..., Summary]
DEAD = {
    ("w/o Semantics", 1): dead_pulse("align", 0.02),
    ("w/o Semantics", 3): dead_pulse("align", 0.31),
    **{
        ("Strangers", seed): pulse_of(
            "past", live=False, reason="0.05 % of the pixels change", changed=0.05, miou=0.0
        )
        for seed in range(5)
    },
}


@pytest.fixture(scope="session")
def make_moving() -> Make:
    """Summarises a made-up run with controls and pulses: `make_moving(dead=…, shares=…,
    strengths=…, seeds=…, change=…)`.
    """
    return moving_run


@pytest.fixture(scope="session")
def moved() -> Summary:
    """A run with controls in which the DCN of one row is not live in two of five seeds, and a
    negative control ignores its past.
    """
    return moving_run(DEAD)


@pytest.fixture(scope="session")
def make() -> Make:
    """Summarises a made-up run: `make(table, seeds=…, conditions=…, change=…)`, where `change`
    edits the records before.
    """

    def build(
        table: Table = TABLE,
        seeds: Iterable[int] = range(5),
        conditions: Conditions = CONDITIONS,
        change: Callable[[dict[str, Record], list[Trial]], dict[str, Record]] = lambda records, _: (
            records
        ),
        allow_mixed: bool = False,
    ) -> Summary:
        trials = trials_of(table, seeds, conditions)
        return summarise(
            table,
            systems_of(table),
            trials,
            results_of(change(records_of(table, trials), trials).values()),
            allow_mixed=allow_mixed,
        )

    return build


@pytest.fixture(scope="session")
def summary(make: Make) -> Summary:
    """The whole table, every trial done."""
    return make()


@pytest.fixture(scope="session")
def table() -> Table:
    """The made-up Table 3."""
    return TABLE


@pytest.fixture(scope="session")
def conditions() -> Conditions:
    """Its conditions."""
    return CONDITIONS


@pytest.fixture(scope="session")
def systems() -> dict[str, System]:
    """Its systems, by label."""
    return systems_of(TABLE)


@pytest.fixture(scope="session")
def factorial() -> Table:
    """Every combination of the three parts: a complete design."""
    swaps = [
        {slot: "none" for slot, off in zip(("motion", "state", "assign"), bits, strict=True) if off}
        for bits in product((True, False), repeat=3)
    ]
    rows = {
        " + ".join(sorted({"motion", "state", "assign"} - set(swap))) or "nothing": Row(swap=swap)
        for swap in swaps
    }  # pyright: ignore[reportArgumentType]
    changes = {
        "name": "factorial",
        "rows": tuple(rows.items()),
        "reference": "assign + motion + state",
        "orderings": (),
    }
    return TABLE.model_copy(update=changes)


# A made-up table of whole systems, of both kinds: (label, model, block, printed numbers, daggers,
# in the style of its source).
SYSTEMS: tuple[tuple[str, str, str, dict[str, float], tuple[str, ...], bool], ...] = (
    ("PSPNet18", "PSPNet", "light", {"miou": 75.5, "fps": 10.99, "tc": 68.5}, ("fps",), False),
    (
        "Accel ResNet18",
        "Accel",
        "light",
        {"miou_test": 72.1, "fps": 2.27},
        ("miou_test", "fps"),
        False,
    ),
    ("STT ResNet18", "STT", "light", {"miou": 77.3, "fps": 11.5, "tc": 73.0}, (), True),
    ("MSAF ResNet18 512", "MSAF", "light", {"miou": 75.8, "fps": 24.39}, ("miou", "fps"), False),
    (
        "MSAF ResNet18",
        "MSAF",
        "light",
        {"miou": 78.2, "miou_test": 78.3, "fps": 8.76, "tc": 73.8},
        (),
        False,
    ),
    *(
        (
            f"Other {n}",
            f"Other{n}",
            "heavy",
            {"miou": 76.0 + n, "fps": 8.0 - n, "tc": 75.0 - n},
            (),
            False,
        )
        for n in range(6)
    ),
    ("MSAF ResNet101", "MSAF", "heavy", {"miou": 83.0, "fps": 1.96, "tc": 76.0}, (), False),
)
UNRUN = "MSAF ResNet18 512"


def systems_table() -> Table:
    """The made-up table; one row is only printed."""
    rows = {
        label: Row(
            system="" if label == UNRUN else "x",
            model=model,
            backbone=label.split()[1] if " " in label else label,
            block=block,
            paper=paper,  # pyright: ignore[reportArgumentType]
            provenance=dict.fromkeys(daggers, "another way"),  # pyright: ignore[reportArgumentType]
        )
        for label, model, block, paper, daggers, _ in SYSTEMS
    }
    return Table(
        name="whole",
        title="Whole systems",
        source="the paper, Table 1",
        data="cityscapes",
        cost_size=(1024, 2048),
        cost_classes=19,
        metrics=("miou", "miou_test", "fps", "tc"),
        reference="MSAF ResNet18",
        rows=rows,  # pyright: ignore[reportArgumentType]
    )


def speed_of(
    system: System,
    mode: str,
    fps: float,
    phases: tuple[float, ...] = (),
    flags: tuple[tuple[str, str], ...] = (),
) -> Speed:
    """A time without spread."""
    ms = 1000 / fps
    known = {"value": ms, "low": ms, "high": ms}
    return Speed.model_validate(
        {
            "system": system,
            "conditions": SpeedConditions(size=(64, 128), mode=mode, threads=1),  # pyright: ignore
            "num_classes": 11,
            "host": HOST,
            "latency": {"p50": known, "p90": known, "p99": known, "mean": ms, "samples": 700},
            "phases_ms": phases,
            "memory": {
                "kind": "resident, above the built network",
                "weights_bytes": 1,
                "peak_bytes": 50 * 2**20,
            },
            "flags": flags,
        }
    )


MakeSystems = Callable[..., Summary]


@pytest.fixture(scope="session")
def make_systems() -> MakeSystems:
    """Summarises a made-up run of whole systems: `make_systems(seeds=…, change=…, costs=…,
    flags=…)`; flags are of a row's stream time.
    """

    def build(
        seeds: int = 1,
        change: Callable[[dict[str, Record], list[Trial]], dict[str, Record]] = lambda records, _: (
            records
        ),
        costs: bool = True,
        flags: dict[str, tuple[tuple[str, str], ...]] | None = None,
        allow_mixed: bool = False,
    ) -> Summary:
        table = systems_table()
        printed = {label: row for label, row in table.rows if row.system}
        style = {label: "no sizes are given" if styled else "" for label, *_, styled in SYSTEMS}
        systems = {
            label: System(
                architecture=row.model.lower(),
                slots={"backbone": row.backbone},
                name=label,
                style=style[label],
            )  # pyright: ignore[reportArgumentType]
            for label, row in printed.items()
        }
        trials = [
            Trial(system=system, conditions=CONDITIONS, seed=seed)
            for seed in range(seeds)
            for system in systems.values()
        ]
        records, speeds, counted = {}, {}, {}
        for index, (label, system) in enumerate(systems.items()):
            paper = dict(printed[label].paper)
            for trial in (t for t in trials if t.system == system):
                found = Consistency(
                    preset="clean",
                    flow="exact",
                    value=60.0 + index,
                    pairs=3,
                    controls=(("truth", 100.0),),
                )
                record = record_of(trial, 0.55 + 0.01 * (paper.get("miou", 74.0) - 74))
                records[trial.id] = record.model_copy(update={"consistency": (found,)})
            cycle = (400.0, 100.0, 100.0, 100.0, 100.0) if printed[label].model == "Accel" else ()
            speeds[label] = [
                speed_of(system, "clip", paper["fps"]),
                speed_of(system, "stream", 2 * paper["fps"], cycle, (flags or {}).get(label, ())),
            ]
            stream = (10_000_000_000, 5_000_000_000) if cycle else (int(80e9 / paper["fps"]),)
            if costs:
                counts = {"params": 12_345_678, "clip": 3 * stream[0], "stream": stream}
                outside = ("DIS flow",) if label == "Other 1" else ()
                counted[label] = SystemCost(
                    system=system, size=(1024, 2048), num_classes=19, uncounted=outside, **counts
                )
        return summarise(
            table,
            systems,
            trials,
            results_of(change(records, trials).values()),
            speeds,
            counted,
            allow_mixed=allow_mixed,
        )

    return build


@pytest.fixture(scope="session")
def whole(make_systems: MakeSystems) -> Summary:
    """One seed of every made-up system."""
    return make_systems()


@pytest.fixture(scope="session")
def whole_view(whole: Summary) -> View:
    """Its view."""
    return view_of(whole)
