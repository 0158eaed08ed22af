"""JSON of a report, the same document in `TABLE.json` and for `--json`."""

from dataclasses import asdict
from typing import cast

from msaf_bench.claims.judge import because
from msaf_bench.documents import finite
from msaf_bench.findings.answers import Answer
from msaf_bench.findings.subjects import ControlSummary, Part, Subject
from msaf_bench.findings.summary import Verdict
from msaf_bench.report.tables.tuning import tuning_document
from msaf_bench.report.view import View
from msaf_bench.stats import Effect, Interval

Document = dict[str, object]


def to_json(view: View) -> Document:
    """Return the full content of a report as plain data; unknown numbers are null, never NaN."""
    summary = view.summary
    document: Document = {
        "table": summary.table.name,
        "title": view.answers.title,
        "answers": [_answer(answer) for answer in view.answers.lines],
        "standing": list(view.answers.standing),
        "trust": list(view.answers.trust),
        "cost": view.answers.cost,
        "motion": asdict(view.motion),
        "rows": [{**view.kind.row_values(view, row), **_subject(row)} for row in summary.rows],
        "controls": [_control(control) for control in summary.controls],
        "comparisons": [_comparison(verdict) for verdict in summary.verdicts],
        "detectable": view.power.detectable if view.power else None,
        "conditions": summary.conditions.document(),
        "hosts": [host.model_dump(mode="json") for host in summary.hosts],
        "ended": summary.ended,
        "data_content": list(summary.data),
        "seeds": list(summary.seeds),
        "notes": list(summary.notes),
        "verdicts": [_verdict(verdict) for verdict in summary.verdicts],
        "claims": [asdict(claim) for claim in view.claims],
        **view.kind.document(view),
        **({"tuning": tuning_document(summary.tuning)} if summary.tuning else {}),
        "effects": [_effect(effect) for effect in summary.effects],
        "shapley": [_effect(share) for share in summary.shares],
        "kendall_tau_b": summary.agreement.tau,
        "friedman_p": summary.omnibus.p,
        "best_constant": summary.constant.miou if summary.constant else None,
    }
    return cast("Document", finite(document))


def _answer(answer: Answer) -> Document:
    return {
        "part": answer.part,
        "versus": answer.versus,
        "unit": answer.unit,
        **(_bounds(answer.interval) if answer.interval else {}),
        "word": answer.word,
        "sentence": answer.sentence,
    }


def _subject(subject: Subject) -> Document:
    """Return the keys that rows and controls share."""
    own = subject.interval
    return {
        "label": subject.label,
        "miou": {**_bounds(own), "n": own.n} if own else None,
        "past": _known_bounds(subject.measures.past),
        "miou_by_seed": {str(seed): miou for seed, miou in subject.measured.items()},
        "system_key": subject.system.key if subject.system else None,
        "latency_ms": {
            speed.conditions.mode: speed.latency.p50.model_dump(mode="json")
            for speed in subject.measures.speeds
            if speed.latency
        },
        "live": subject.live,
        "parts": [_part(part) for part in subject.parts],
        **_validation(subject),
    }


def _validation(subject: Subject) -> Document:
    """Return the mIoU by step and seed; empty without validation."""
    found = subject.measures.validation
    if found is None:
        return {}
    points = [asdict(point) for point in found.points]
    by_seed = {
        str(curve.seed): {"miou": dict(curve.points), "scored_step": curve.kept_step}
        for curve in found.curves
    }
    return {"validation": {"points": points, "by_seed": by_seed}}


def _control(control: ControlSummary) -> Document:
    gain = control.gain.interval if control.gain else None
    about = {
        "role": control.role,
        "past_frames": control.past_frames,
        "compared": control.compared,
        "gain": _known_bounds(gain),
        "state": control.state,
    }
    return {**_subject(control), **about, "note": control.note}


def _part(part: Part) -> Document:
    return {
        "part": part.name,
        "live": part.live,
        "reason": part.reason,
        "gradient": part.gradient,
        "changed": part.changed,
        "miou": part.miou,
        "gauges": dict(part.gauges),
    }


def _comparison(verdict: Verdict) -> Document:
    found = verdict.difference
    return {
        "better": verdict.better,
        "worse": verdict.worse,
        "word": verdict.word,
        "reason": because(verdict),
        "difference": _known_bounds(found.interval if found else None),
        "p": found.p if found else None,
    }


def _verdict(verdict: Verdict) -> Document:
    found = verdict.difference.interval if verdict.difference else None
    return {
        "better": verdict.better,
        "worse": verdict.worse,
        "source": verdict.source,
        "published_points": verdict.points,
        "measured_points": found.mean if found else None,
        "interval": [found.low, found.high] if found else None,
        "verdict": verdict.word,
    }


def _effect(effect: Effect) -> Document:
    return {"parts": list(effect.factors), **_bounds(effect.interval), "n": effect.interval.n}


def _known_bounds(interval: Interval | None) -> dict[str, float | None] | None:
    return None if interval is None else _bounds(interval)


def _bounds(interval: Interval) -> dict[str, float | None]:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}
