"""What stands beside the mIoU, from records with known contents."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from msaf_bench.analyzers.miou import miou
from msaf_bench.findings.summary import Summary
from msaf_bench.records import Consistency, Cost, Matrices, Record
from msaf_bench.report.figures.charts import variant_charts
from msaf_bench.report.kinds import view_of
from msaf_bench.report.tables.columns import columns, legend
from msaf_bench.report.tables.values import to_csv
from msaf_bench.report.tables.variants import row_values, to_latex, to_markdown
from msaf_bench.stats import mean_interval

Make = Callable[..., Summary]
COST = Cost(
    params=(("backbone", 900), ("motion", 100)),
    clip=(("backbone", 3_000), ("motion", 500)),
    stream=(("backbone", 1_000), ("motion", 500)),
)


def measured(record: Record) -> Record:
    """Every second pixel of every class is lost without the past; consistency grows with
    the seed.
    """
    assert record.confusion is not None
    matrices = record.confusion.unpack()
    half = np.diagonal(matrices, axis1=1, axis2=2) // 2
    still = matrices - half[:, :, None] * np.eye(11, dtype=np.int64)
    still[:, :, 0] += half
    value = 60.0 + record.trial.seed + (5.0 if record.trial.system["motion"].use == "none" else 0.0)
    found = (
        Consistency(
            preset="clean",
            flow="exact",
            value=value,
            pairs=3,
            controls=(("truth", 100.0), ("constant", 100.0), ("no_warp", 50.0)),
        ),
        Consistency(preset="vc8", flow="exact", value=None, reason="needs more than 8 frames"),
    )
    return record.model_copy(
        update={"still": Matrices.pack(still), "consistency": found, "cost": COST}
    )


@pytest.fixture(scope="module")
def full(make: Make) -> Summary:
    return make(
        change=lambda records, _: {key: measured(record) for key, record in records.items()}
    )


@pytest.mark.slow
def test_without_such_records_there_is_no_second_table_but_other_frames(summary: Summary):
    assert [column.head for column in columns(summary)] == ["mIoU, other frames", "ahead of MSAF"]
    assert "beside" not in [chart.name for chart in variant_charts(view_of(summary))]


@pytest.mark.slow
def test_past_frames_contribute_the_miou_that_is_lost_without_them(make: Make, full: Summary):
    kept: dict[str, Record] = {}
    make(change=lambda records, _: kept.update(records) or records)
    row = full.rows[0]
    gaps = []
    for run in row.runs:
        record = measured(kept[run.trial])
        assert record.confusion
        assert record.still
        gaps.append(miou(record.confusion.unpack().sum(0)) - miou(record.still.unpack().sum(0)))
    assert row.measures.past == mean_interval(gaps)
    assert row.measures.past.mean > 10


def test_consistency_is_over_seeds_and_keeps_its_reason(full: Summary):
    rows = {row.label: row for row in full.rows}
    clean, vc8 = rows["Baseline"].measures.consistency
    assert clean.interval == mean_interval([65.0, 66.0, 67.0, 68.0, 69.0])
    assert rows["MSAF"].measures.consistency[0].interval == mean_interval(
        [60.0, 61.0, 62.0, 63.0, 64.0]
    )
    assert dict(clean.controls) == {"truth": 100.0, "constant": 100.0, "no_warp": 50.0}
    assert (vc8.interval, vc8.reason) == (None, "needs more than 8 frames")


def test_other_frames_hold_the_mean_and_say_who_is_ahead(full: Summary):
    rows = {row.label: row for row in full.rows}
    images, mean = rows["Baseline"].measures.images, rows["Baseline"].interval
    assert images is not None
    assert mean is not None
    assert images.low is not None
    assert images.high is not None
    assert images.low < mean.mean < images.high
    assert images.mean == pytest.approx(mean.mean)
    ahead = rows["Baseline"].measures.image_difference
    assert ahead is not None
    assert ahead.better < 0.05  # the made-up Baseline is clearly behind
    assert rows["MSAF"].measures.image_difference is None


@pytest.mark.slow
def test_macs_are_summed_over_the_parts(full: Summary):
    assert tuple(full.rows[0].measures.macs(mode) for mode in ("clip", "stream")) == (3_500, 1_500)
    values = row_values(view_of(full), full.rows[0])
    assert (values["macs_clip"], values["macs_stream"], values["tc_clean"], values["tc_vc8"]) == (
        3_500,
        1_500,
        67.0,
        None,
    )
    assert (values["tc_clean_no_warp"], values["tc_vc8_no_warp"]) == (50.0, None)


@pytest.mark.slow
def test_every_format_has_the_columns_and_what_they_are(full: Summary):
    heads = [column.head for column in columns(full)]
    assert heads == [
        "mIoU, other frames",
        "ahead of MSAF",
        "TC clean",
        "no warp",
        "TC vc8",
        "no warp",
        "past frames",
        "GMAC clip",
        "GMAC stream",
    ]
    markdown, latex = to_markdown(view_of(full)), to_latex(view_of(full))
    assert all(head in markdown and head in latex for head in heads)
    assert "67.0 (65.0 to 69.0)" in markdown
    assert "tc_clean,tc_clean_low,tc_clean_high" in to_csv(view_of(full))
    said = " ".join(legend(full, columns(full)))
    assert "Controls: ground truth 100.00, constant prediction 100.00" in said
    assert "needs more than 8 frames" in said


@pytest.mark.slow
def test_the_figure_has_a_panel_for_each_kind(full: Summary):
    (chart,) = (c for c in variant_charts(view_of(full)) if c.name == "beside")
    assert [axes.get_title(loc="left") for axes in chart.figure.axes] == [
        "TC clean",
        "MACs per result",
    ]
    assert len(chart.lines) == len(full.rows)


def test_a_part_with_the_name_of_another_column_hides_no_number(full):
    names = ("row", "state", "p")
    slots = (slot for _, slot in full.table.ticks)
    ticks = tuple(zip(names, slots, strict=True))
    plain = view_of(full)
    renamed = view_of(replace(full, table=full.table.model_copy(update={"ticks": ticks})))
    for row in full.rows:
        values, before = (view.kind.row_values(view, row) for view in (renamed, plain))
        assert {name: values[name] for name in names} == {name: before[name] for name in names}
        assert [values[f"{name} (part)"] for name in names] == [int(tick) for tick in row.ticks]
