"""The answers of a run: one sentence for each part, the same everywhere."""

import json
from dataclasses import replace

import pytest
from markup import Page

from msaf_bench.catalog import read_table
from msaf_bench.documents import json_text
from msaf_bench.findings.answers import Answer, answers_of, title_of
from msaf_bench.findings.digits import digits_of, mean_span, number
from msaf_bench.findings.power import power_of
from msaf_bench.findings.recorded import with_names
from msaf_bench.findings.wording import SIGNS, TONES
from msaf_bench.report.console import print_summary
from msaf_bench.report.document import to_json
from msaf_bench.report.kinds import view_of
from msaf_bench.report.page.page import to_html
from msaf_bench.report.tables.variants import to_markdown
from msaf_bench.spec import Table
from msaf_bench.stats import Interval

PARTS = ("Motion alignment in its place", "Motion branch")


@pytest.fixture
def named(moved):
    """A run whose two orderings tell parts apart."""
    orderings = tuple(
        ordering.model_copy(update={"part": part})
        for ordering, part in zip(moved.table.orderings, PARTS, strict=True)
    )
    verdicts = tuple(
        replace(verdict, part=part)
        for verdict, part in zip(moved.verdicts, (*PARTS, *[""] * 99), strict=False)
    )
    table = moved.table.model_copy(update={"orderings": orderings, "question": "which part?"})
    return replace(moved, table=table, verdicts=verdicts)


def test_only_the_parts_are_answered_where_there_are_any(named):
    answers = answers_of(named, power_of(named))
    assert tuple(line.part for line in answers.lines) == PARTS
    assert answers.title == "Table 3 on street: which part?"
    first, verdict = answers.lines[0], named.verdicts[0]
    assert first.interval == verdict.difference.interval
    assert first.word == verdict.word
    assert first.sentence == (
        f"{PARTS[0]}: {mean_span(first.interval, signed=True).replace(' (', ' mIoU (')},"
        f" {verdict.word}; the paper prints +1.6."
    )


def test_the_same_sentences_stand_everywhere(named, capsys):
    view = view_of(named)
    print_summary(view)
    said = {
        "terminal": capsys.readouterr().out,
        "page": Page(to_html(view, [])).text,
        "JSON": json.dumps(json.loads(json_text(to_json(view))), ensure_ascii=False),
        "Markdown": to_markdown(view),
    }
    for place, text in said.items():
        flat = " ".join(text.split()).replace("\\", "")
        for line in view.answers.lines:
            assert line.amount in flat.replace(" mIoU (", " ("), place
            assert line.word in flat, place
        for sentence in view.answers.trust:
            assert sentence in flat, place
    for place in ("terminal", "JSON", "Markdown"):
        flat = " ".join(said[place].split()).replace("\\", "")
        assert all(line.sentence in flat for line in view.answers.lines), place


def test_a_part_that_is_not_live_is_counted_and_decides_nothing(moved, named):
    answers = answers_of(moved, power_of(moved))
    assert (
        answers.trust[0] == "1 of 45 parts not live: rows with such a part support no conclusion."
    )
    ill = [line for line in answers.lines if "w/o Semantics" in line.part]
    assert ill
    assert all(line.word == "not comparable" and line.against for line in ill)
    assert all(line.against in line.sentence for line in ill)


def test_one_seed_says_that_it_decides_nothing(make_moving):
    summary = make_moving(seeds=[0])
    answers = answers_of(summary, power_of(summary))
    assert "1 seed: no difference has an interval, so no comparison is decided." in answers.trust
    assert all("(one seed)" in line.sentence for line in answers.lines if line.interval)


def test_a_table_without_a_paper_compares_with_its_reference_row(make):
    table = Table.model_validate(
        {
            **make().table.model_dump(),
            "name": "mine",
            "orderings": [],
            "rows": {label: {"swap": dict(row.swap)} for label, row in make().table.rows},
        }
    )
    summary = make(table)
    answers = answers_of(summary, power_of(summary))
    title = title_of(summary.table, summary.conditions)
    assert title == "Mine on street: how do the rows compare with MSAF?"
    assert len(answers.lines) == len(summary.rows) - 1
    assert {line.word for line in answers.lines} <= {
        "better",
        "worse",
        "no difference",
        "undecided",
    }
    assert all(line.word in SIGNS for line in answers.lines)


def test_a_complete_design_answers_with_its_effects(make, factorial):
    summary = make(factorial)
    words = {line.part: line.word for line in answers_of(summary, power_of(summary)).lines}
    assert list(words)[:3] == ["MonA", "StaA", "SemA"]
    assert set(words.values()) <= set(TONES)


def test_an_order_says_what_it_was_compared_with():
    order = Answer(
        "Order by mIoU",
        "against the printed mIoU of val, 14 rows",
        "τ",
        Interval(-0.1, -0.5, 0.3, None, 14),
        "undecided",
    )
    assert order.sentence == (
        "Order by mIoU against the printed mIoU of val, 14 rows: τ −0.1 (−0.5 to 0.3),"  # noqa: RUF001
        " undecided."
    )


def test_a_run_made_before_parts_had_names_takes_those_of_today():
    today = read_table("table3")
    before = today.unnamed()
    assert with_names(before) == today
    assert with_names(today) is today
    other = before.model_copy(update={"name": "mine"})
    assert with_names(other) is other
    fewer = before.model_copy(update={"rows": before.rows[1:]})
    assert with_names(fewer) is fewer


@pytest.mark.parametrize(
    ("low", "high", "digits"),
    [
        (None, None, 1),
        (-4.2, 9.1, 1),
        (35.6, 35.9, 1),
        (0.05, 0.08, 2),
        (-1.15, -0.02, 2),  # one decimal would read as −0.0
        (-0.3, 0.02, 1),
    ],
)
def test_digits_follow_the_spread(low, high, digits):
    assert digits_of(Interval(1.0, low, high, None, 3)) == digits


@pytest.mark.parametrize("value", [-0.04, 0.0, -0.0, 0.04])
@pytest.mark.parametrize("signed", [True, False])
def test_a_zero_has_no_sign(value, signed):
    assert number(value, 1, signed=signed) == "0.0"
