"""Answers of a run in sentences: parts of the method with verdicts, reliability, computing time.

Terminal, page, Markdown and README show the same sentences.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from msaf_bench.findings.digits import counted, mean, mean_span, number, seed_list, span
from msaf_bench.findings.motion import MotionAnswer, motion_of
from msaf_bench.findings.power import Power
from msaf_bench.findings.rankings import Ranking
from msaf_bench.findings.subjects import RowSummary, Subject
from msaf_bench.findings.summary import Summary, Verdict
from msaf_bench.findings.systems import compares_systems
from msaf_bench.findings.tradeoffs import Tradeoff
from msaf_bench.findings.wording import effect_word, row_word
from msaf_bench.spec import Conditions, Table
from msaf_bench.stats import Effect, Interval, judge

TIMES = "\N{MULTIPLICATION SIGN}"
NAMED = 5  #: number of best rows that are named


@dataclass(frozen=True)
class Answer:
    """One measured difference or rank correlation with its verdict."""

    part: str  #: part of the method, row, or order
    versus: str  #: the two compared rows or orders; empty if `part` names them
    unit: str  #: "mIoU" (in points), or "τ" (Kendall's, of two orders)
    interval: Interval | None
    word: str  #: verdict, a key of `msaf_bench.findings.wording.TONES`
    printed: float | None = None  #: difference in the paper, in points
    against: str = ""  #: reason if it is not comparable

    @property
    def amount(self) -> str:
        """Amount with its interval."""
        return mean_span(self.interval, signed=self.unit == "mIoU")

    @property
    def sentence(self) -> str:
        """Sentence with part, amount, interval and verdict."""
        if self.interval is None:
            return f"{self.part}: {self.word}, not measured."
        if self.unit == "τ":
            return f"{self.part} {self.versus}: {self._measured('τ ', '')}, {self.word}."
        printed = ""
        if self.printed is not None:
            printed = f"; the paper prints {number(self.printed, 1, signed=True)}"
        against = f": {self.against}" if self.against else ""
        return f"{self.part}: {self._measured('', ' mIoU')}, {self.word}{printed}{against}."

    def _measured(self, before: str, after: str) -> str:
        signed = self.unit == "mIoU"
        bounds = "one seed" if signed else "no interval"
        if self.interval and self.interval.low is not None:
            bounds = span(self.interval, signed=signed)
        return f"{before}{mean(self.interval, signed=signed)}{after} ({bounds})"


@dataclass(frozen=True)
class Answers:
    """The summary at the head of every report."""

    title: str  #: table, data set and question of the run
    head: str  #: heading of `lines`
    lines: tuple[Answer, ...]
    standing: tuple[str, ...]  #: for whole systems: the best rows, and the reference row's rank
    motion: MotionAnswer
    trust: tuple[str, ...]
    cost: str

    @property
    def sentences(self) -> tuple[str, ...]:
        """Sentences of `lines`, followed by `standing`."""
        return (*(line.sentence for line in self.lines), *self.standing)


def answers_of(
    summary: Summary,
    power: Power | None,
    rankings: Sequence[Ranking] = (),
    tradeoffs: Sequence[Tradeoff] = (),
) -> Answers:
    """Return the answers of a run.

    Args:
        summary: the run
        power: detectable differences; None below two seeds
        rankings: rank agreement with the paper, for tables of whole systems
        tradeoffs: fronts against speed and consistency, for tables of whole systems
    """
    if compares_systems(summary.table) and rankings:
        head, lines = "Does the paper's order of the systems hold here?", _orders(rankings)
    elif any(verdict.part for verdict in summary.verdicts):
        parts = [verdict for verdict in summary.verdicts if verdict.part]
        head, lines = "Difference made by each part, in points of mIoU", _parts(parts)
    elif summary.effects:
        head, lines = (
            "Effect of each part, in points of mIoU",
            tuple(effect_answers(summary, summary.effects)),
        )
    elif summary.verdicts and not compares_systems(summary.table):
        head, lines = "Differences that the paper prints", _parts(summary.verdicts)
    else:
        head = f"Difference of each row to {summary.table.reference}, in points of mIoU"
        lines = tuple(_rows(summary))
    return Answers(
        title=title_of(summary.table, summary.conditions),
        head=head,
        lines=lines,
        standing=tuple(_standing(summary, tradeoffs)) if compares_systems(summary.table) else (),
        motion=motion_of(summary),
        trust=tuple(_trust(summary, power)),
        cost=_cost(summary),
    )


def title_of(table: Table, conditions: Conditions) -> str:
    """Return the heading of a run: its table, data set and question."""
    name = re.sub(r"(?<=[a-z])(?=\d)", " ", table.name).replace("_", " ").capitalize()
    question = table.question or f"how do the rows compare with {table.reference}?"
    return f"{name} on {conditions.data}: {question}"


def _parts(verdicts: Sequence[Verdict]) -> tuple[Answer, ...]:
    return tuple(
        Answer(
            part=verdict.part or f"{verdict.better} against {verdict.worse}",
            versus=f"{verdict.better} against {verdict.worse}" if verdict.part else "",
            unit="mIoU",
            interval=verdict.difference.interval if verdict.difference else None,
            word=verdict.word,
            printed=verdict.points,
            against=verdict.against,
        )
        for verdict in verdicts
    )


def effect_answers(summary: Summary, effects: Iterable[Effect]) -> Iterator[Answer]:
    """Yield an answer for each effect or Shapley value.

    Each is computed from all rows, so a single row that is not live makes all not comparable.
    """
    ill = "; ".join(row.ill for row in summary.rows if row.dead)
    for effect in effects:
        word = effect_word(judge(effect.interval, summary.table.margin), len(effect.factors))
        yield Answer(
            part=f" {TIMES} ".join(effect.factors),
            versus="",
            unit="mIoU",
            interval=effect.interval,
            word="not comparable" if ill else word,
            against=ill,
        )


def _rows(summary: Summary) -> Iterator[Answer]:
    for row in summary.rows:
        if row.difference is None:
            continue
        interval = row.difference.interval
        word = row_word(judge(interval, summary.table.margin))
        yield Answer(
            part=row.label,
            versus=f"against {summary.table.reference}",
            unit="mIoU",
            interval=interval,
            word="not comparable" if row.against else word,
            against=row.against,
        )


def _orders(rankings: Sequence[Ranking]) -> tuple[Answer, ...]:
    return tuple(
        Answer(
            part=f"Order by {ranking.ours}",
            versus=f"against the {ranking.paper}, {ranking.found.rows} rows",
            unit="τ",
            interval=Interval(
                ranking.found.tau, ranking.found.low, ranking.found.high, None, ranking.found.rows
            ),
            word=ranking.verdict,
        )
        for ranking in rankings
        if ranking.rows == "comparable" and ranking.found.tau is not None
    )


def _standing(summary: Summary, tradeoffs: Sequence[Tradeoff]) -> Iterator[str]:
    ranked = [row for row in summary.rows if row.interval and not row.dead]
    best = sorted(ranked, key=_miou, reverse=True)[:NAMED]
    if best:
        named = ", ".join(f"{row.label} {mean(row.interval, 1)}" for row in best)
        yield f"Best mIoU here: {named}."
    words = [
        "" if row.against else row_word(judge(row.difference.interval, summary.table.margin))
        for row in summary.rows
        if row.difference
    ]
    if "better" in words or "worse" in words:
        ahead, behind = words.count("worse"), words.count("better")
        yield (
            f"{summary.table.reference} is ahead of {counted(ahead, 'row')} and behind"
            f" {counted(behind, 'row')}; {len(words) - ahead - behind} are undecided or equal."
        )
    for tradeoff in tradeoffs:
        if tradeoff.front:
            front = ", ".join(point.entry.found.shown for point in tradeoff.front)
            yield f"No system beats these in both mIoU and {tradeoff.axis}: {front}."


def _miou(row: RowSummary) -> float:
    return row.interval.mean if row.interval else 0.0


def _trust(summary: Summary, power: Power | None) -> Iterator[str]:
    """Yield sentences on live parts, power, the best constant prediction and failed trials."""
    if health := health_of(summary.subjects):
        yield health
    if summary.measured:
        yield _seeds(summary, power)
    below = [row.label for row in summary.rows if row.clears_constant is False]
    if summary.constant and below:
        yield (
            f"{counted(len(below), 'row')} cannot be distinguished from predicting"
            f" {summary.constant.class_name} everywhere ({number(summary.constant.miou, 1)} mIoU)."
        )
    elif summary.constant and any(row.clears_constant for row in summary.rows):
        yield (
            "Every row with an interval is above the best constant prediction"
            f" ({summary.constant.class_name} everywhere, {number(summary.constant.miou, 1)} mIoU)."
        )
    if summary.tuning:
        yield summary.tuning.sentence
    if summary.failed:
        yield f"{counted(len(summary.failed), 'trial')} failed and are left out."


def health_of(subjects: Collection[Subject]) -> str:
    """Return a sentence with the number of live parts; empty if no pulse was taken."""
    dead, parts = health(subjects)
    if dead:
        return f"{dead} of {parts} parts not live: rows with such a part support no conclusion."
    return f"All {parts} parts of all rows and controls are live." if parts else ""


def health(subjects: Collection[Subject]) -> tuple[int, int]:
    """Return the number of parts that are not live and the number of all parts.

    The past frames of a negative control count in neither, as it should ignore them.
    """
    dead = sum(len(subject.dead) for subject in subjects)
    live = sum(part.live for subject in subjects for part in subject.parts)
    return dead, dead + live


def _seeds(summary: Summary, power: Power | None) -> str:
    seeds = counted(len(summary.seeds), "seed")
    if power is None:
        return f"{seeds}: no difference has an interval, so no comparison is decided."
    return (
        f"{seeds}: simultaneous 95 % intervals for {counted(power.family, 'comparison')}"
        f" detect a difference of {number(power.detectable, 1)} points 80 % of the time."
    )


def _cost(summary: Summary) -> str:
    """Return the number of trials and their computing time; empty before the first finishes."""
    spent = [run.seconds for subject in summary.subjects for run in subject.runs if run.seconds]
    if not spent:
        return ""
    hours = sum(spent) / 3600
    time = f"{number(hours, 1)} h" if hours >= 2 else f"{number(60 * hours, 0)} min"
    controls = sum(1 for control in summary.controls if control.measured)
    beside = f", {counted(controls, 'control')}" if controls else ""
    return (
        f"{counted(len(spent), 'trial')} ({counted(len(summary.measured), 'row')}{beside},"
        f" {seed_list(summary.seeds)}) took {time} of computing time in total."
    )
