"""Chart of the effect of each part on mIoU, with intervals and the paper's numbers."""

from msaf_bench.findings.digits import number
from msaf_bench.report.figures.canvas import INK, MUTED, Chart, blank, sign
from msaf_bench.report.figures.marks import mark
from msaf_bench.report.figures.rows import height_of, seeds_said
from msaf_bench.report.figures.verdicts import judged_point, verdict_handles
from msaf_bench.report.view import View

TITLE = "Effect of each part on mIoU"
HEADS = ("Part", "Measured effect (points)", "Verdict", "Printed in the paper (points)")


def answers_chart(view: View) -> Chart | None:
    """Return the chart; None if no effect of a part was measured."""
    lines = [line for line in view.answers.lines if line.unit == "mIoU"]
    effects = [line.interval for line in lines if line.interval]
    if not effects or len(effects) < len(lines):
        return None
    figure, (axes,) = blank(height_of(len(lines)))
    seeds = seeds_said(effects)
    axes.set_title(f"{TITLE}, measured here: {view.summary.conditions.data}, {seeds}")
    axes.axvline(0, color=INK, lw=1.2)
    beside = axes.get_yaxis_transform()
    for y, (line, effect) in enumerate(zip(lines, effects, strict=True)):
        title = line.sentence
        judged_point(axes, y, effect, line.word, "", title)
        texts = (
            (1.02, number(effect.mean, 1, signed=True), INK),
            (1.12, _printed(line.printed), MUTED),
        )
        for x, text, colour in texts:
            words = axes.text(x, y, text, transform=beside, color=colour, va="center", fontsize=10)
            mark(words, "", title)
    axes.set_yticks(range(len(lines)), [line.part for line in lines])
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("points of mIoU; right of zero: the part helps", fontsize=10)
    axes.grid(axis="x", lw=0.7)
    axes.margins(x=0.08)
    sign(figure, view.signature, verdict_handles(line.word for line in lines))
    text = (
        f"Measured effect of each part with its 95 % interval over {seeds}, and a line at zero."
        " The paper's number stands beside it as text: data, network and schedule differ."
    )
    told = tuple((line.part, line.amount, line.word, _printed(line.printed)) for line in lines)
    return Chart("answers", TITLE, text, figure, HEADS, told)


def _printed(points: float | None) -> str:
    return "" if points is None else f"paper {number(points, 1, signed=True)}"
