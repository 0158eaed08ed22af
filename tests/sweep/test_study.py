"""A table over an axis: its points, their runs against the same runs by hand, a study that was
killed, and wrong axes.
"""

import csv
import io
import json
from pathlib import Path

import pytest
from forked import blank_figures
from typer.testing import CliRunner

from msaf_bench.catalog import read_conditions, read_table
from msaf_bench.cli import app
from msaf_bench.errors import LockedError, UsageError
from msaf_bench.findings.study import summarise_study
from msaf_bench.records import read_records
from msaf_bench.report.tables.curves import HEADS, study_csv
from msaf_bench.spec import Table
from msaf_bench.sweep.plan import make_plan
from msaf_bench.sweep.points import points_of, run_study
from msaf_bench.sweep.workspace import Setting, Workspace

ROWS = """
title = "Mini"
source = "our own"
base = "msaf-r50"
metrics = ["miou"]
reference = "Baseline"
[rows.Baseline]
swap = { motion = "none", align = "none", state = "none", assign = "none" }
[rows."Motion only"]
swap = { state = "none", assign = "none" }
"""
AXIS = """
[axis]
of = "data_options.occluders"
values = [0.0, 1.0]
"""
SMALL = [
    "--preset",
    "smoke",
    "--set",
    "steps=2",
    "--seeds",
    "2",
    "--on",
    "local",
    "--speed",
    "0",
    "--no-pictures",
]


def written(folder: Path, text: str) -> Path:
    path = folder / "mini.toml"
    path.write_text(text)
    return path


def ablate(*arguments: object):
    return CliRunner().invoke(app, ["ablate", *map(str, arguments)])


def table(axis: str) -> Table:
    from tomllib import loads

    return Table.model_validate({"name": "mini", **loads(ROWS + axis)})


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    with blank_figures():
        found = ablate("--table", written(folder, ROWS + AXIS), *SMALL, "--reports", folder / "run")
    assert found.exit_code == 0, found.output
    return folder / "run"


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_an_axis_is_the_tables_run_by_hand(study: Path, tmp_path: Path):
    for value in (0.0, 1.0):
        by_hand = tmp_path / str(value)
        found = ablate(
            "--table",
            written(tmp_path, ROWS),
            *SMALL,
            "--set",
            f"data_options.occluders={value}",
            "--reports",
            by_hand,
        )
        assert found.exit_code == 0, found.output
        ours, theirs = (
            read_records(folder / "records")
            for folder in (study / "points" / f"occluders-{value}", by_hand)
        )
        assert len(ours) == 4
        assert ours.keys() == theirs.keys()
        for name, record in ours.items():
            timed = {"seconds": (), "peak_mib": 0.0, "ended": ""}
            assert record.model_copy(update=timed) == theirs[name].model_copy(update=timed)


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_killed_study_runs_what_is_missing(study: Path):
    before = {path: path.stat().st_mtime_ns for path in study.rglob("records/*.json")}
    lost = next(iter(before))
    lost.unlink()
    again = ablate("--table", written(study.parent, ROWS + AXIS), *SMALL, "--reports", study)
    assert isinstance(again.exception, UsageError)
    assert "holds this study; add --resume" in str(again.exception)
    assert (
        ablate(
            "--table", written(study.parent, ROWS + AXIS), *SMALL, "--reports", study, "--resume"
        ).exit_code
        == 0
    )
    assert {
        path: path.stat().st_mtime_ns for path in before if path != lost
    }.items() <= before.items()
    assert lost.exists()


@pytest.mark.slow
def test_its_report_says_the_same_everywhere(study: Path):
    plan = Workspace(study).plan()
    found = summarise_study(Workspace(study), plan)
    assert (found.single, found.family, found.missing) == ("Baseline", 2, ())
    lines = list(csv.DictReader(io.StringIO(study_csv(found))))
    assert tuple(lines[0]) == HEADS
    assert [(line["value"], line["row"]) for line in lines] == [
        ("0.0", "Motion only"),
        ("1.0", "Motion only"),
    ]
    document = json.loads((study / "mini.json").read_text())
    assert [line["past"] for line in document["lines"]] == pytest.approx(
        [float(line["past"]) for line in lines], abs=1e-4
    )
    assert (study / "mini.csv").read_text() == study_csv(found)
    page = (study / "mini.html").read_text()
    assert "Over the occluders" in page
    assert "<table" in page
    rendered = CliRunner().invoke(app, ["report", str(study)])
    assert rendered.exit_code == 0
    assert "Contribution of past frames in mIoU points, by occluders (0.0, 1.0):" in rendered.output
    compared = CliRunner().invoke(app, ["compare", str(study), str(study)])
    assert "compare two of its points" in str(compared.exception)


def test_points_of_two_axes_share_a_folder(tmp_path: Path):
    shipped = read_table("when_motion_helps")
    plan = make_plan(shipped, read_conditions("quick", "street"), controls=True)
    points = points_of(plan, Workspace(tmp_path))
    assert len(points) == 7
    assert len({point.workspace.folder for point in points}) == 6
    assert points[2].plan == points[4].plan  # occluders 2 and spacing 1 are the preset's own
    assert points[6].plan.conditions.train_spacing == 3
    assert not points[0].plan.table.axis


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        (
            'of = "data_option.occluders"\nvalues = [0, 1]',
            "axis data_option.occluders = 0: unknown condition 'data_option'; did you mean",
        ),
        ('of = "steps.x"\nvalues = [1, 2]', "axis steps.x = 1: steps has no options; write steps"),
        (
            'of = "steps"\nvalues = [1, 0]',
            "axis steps = 0: steps: Input should be greater than or equal to 1, not 0",
        ),
        (
            'of = "steps"\nvalues = [5, 7, 5]',
            "axis steps = 5 is the same point as 5; omit one",
        ),
        (
            'of = "data"\nvalues = ["street", "camvid"]',
            "axis data = street: data cannot be changed; use --data",
        ),
    ],
)
def test_a_wrong_axis_is_named(tmp_path: Path, axis: str, message: str):
    plan = make_plan(table(f"[axis]\n{axis}"), read_conditions("smoke", "street"))
    with pytest.raises(UsageError) as error:
        points_of(plan, Workspace(tmp_path))
    assert str(error.value).startswith(message)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("axis", "message"),
    [
        ("[axis]\nof = 'steps'\nvalues = [5]", "axis.values: Tuple should have at least 2 items"),
        (
            "[axis]\nof = 'steps'\nvalues = [5, 7]\nalso = { lr = [0.1] }",
            "also 'lr' has 1 values, 'steps' has 2; give one for each",
        ),
        (
            "[axis]\nof = 'data_options.occluders'\nvalues = [1, -1]",
            "street option occluders = -1: needs a number from 0 to 10000",
        ),
        (
            "[axis]\nof = 'data_options.ocluders'\nvalues = [1, 2]",
            "unknown street option 'ocluders'; did you mean occluders",
        ),
    ],
)
def test_a_wrong_axis_stops_before_any_training(tmp_path: Path, axis: str, message: str):
    found = ablate(
        "--table", written(tmp_path, f"{ROWS}{axis}\n"), *SMALL, "--reports", tmp_path / "run"
    )
    assert isinstance(found.exception, UsageError)
    assert message in str(found.exception)
    assert not list(tmp_path.rglob("records"))


@pytest.mark.slow
def test_one_seed_is_said_to_decide_nothing(tmp_path: Path):
    found = ablate(
        "--table",
        written(tmp_path, ROWS + AXIS),
        "--preset",
        "smoke",
        "--seeds",
        "1",
        "--on",
        "local",
        "--dry-run",
    )
    assert found.exit_code == 0
    assert "one seed gives no interval and no verdict; add --seeds 5" in found.output
    assert "4 trials = 2 points x 2 rows x 1 seed, 0 finished" in found.output


def test_a_point_in_use_is_left_to_the_other_process(tmp_path: Path):
    plan, seen = make_plan(table(AXIS), read_conditions("smoke", "street")), list[str]()

    def run(point, setting):
        seen.append(setting.workspace.folder.name)
        if setting.workspace.folder.name == "occluders-0.0" and seen.count("occluders-0.0") == 1:
            raise LockedError("in use")

    left = run_study(plan, Setting(Workspace(tmp_path)), lambda *_: None, run, resume=False)
    assert left == ()
    assert seen == ["occluders-0.0", "occluders-1.0", "occluders-0.0"]

    def never(point, setting):
        raise LockedError("in use")

    left = run_study(plan, Setting(Workspace(tmp_path)), lambda *_: None, never, resume=True)
    assert [folder.name for folder in left] == ["occluders-0.0", "occluders-1.0"]
