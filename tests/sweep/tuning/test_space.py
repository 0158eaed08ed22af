"""What is searched: spans, names, and what a row of the table has."""

import pytest

from msaf_bench.catalog import list_spaces, read_conditions, read_space, read_table
from msaf_bench.errors import UsageError
from msaf_bench.spec.search import Space, Span, with_values
from msaf_bench.sweep.plan import make_plan
from msaf_bench.sweep.tuning.draws import proposals
from msaf_bench.sweep.tuning.run import check_search
from msaf_bench.sweep.tuning.search import SEED, Search, axis_space, check_space, search_plan

QUICK = read_conditions("quick", "street")
LR = {"lr": {"factor": [0.1, 10.0]}}


def search(content=None, rows=("MSAF", "Baseline", "w/o DCN"), trials=6, **how):
    space = Space.model_validate({"name": "own", **(content or {"search": LR})})
    plan = make_plan(read_table("3"), QUICK, rows)
    return Search(
        plan=search_plan(plan, rungs=2), space=space, trials=trials, conditions=QUICK.key, **how
    )


def attempts_of(found, label="MSAF"):
    past = []
    while values := proposals(found, label, past):
        past += [found.attempt(label, len(past) + i, own) for i, own in enumerate(values)]
    return past


@pytest.mark.parametrize(
    ("span", "shares", "values"),
    [
        ({"between": [1, 4]}, (0.0, 0.3, 0.999), (1, 2, 4)),
        ({"between": [0.0, 1.0]}, (0.0, 0.5), (0.0, 0.5)),
        ({"log": [0.01, 1.0]}, (0.0, 0.5, 0.9999999), (0.01, 0.1, 1.0)),
        ({"factor": [0.1, 10.0]}, (0.0, 0.5), (0.2, 2.0)),
        ({"values": ["a", "b"]}, (0.0, 0.49, 0.5), ("a", "a", "b")),
    ],
)
def test_a_span_maps_shares_to_values(span, shares, values):
    found = [Span.model_validate(span).at(share, present=2.0) for share in shares]
    assert [type(value) for value in found] == [type(value) for value in values]
    wanted = list(values)
    assert found == (pytest.approx(wanted) if isinstance(values[0], float) else wanted)


@pytest.mark.parametrize(
    ("span", "said"),
    [
        ({}, "give one of between, log, factor and values, not none"),
        ({"log": [1, 2], "values": [1, 2]}, "not log and values"),
        ({"between": [3, 3]}, "is not a range"),
        ({"log": [0, 1]}, "a logarithmic scale has no 0"),
        ({"values": [1]}, "give two or more"),
    ],
)
def test_a_wrong_span_is_told(span, said):
    with pytest.raises(ValueError, match=said):
        Span.model_validate(span)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"search": {"steps": {"values": [1, 2]}}}, "same number of steps"),
        ({"search": {"lrate": {"values": [1, 2]}}}, "unknown condition"),
        ({}, "nothing is searched"),
    ],
)
def test_a_space_names_what_can_be_searched(content, said):
    with pytest.raises((ValueError, UsageError), match=said):
        Space.model_validate({"name": "own", **content})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"rows": {"MASF": LR}}, "unknown row in search space own 'MASF'; did you mean MSAF"),
        ({"search": {"moton.heads": {"values": [1, 2]}}}, "has no slot 'moton'"),
        (
            {"search": {"align.rate": {"log": [1e-3, 1.0]}}},
            r"align\.rate: row 'Baseline' has nothing in its slot 'align'; search it under \[rows",
        ),
        ({"search": {"backbone_rate": {"factor": [0.1, 10]}}}, "has 0, which no factor changes"),
        ({"search": {"options.depth": {"factor": [0.1, 2]}}}, "does not set this value"),
    ],
)
def test_a_space_that_does_not_fit_the_rows_names_row_and_remedy(content, said):
    with pytest.raises(UsageError, match=said):
        check_space(search(content))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"search": {"options.wdth": {"values": [8, 16]}}}, "own: table3: row .*wdth"),
        ({"rows": {"MSAF": {"align.rat": {"values": [0.1, 0.2]}}}}, "row 'MSAF': .*rat"),
        ({"rows": {"w/o DCN": {"rates.offset": {"values": [0.1, 2.0]}}}}, "no weights with this"),
        ({"search": {"lr": {"between": [0.1, 5000.0]}}}, "lr: .*at most"),
    ],
)
def test_values_that_no_network_takes_stop_the_search_before_an_attempt(content, said):
    with pytest.raises(UsageError, match=said):
        check_search(search(content))


def test_values_go_where_their_names_say():
    row = dict(read_table("3").rows)["MSAF"]
    changed = with_values(
        row, {"lr": 0.1, "rates.offset": 0.5, "options.width": 8, "motion.heads": 4}
    )
    assert dict(changed.conditions) == {"lr": 0.1, "rates.offset": 0.5}
    assert dict(changed.options) == {"width": 8}
    assert {slot: dict(own) for slot, own in changed.parts} == {"motion": {"heads": 4}}


def test_every_row_gets_as_many_attempts_at_the_same_places():
    found = search(trials=6)
    own = {label: attempts_of(found, label) for label in found.plan.rows}
    values = {label: [each.values for each in attempts] for label, attempts in own.items()}
    assert values["MSAF"][0] == ()
    assert len(set(values["MSAF"])) == 6
    assert values["MSAF"] == values["Baseline"] == values["w/o DCN"]
    assert {each.trial.seed for each in own["MSAF"]} == {SEED}
    lr = [dict(each).get("lr", QUICK.lr) for each in values["MSAF"]]
    assert min(lr) >= 0.1 * QUICK.lr
    assert max(lr) <= 10 * QUICK.lr


def test_another_seed_draws_other_values():
    first, second = (attempts_of(search(seed=seed)) for seed in (0, 1))
    assert {each.values for each in first[1:]}.isdisjoint(each.values for each in second[1:])


def test_a_small_space_is_tried_whole_and_nothing_twice():
    """The value that the row has is that of the attempt without any."""
    found = search({"search": {"lr": {"values": [0.001, QUICK.lr, 0.1]}}}, trials=20)
    attempts = attempts_of(found)
    assert attempts[0].values == ()
    assert {dict(each.values)["lr"] for each in attempts[1:]} == {0.001, 0.1}


def test_attempts_are_scored_where_training_is_validated():
    conditions = search().plan.conditions
    assert conditions.scored == "validate"
    assert conditions.validate_every == QUICK.steps // 2
    assert conditions.consistency == ()


def test_a_search_does_not_start_from_another_held_out_part():
    plan = make_plan(read_table("3"), QUICK.model_copy(update={"scored": "tune"}))
    with pytest.raises(UsageError, match="omit scored and validate_every"):
        search_plan(plan, 1)


def test_the_axis_of_a_table_is_a_search_space():
    table = read_table("when_motion_helps")
    with pytest.raises(UsageError, match=r"axis data_options.occluders is not a condition"):
        axis_space(table.axis[0])
    own = table.axis[0].model_copy(update={"of": "shrink_options.width", "values": (16, 32)})
    assert dict(axis_space(own).search)["options.width"].values == (16, 32)


@pytest.mark.parametrize("name", list_spaces())
def test_the_shipped_spaces_fit_the_tables_of_the_paper(name):
    space = read_space(name)
    for table in ("1", "2", "3"):
        read = read_table(table)
        conditions = read_conditions("quick", "street", systems=not read.base)
        plan = search_plan(make_plan(read, conditions), 1)
        check_space(Search(plan=plan, space=space, trials=2, conditions=conditions.key))


def test_optuna_proposes_what_the_space_holds():
    pytest.importorskip("optuna", reason="Optuna is not installed")
    content = {
        "search": {
            **LR,
            "weight_decay": {"log": [1e-4, 1e-1]},
            "batch": {"values": [2, 4]},
            "warmup": {"between": [0, 40]},
        }
    }
    found, past = search(content, trials=12, method="optuna"), []
    while values := proposals(found, "MSAF", past):
        for own in values:
            attempt = found.attempt("MSAF", len(past), own)
            score = 50.0 - 1000 * abs(dict(own).get("lr", QUICK.lr) - 0.02)
            past.append(attempt.model_copy(update={"state": "done", "curve": ((300, score),)}))
    assert len({each.values for each in past}) == 12
    for each in past[1:]:
        own = dict(each.values)
        assert 0.1 * QUICK.lr <= own["lr"] <= 10 * QUICK.lr
        assert own["batch"] in (2, 4)
        assert isinstance(own["warmup"], int)
    late = [abs(dict(each.values)["lr"] - 0.02) for each in past[6:]]
    early = [abs(dict(each.values)["lr"] - 0.02) for each in past[1:4]]
    assert min(late) < min(early)
