"""The JSON of a report: the same document in `TABLE.json` and behind `--json`."""

from dataclasses import asdict
from typing import Any, cast

from msaf_bench.documents import finite
from msaf_bench.findings.subjects import ControlSummary, Part, Subject
from msaf_bench.findings.summary import Summary, Verdict
from msaf_bench.report import systems_table, tables
from msaf_bench.report.claims import claims_of
from msaf_bench.report.claims_run import because
from msaf_bench.report.motion import motion_of
from msaf_bench.report.power import power_of
from msaf_bench.report.rankings import rankings
from msaf_bench.stats import Effect, Interval


def to_json(summary: Summary) -> dict[str, Any]:
    """Everything that a report says, as plain data: null for a number that is not known,
    never NaN.
    """
    values = tables.row_values if summary.table.base else systems_table.row_values
    power = power_of(summary)
    document = {
        "table": summary.table.name,
        "motion": asdict(motion_of(summary)),
        "rows": [{**values(summary, row), **_subject(row)} for row in summary.rows],
        "controls": [_control(control) for control in summary.controls],
        "comparisons": [_comparison(verdict) for verdict in summary.verdicts],
        "detectable": power and power.detectable,
        "conditions": summary.conditions.model_dump(mode="json"),
        "hosts": [host.model_dump(mode="json") for host in summary.hosts],
        "seeds": list(summary.seeds),
        "notes": list(summary.notes),
        "verdicts": [_verdict(verdict) for verdict in summary.verdicts],
        "claims": [asdict(claim) for claim in claims_of(summary)],
        **(
            {}
            if summary.table.base
            else {"rank_agreement": [asdict(ranking) for ranking in rankings(summary)]}
        ),
        "effects": [_effect(effect) for effect in summary.effects],
        "shapley": [_effect(share) for share in summary.shares],
        "kendall_tau_b": summary.agreement.tau,
        "friedman_p": summary.omnibus.p,
        "best_constant": summary.constant.miou if summary.constant else None,
    }
    return cast("dict[str, Any]", finite(document))


def _subject(subject: Subject) -> dict[str, Any]:
    """What a row and a control have in common."""
    own = subject.interval
    return {
        "label": subject.label,
        "miou": own and {**_bounds(own), "n": own.n},
        "past": subject.measures.past and _bounds(subject.measures.past),
        "live": subject.live,
        "parts": [_part(part) for part in subject.parts],
    }


def _control(control: ControlSummary) -> dict[str, Any]:
    gain = control.gain and control.gain.interval
    about = {
        "role": control.role,
        "past_frames": control.past_frames,
        "compared": control.compared,
        "gain": gain and _bounds(gain),
        "state": control.state,
    }
    return {**_subject(control), **about, "note": control.note}


def _part(part: Part) -> dict[str, Any]:
    return {
        "part": part.name,
        "live": part.live,
        "reason": part.reason,
        "gradient": part.gradient,
        "changed": part.changed,
        "miou": part.miou,
        "gauges": dict(part.gauges),
    }


def _comparison(verdict: Verdict) -> dict[str, Any]:
    found = verdict.difference
    return {
        "better": verdict.better,
        "worse": verdict.worse,
        "word": verdict.word,
        "reason": because(verdict),
        "difference": found and _bounds(found.interval),
        "p": found and found.p,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    found = verdict.difference and verdict.difference.interval
    return {
        "better": verdict.better,
        "worse": verdict.worse,
        "source": verdict.source,
        "published_points": verdict.points,
        "measured_points": found and found.mean,
        "interval": found and [found.low, found.high],
        "verdict": verdict.word,
    }


def _effect(effect: Effect) -> dict[str, Any]:
    return {"parts": list(effect.factors), **_bounds(effect.interval), "n": effect.interval.n}


def _bounds(interval: Interval) -> dict[str, float | None]:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}
