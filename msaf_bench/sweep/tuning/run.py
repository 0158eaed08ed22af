"""Execution of a search: runs the missing attempts of every row."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from msaf_bench.errors import UsageError, text_of
from msaf_bench.host import check_device
from msaf_bench.spec.search import Tuned, TunedRow
from msaf_bench.sweep.driver import pretrained
from msaf_bench.sweep.events import Events
from msaf_bench.sweep.executors import Cluster, Stops, execute_on
from msaf_bench.sweep.memory import check_fits
from msaf_bench.sweep.preflight import check_data, check_systems
from msaf_bench.sweep.tuning.attempts import AttemptKeeper, keep_search
from msaf_bench.sweep.tuning.draws import proposals
from msaf_bench.sweep.tuning.search import Attempt, Search, Values, check_space
from msaf_bench.sweep.workspace import Setting

SCORED = "a part of the training split, by video, that training leaves out"


def check_search(search: Search) -> None:
    """Build every row at the bounds of its spans, to find wrong names or values before any attempt.

    Raises `UsageError`, naming the space, and the row or option.
    """
    check_space(search)
    check_systems(search.plan)
    for values in _extremes(search):
        try:
            check_systems(search.with_rows(values))
        except UsageError as error:
            raise UsageError(f"search space {search.space.name}: {text_of(error)}") from error


def _extremes(search: Search) -> list[dict[str, Values]]:
    """Return sets of values for all rows, which together contain each bound or listed value."""
    tried = {
        (label, name): span.extremes(search.present(label).get(name))
        for label, spans in search.spans.items()
        for name, span in spans.items()
    }
    count = max(len(values) for values in tried.values())
    found: list[dict[str, Values]] = []
    for i in range(count):
        rows: dict[str, Values] = {label: {} for label in search.spans}
        for (label, name), values in tried.items():
            rows[label][name] = values[min(i, len(values) - 1)]
        found.append(rows)
    return found


def run_search(
    search: Search,
    setting: Setting,
    events: Events,
    *,
    cluster: Cluster | None = None,
    resume: bool = False,
    on_attempts: Callable[[Mapping[str, Attempt]], None] = lambda attempts: None,
) -> list[Attempt]:
    """Run the missing attempts, and return all.

    The search must have passed `check_search`. Anything else that would stop every attempt raises
    an error before the first one.

    Args:
        search: Search to run.
        setting: Folder, device and threads of the attempts.
        events: Receives the progress.
        cluster: Ray cluster; None runs the attempts in this process.
        resume: Keep finished attempts.
        on_attempts: Called with all attempts by trial id, whenever one is added.

    Raises:
        UsageError: The folder holds something else, the device is not available, or a row does not
            fit the GPU.
        DataError: The data is wrong.
        HostError: The machine or the cluster cannot run it.
    """
    if cluster is None or cluster.address is None:
        check_device(setting.device)
    workspace = setting.workspace
    with workspace.lock():
        check_fits(search.plan, setting, cluster)
        check_data(search.plan, setting)
        keeper = AttemptKeeper(keep_search(search, workspace, resume=resume), workspace, events)
        there = cluster is not None and cluster.drives_only
        on_attempts(keeper.attempts)
        before = search.plan.pretraining()
        setting = pretrained(before, setting, events, execute_on(cluster if there else None))
        events.phase("trials", 0, search.attempts)
        while waiting := _waiting(search, keeper):
            on_attempts(keeper.attempts)
            trials = [attempt.trial for attempt in waiting]
            execute_on(cluster, _stops(search, keeper))(trials, setting, keeper)
            for attempt in waiting:
                now = keeper.attempts[attempt.trial.id]
                if now.state == "begun":  # without a record, the scheduler has stopped it
                    keeper.keep(now.model_copy(update={"state": "stopped"}))
    return sorted(keeper.attempts.values(), key=lambda each: (each.row, each.number))


def _waiting(search: Search, keeper: AttemptKeeper) -> list[Attempt]:
    """Return the attempts to run next.

    They are those in progress, else the next ones of every row in order of number. Empty if every
    row has all its attempts.
    """
    if begun := _begun(keeper):
        return begun
    for label in search.plan.rows:
        past = [each for each in keeper.attempts.values() if each.row == label]
        for number, values in enumerate(proposals(search, label, past), len(past)):
            keeper.keep(search.attempt(label, number, values))
    return sorted(_begun(keeper), key=lambda each: each.number)


def _begun(keeper: AttemptKeeper) -> list[Attempt]:
    return [each for each in keeper.attempts.values() if each.state == "begun"]


def _stops(search: Search, keeper: AttemptKeeper) -> Stops | None:
    """Return the rule for early stopping, which compares attempts only within their row."""
    if search.stopping == "none":
        return None
    attempts = keeper.attempts.values()
    return Stops(
        search.stopping,
        {each.trial.id: each.row for each in attempts},
        every=search.plan.conditions.validate_every,
        heard={each.trial.id: each.curve for each in attempts if each.state in ("done", "stopped")},
    )


def found(search: Search, attempts: Sequence[Attempt]) -> dict[str, TunedRow]:
    """Return the best values of each row by label, from fully trained attempts.

    Of equal ones, the first wins. A row without a fully trained attempt is left out.
    """
    rows: dict[str, TunedRow] = {}
    for label in search.plan.rows:
        own = [each for each in attempts if each.row == label]
        scored = {each.number: each.miou for each in own if each.miou is not None}
        if not scored:
            continue
        best = max(own, key=lambda each: (scored.get(each.number, -1.0), -each.number))
        rows[label] = TunedRow(
            values=best.values,
            miou=scored[best.number],
            default=scored.get(0),
            attempts=tuple(scored.values()),
            stopped=sum(each.state == "stopped" for each in own),
            failed=sum(each.state == "failed" for each in own),
            steps=sum(each.steps for each in own),
            dead=best.dead,
        )
    return rows


def tuned_of(
    search: Search,
    rows: Mapping[str, TunedRow],
    points: Iterable[tuple[str, Mapping[str, TunedRow]]] = (),
) -> Tuned:
    """Return the outcome of a search, by row of a table or by point of an axis."""
    conditions = search.plan.conditions
    return Tuned(
        name="tuned",
        table=search.plan.table.name,
        data=conditions.data,
        preset=conditions.preset,
        space=search.space.name,
        trials=search.trials,
        method=search.method,
        stopping=search.stopping,
        seed=search.seed,
        conditions=search.conditions,
        scored=SCORED,
        rows=tuple(rows.items()),
        points=tuple((point, tuple(own.items())) for point, own in points),
    )
