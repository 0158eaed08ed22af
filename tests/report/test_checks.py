"""The paper against itself: every kind of check on tables small enough to judge by eye, then the
sentences that ship.
"""

import pytest

from msaf_bench.claims import checks
from msaf_bench.claims.paper import Finding
from msaf_bench.claims.sentences import check_ordering, daggers, read_sentences, read_tables
from msaf_bench.claims.verdicts import paper_claims
from msaf_bench.spec import Ordering, Row, Table


def tables(rows: dict, **table) -> dict[str, Table]:
    """One table "t" of rows label -> (model, block, printed numbers)."""
    made = {
        label: Row(model=model, block=block, backbone=block, paper=paper)
        for label, (model, block, paper) in rows.items()
    }
    return {
        "t": Table(
            name="t",
            title="",
            source="Table T",
            base="b",
            metrics=("miou", "fps"),
            reference=next(iter(rows)),
            rows=made,
            **table,
        )
    }


SMALL = tables(
    {
        "ours s": ("MSAF", "small", {"miou": 70, "fps": 20}),
        "ours s2": ("MSAF", "small", {"miou": 66}),
        "a": ("A", "small", {"miou": 68, "fps": 8}),
        "ours l": ("MSAF", "large", {"miou": 80, "fps": 5}),
        "b": ("B", "large", {"miou": 79, "fps": 6}),
    }
)


def test_values():
    def check(row, says):
        return checks.Values(
            kind="values", table="t", cells=({"row": row, "metric": "miou", "says": says},)
        ).judge(SMALL)

    assert check("ours s", 70).consistent
    wrong = check("ours s", 79)
    assert not wrong.consistent
    assert wrong.found == "ours s 70.0 (79.0 is b)"
    assert check("ours s", 71).found == "ours s 70.0"
    assert wrong.cells == (("t", "ours s", "miou"),)


@pytest.mark.parametrize(
    ("metrics", "within", "more", "consistent", "found"),
    [
        (
            ["miou"],
            "block",
            {},
            True,
            (
                "mIoU-V small: ours s 70.0 above a 68.0 (below that: ours s2 66.0); mIoU-V large:"
                " ours l 80.0 above b 79.0"
            ),
        ),
        (
            ["fps"],
            "block",
            {},
            False,
            "FPS small: ours s 20 above a 8; FPS large: ours l 5 not above b 6",
        ),
        (["fps"], "block", {"blocks": ["small"]}, True, "FPS small: ours s 20 above a 8"),
        (["fps"], "table", {}, True, "FPS: ours s 20 above a 8 (below that: ours l 5)"),
        (
            ["miou"],
            "table",
            {"says": 80},
            True,
            "mIoU-V: ours l 80.0 above b 79.0 (below that: ours s 70.0, ours s2 66.0)",
        ),
        (
            ["miou"],
            "table",
            {"says": 81},
            False,
            "mIoU-V: ours l 80.0 above b 79.0 (below that: ours s 70.0, ours s2 66.0)",
        ),
    ],
)
def test_best(metrics, within, more, consistent, found):
    finding = checks.Best.model_validate(
        {
            "kind": "best",
            "table": "t",
            "metrics": tuple(metrics),
            "of": "MSAF",
            "within": within,
            **more,
        }
    ).judge(SMALL)
    assert (finding.consistent, finding.found) == (consistent, found)


@pytest.mark.parametrize(
    ("low", "high", "consistent"), [(1, 2, True), (1, 3, True), (3, 4, False), (1, 1, False)]
)
def test_ratio(low, high, consistent):
    check = checks.Ratio(
        kind="ratio",
        table="t",
        metric="fps",
        pairs=(("ours s", "a"), ("ours l", "b")),
        low=low,
        high=high,
    )
    finding = check.judge(SMALL)  # 2.5 rounds to the even 2
    assert finding.consistent == consistent
    assert finding.found == "ours s / a 2.50, ours l / b 0.83"


def test_direction():
    def check(better):
        return checks.Direction(
            kind="direction", table="t", metric="miou", of="MSAF", better=better
        ).judge(SMALL)

    assert check("higher").consistent
    assert check("lower").consistent  # the lowest is one of the model's too
    assert (
        not checks.Direction(kind="direction", table="t", metric="fps", of="A", better="lower")
        .judge(SMALL)
        .consistent
    )


def test_growth():
    # time ~ side^3 = pixels^1.5
    printed = {f"{side}": ("MSAF", "", {"fps": 1e6 / side**3}) for side in (10, 20, 40)}

    def check(low, high):
        pixels = {label: float(label) ** 2 for label in printed}
        return checks.Growth(kind="growth", table="t", pixels=pixels, low=low, high=high).judge(
            tables(printed)
        )

    assert check(1, 2).consistent
    assert check(1, 2).found == "time ~ pixels^1.50 (1.50 from 10 to 20, 1.50 from 20 to 40)"
    assert not check(1.6, 2).consistent


def test_marks():
    def marked(**best):
        rows = tuple(
            (label, row.model_copy(update={"best": best.get(label.replace(" ", "_"), ())}))
            for label, row in SMALL["t"].rows
        )
        return checks.Marks(kind="marks", table="t").judge(
            {"t": SMALL["t"].model_copy(update={"rows": rows})}
        )

    right = {"ours_s": ("miou", "fps"), "ours_l": ("miou",), "b": ("fps",)}
    assert marked(**right).consistent
    assert marked(**right).found == "mIoU-V marked so; FPS marked so"
    assert marked(**right, a=("miou",)).found.startswith("mIoU-V marked, not the best: a 68.0;")
    assert (
        marked(**right | {"b": ("miou",)}).found
        == "mIoU-V marked, not the best: b 79.0; FPS the best, not marked: b 6"
    )
    assert not marked(**right | {"b": ()}).consistent


def test_same_sum_and_fact():
    assert (
        not checks.Same(kind="same", cells=(("t", "a", "miou"), ("t", "b", "miou")))
        .judge(SMALL)
        .consistent
    )
    assert (
        checks.Same(kind="same", cells=(("t", "a", "miou"), ("t", "a", "miou")))
        .judge(SMALL)
        .consistent
    )
    assert checks.Sum(kind="sum", parts=(2, 3), total=5).judge({}).consistent
    assert checks.Sum(kind="sum", parts=(2, 3), total=6).judge({}).found == "2 + 3 = 5"
    assert not checks.Fact(kind="fact", says="1", against="2", source="s").judge({}).consistent


@pytest.mark.parametrize(
    ("points", "consistent"), [(None, True), (2.0, True), (2.1, False), (-2.0, False)]
)
def test_ordering(points, consistent):
    finding = check_ordering(
        Ordering(better="ours s", worse="a", source="", points=points), SMALL["t"]
    )
    assert (finding.consistent, finding.found) == (consistent, "70.0 - 68.0 = +2.0")
    assert not check_ordering(
        Ordering(better="a", worse="ours s", source=""), SMALL["t"]
    ).consistent


def test_what_the_paper_contradicts_in_itself():
    """Found by reading the paper, one by one; the verdicts are computed."""
    found = {claim.id: claim for claim in paper_claims(read_tables())}
    assert {name for name, claim in found.items() if claim.verdict == "inconsistent"} == {
        "datasets-camvid-size",
        "tc-is-an-error",
        "lightweight-test",
        "complex-test",
        "complex-speed",
        "efficiency-cityscapes",
        "efficiency-camvid",
        "speed-follows-the-cost",
        "table1-marks",
        "table2-marks",
    }
    assert found["lightweight-test"].measured == "MSAF ResNet18 78.3 (78.5 is MSAF PSPNet18)"
    assert "MSAF HRNetW48 81.5 (81.1 is MSAF PSPNet101)" in found["complex-test"].measured
    assert "4.27" in found["accel-ratio"].measured
    assert "pixels^0.74 (0.73" in found["speed-follows-the-cost"].measured
    assert "MSAF ResNet18 512 72.2" in found["tc-best"].measured  # below STT's 73.0
    assert "of val" not in found["intro-camvid"].provenance
    assert "whose script scores val" in found["lightweight-best"].provenance


def test_a_verdict_follows_the_printed_numbers():
    changed = read_tables()
    rows = [
        (
            (
                label,
                row.model_copy(
                    update={
                        "paper": (
                            *(p for p in row.paper if p[0] != "miou_test"),
                            ("miou_test", 78.5),
                        )
                    }
                ),
            )
            if label == "MSAF ResNet18"
            else (label, row)
        )
        for label, row in changed["table1"].rows
    ]
    changed["table1"] = changed["table1"].model_copy(update={"rows": tuple(rows)})
    found = {claim.id: claim.verdict for claim in paper_claims(changed)}
    assert found["lightweight-test"] == "consistent"


def test_sentences_are_restated_once_each():
    sentences = read_sentences()
    assert len({s.id for s in sentences}) == len(sentences)
    assert all(s.text and s.place for s in sentences)
    assert {s.check.kind for s in sentences} == {
        "values", "best", "ratio", "direction", "growth", "marks", "same", "sum", "fact",
        "parameters"
    }  # fmt: skip


def test_daggers_are_named_once():
    shipped = read_tables()
    cells = (
        ("table1", "PSPNet18", "tc"),
        ("table1", "PSPNet18", "tc"),
        ("table1", "MSAF ResNet50", "miou"),
    )
    assert [*daggers(Finding(True, "", "", cells), shipped)] == [
        "† PSPNet18 TC: 68.50 in ETC's README, of its own PSPNet18 with mIoU 69.79"
    ]
