"""The harness can see what it should: controls on the street, where what there is to gain from the
past is known.
"""

import pytest
import torch
from heard import Heard

from msaf_bench.analyzers.miou import miou
from msaf_bench.catalog import read_conditions, read_table
from msaf_bench.components.align import DeformableAlign
from msaf_bench.data.street import KNOBS
from msaf_bench.errors import UsageError
from msaf_bench.records import read_records
from msaf_bench.spec import Row
from msaf_bench.stats import mean_interval, paired_difference
from msaf_bench.sweep.driver import run_sweep
from msaf_bench.sweep.plan import make_plan
from msaf_bench.sweep.workspace import Setting, Workspace

SEEDS = 3
SMALL = {"train_videos": 60, "score_videos": 30, "video_frames": 5}
CLEAN = dict.fromkeys((name for name in KNOBS if name != "speed"), 0.0)
RATES = (1e-2, 2e-3, 1e-3, 6e-5)  #: of the presets


class Done(Heard):
    def finished(self, record):
        assert record.state == "done", record.reason


def conditions(options, **changes):
    quick = {
        "steps": 150,
        "pretrain_steps": 500,
        "consistency": (),
        "flow": "none",
        "data_options": SMALL | options,
    }
    return read_conditions("quick", "street", quick | changes)


def run(folder, plan):
    heard = Done()
    run_sweep(plan, Setting(Workspace(folder)), heard)
    records, labels = read_records(folder / "records"), plan.labels()
    found = {}
    for i, record in records.items():
        if i in labels:
            found.setdefault(labels[i], {})[record.trial.seed] = record
    return found, heard.notes


def scores(records):
    return {seed: miou(record.confusion.unpack().sum(0)) for seed, record in records.items()}


def past(records):
    return mean_interval(
        [
            miou(r.confusion.unpack().sum(0)) - miou(r.still.unpack().sum(0))
            for r in records.values()
        ]
    )


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory):
    table = read_table("3").model_copy(update={"reference": "Baseline"})
    plan = make_plan(table, conditions({"occluders": 2.0}), ["Baseline"], SEEDS)
    plan = plan.model_copy(update={"controls": ("Concatenation", "Strangers")})
    return run(tmp_path_factory.mktemp("disturbed"), plan)[0]


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """The positive control alone, as a row."""
    table = read_table("3")
    row = Row(swap=dict(table.controls)["Concatenation"].swap)
    changed = {"rows": (("Concatenation", row),), "reference": "Concatenation"}
    changed |= {"controls": (), "orderings": ()}
    plan = make_plan(table.model_copy(update=changed), conditions(CLEAN), seeds=SEEDS)
    return run(tmp_path_factory.mktemp("clean"), plan)[0]


@pytest.mark.slow
def test_on_the_disturbed_street_the_positive_control_is_separated_from_zero(disturbed):
    gain = paired_difference(
        scores(disturbed["Concatenation"]), scores(disturbed["Baseline"])
    ).interval
    assert gain.low > 0
    assert past(disturbed["Concatenation"]).low > 0


@pytest.mark.slow
def test_on_the_clean_street_there_is_nothing_to_gain(clean, disturbed):
    still = past(clean["Concatenation"])
    assert still.low <= 0.1
    assert still.mean < 0.3 * past(disturbed["Concatenation"]).mean


@pytest.mark.slow
def test_strangers_do_not_help(disturbed):
    gain = paired_difference(scores(disturbed["Strangers"]), scores(disturbed["Baseline"])).interval
    real = paired_difference(
        scores(disturbed["Concatenation"]), scores(disturbed["Strangers"])
    ).interval
    assert gain.low <= 0
    assert real.low > 0


@pytest.mark.slow
@pytest.mark.parametrize("rate", RATES)
def test_motion_is_live_at_every_presets_learning_rate(tmp_path, rate):
    plan = make_plan(
        read_table("3").model_copy(update={"reference": "Motion only"}),
        conditions(
            {"occluders": 2.0, "train_videos": 20, "score_videos": 8},
            lr=rate,
            steps=80,
            pretrain_steps=60,
            pretrain_lr=2e-3,
        ),
        ["Motion only"],
        1,
    )
    found, notes = run(tmp_path, plan)
    (record,) = found["Motion only"].values()
    assert {p.part: p.reason for p in record.pulses if not p.live} == {}
    assert [text for text in notes if "not live" in text] == []
    gauges = dict(next(p.gauges for p in record.pulses if p.part == "align"))
    assert gauges["inside"] > 0.7


@pytest.mark.slow
def test_a_dcn_forced_off_the_map_is_said_at_once_and_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(
        DeformableAlign,
        "offsets",
        lambda self, past, newest: past.new_full((len(past), 18, *past.shape[-2:]), 1000.0),
    )
    plan = make_plan(
        read_table("3").model_copy(update={"reference": "Motion only"}),
        conditions({"train_videos": 20, "score_videos": 8}, steps=20, pretrain_steps=20),
        ["Motion only"],
        1,
    )
    found, notes = run(tmp_path, plan)
    assert any(text.startswith("step 10: align is not live") for text in notes)
    (record,) = found["Motion only"].values()
    assert "inside the map" in next(
        p.reason for p in record.pulses if p.part == "align" and not p.live
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rates": {"ofset": 0.1}}, "rates.ofset: no row has weights with this name"),
        ({"pretrain_steps": 0}, "freezes random weights.*pretrain_steps=1500"),
        ({"flow": "none"}, "cannot be aligned without flow.*flow=dis"),
    ],
)
def test_what_a_run_cannot_give_stops_it_before_any_training(tmp_path, changes, message):
    plan = make_plan(read_table("3"), conditions({}, **changes), ["Baseline"], 1, controls=True)
    with pytest.raises(UsageError, match=message):
        run_sweep(plan, Setting(Workspace(tmp_path)), Heard())
    assert not list(tmp_path.glob("records/*"))


@pytest.mark.slow
def test_the_true_flow_of_real_video_is_refused(tmp_path, camvid_root):
    changed = read_conditions(
        "smoke", "camvid", {"flow": "exact", "data_options": {"allow_partial": True}}
    )
    with pytest.raises(UsageError, match="does not know its motion; use flow dis"):
        run_sweep(
            make_plan(read_table("3"), changed, ["Baseline"], 1, controls=True),
            Setting(Workspace(tmp_path), camvid_root),
            Heard(),
        )


@pytest.mark.slow
def test_equal_seeds_give_equal_numbers_from_kept_features(tmp_path):
    torch.set_num_threads(1)
    plan = make_plan(
        read_table("3"),
        conditions({"train_videos": 10, "score_videos": 4}, steps=5, pretrain_steps=5),
        ["w/o DCN"],
        1,
    )
    one, other = (run(tmp_path / name, plan)[0] for name in ("a", "b"))
    assert {k: scores(v) for k, v in one.items()} == {k: scores(v) for k, v in other.items()}
