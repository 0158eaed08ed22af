"""What stands in for past frames that do not exist, against the rule spelled out clip by clip."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msaf_bench.data.histories import histories
from msaf_bench.errors import DataError


def run(numbers, length, rule):
    there = set(numbers)

    def past(i, back):
        return numbers[i] - back if numbers[i] - back in there else None

    return histories(
        len(numbers), past, length, rule, lambda i, back: f"frame {numbers[i] - back} is not there"
    )


def spelled_out(numbers, length):
    for n in numbers:
        frames = [n]
        while len(frames) < length and frames[0] - 1 in numbers:
            frames = [frames[0] - 1, *frames]
        gap = length - len(frames)
        yield (frames[0],) * gap + tuple(frames), gap


@pytest.mark.slow
@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=20, unique=True).map(sorted),
    st.integers(1, 4),
)
def test_every_rule_says_what_it_did(numbers, length):
    expected = list(spelled_out(numbers, length))
    whole = [(i, clip) for i, (clip, gap) in enumerate(expected) if not gap]
    repeated = run(numbers, length, "repeat")
    assert repeated == (
        tuple(clip for clip, _ in expected),
        tuple(range(len(numbers))),
        sum(gap for _, gap in expected),
        0,
    )
    if whole:
        assert run(numbers, length, "skip") == (
            tuple(c for _, c in whole),
            tuple(i for i, _ in whole),
            0,
            len(numbers) - len(whole),
        )
    if len(whole) == len(numbers):
        assert run(numbers, length, "error") == repeated


def test_the_first_gap_is_an_error_or_all_of_them_are():
    with pytest.raises(
        DataError, match=r"^frame 3 is not there; add that frame, or use --history repeat or skip$"
    ):
        run([4, 5, 6, 9], 2, "error")
    with pytest.raises(
        DataError,
        match=(
            r"^no clip has all 3 frames \(frame 0 is not there\); use --history repeat, or"
            r" fewer frames$"
        ),
    ):
        run([1, 2, 9], 3, "skip")
