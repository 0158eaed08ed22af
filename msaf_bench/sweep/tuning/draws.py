"""Values of a row's attempts, drawn at random or proposed by Optuna."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast
from zlib import crc32

import numpy as np

from msaf_bench.errors import HostError
from msaf_bench.spec import Option
from msaf_bench.spec.search import Span
from msaf_bench.sweep.tuning.search import Attempt, Search, Values

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

TRIES = 100  #: draws per attempt before a space counts as exhausted
STARTUP = 4  #: one in four attempts is drawn at random before Optuna proposes


def proposals(search: Search, label: str, past: Sequence[Attempt]) -> list[Values]:
    """Return the values of a row's next attempts; empty if it has all.

    The first attempt is the unchanged row. A space with fewer values than attempts is tried
    completely. Random values do not depend on results, and the n-th value of a name lies at the
    same place of the span in every row.
    """
    found: list[Values] = [] if past else [{}]
    known = [*(dict(attempt.values) for attempt in past), *found]
    tried = {_key(search, label, values) for values in known}
    wanted = search.trials
    if search.method == "optuna":
        wanted = _batch(search)
        if len(past) >= wanted:
            return _of_optuna(search, label, past, tried)
    for values in _drawn(search, label):
        if len(past) + len(found) >= wanted:
            break
        key = _key(search, label, values)
        if key not in tried:
            tried.add(key)
            found.append(values)
    return found


def _batch(search: Search) -> int:
    """Return the number of attempts that Optuna proposes at a time.

    As many are drawn at random before its first proposal.
    """
    return max(1, search.trials // STARTUP)


def _key(search: Search, label: str, values: Values) -> str:
    """Return a key of an attempt's values.

    A missing value counts as that of the unchanged row.
    """
    present = search.present(label)
    return repr(sorted((name, values.get(name, present.get(name))) for name in search.spans[label]))


def _drawn(search: Search, label: str) -> Iterator[Values]:
    present = search.present(label)
    for number in range(1, TRIES * search.trials):
        yield {
            name: span.at(_share(search.seed, number, name), present.get(name))
            for name, span in search.spans[label].items()
        }


def _share(seed: int, number: int, name: str) -> float:
    return float(np.random.default_rng((seed, number, crc32(name.encode()))).random())


def _of_optuna(
    search: Search, label: str, past: Sequence[Attempt], tried: set[str]
) -> list[Values]:
    """Return values for about a quarter of a row's attempts, based on the results of past ones."""
    try:
        import optuna
    except ImportError as error:
        raise HostError(
            "--method optuna: Optuna is not installed; pip install 'msaf-bench[search]', or"
            " --method random"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    spans, present = search.spans[label], search.present(label)
    distributions = {name: _distribution(span) for name, span in spans.items()}
    sampler = optuna.samplers.TPESampler(
        seed=(search.seed + len(past)) % 2**32, n_startup_trials=1, constant_liar=True
    )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for attempt in past:
        values = dict(attempt.values)
        if not values or not attempt.curve or attempt.state == "failed":
            continue
        params = {name: _param(spans[name], values[name], present.get(name)) for name in values}
        study.add_trial(
            optuna.trial.create_trial(
                params=params, distributions=distributions, value=attempt.curve[-1][1]
            )
        )
    found: list[Values] = []
    count = min(_batch(search), search.trials - len(past))
    for _ in range(TRIES):
        if len(found) >= count:
            break
        params = cast("dict[str, Option]", study.ask(distributions).params)
        values = {name: _value(spans[name], params[name], present.get(name)) for name in spans}
        key = _key(search, label, values)
        if key not in tried:
            tried.add(key)
            found.append(values)
    return found


def _distribution(span: Span) -> "BaseDistribution":
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if span.values:
        return CategoricalDistribution(list(range(len(span.values))))
    if span.between:
        low, high = span.between
        if isinstance(low, int) and isinstance(high, int):
            return IntDistribution(low, high)
        return FloatDistribution(low, high)
    low, high = span.log or span.factor or (1.0, 1.0)
    return FloatDistribution(low, high, log=True)


def _param(span: Span, value: Option, present: Option | None) -> Option:
    """Return a value in Optuna's representation."""
    if span.values:
        return span.values.index(value)
    if span.factor:
        assert isinstance(value, int | float)
        assert isinstance(present, int | float)
        low, high = span.factor
        return min(max(value / present, low), high)
    return value


def _value(span: Span, param: Option, present: Option | None) -> Option:
    """Return a proposal of Optuna as the row's value."""
    assert isinstance(param, int | float)
    if span.values:
        return span.values[int(param)]
    if span.between:
        return param
    value = float(param)
    if span.factor:
        assert isinstance(present, int | float)
        value *= present
    return float(f"{value:.4g}")
