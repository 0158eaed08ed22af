"""The effect of each part of the method on mIoU: points with intervals, verdicts beside them."""

from matplotlib.lines import Line2D

from msaf_bench.findings.answers import Answer
from msaf_bench.findings.digits import number
from msaf_bench.findings.wording import TONES
from msaf_bench.report.figures.canvas import INK, LOOK, MUTED, Chart, blank, sign
from msaf_bench.report.figures.rows import height_of, seeds_said
from msaf_bench.report.view import View

NAME = "answers"
TITLE = "Effect of each part on mIoU"
HEADS = ("Part", "Effect (points)", "Verdict", "Printed in the paper (points)")


def answers_chart(view: View) -> Chart | None:
    """Return the chart; None if no effect of a part was measured."""
    lines = [line for line in view.answers.lines if line.unit == "mIoU" and line.interval]
    if not lines:
        return None
    figure, (axes,) = blank(height_of(len(lines)))
    seeds = seeds_said(line.interval for line in lines)
    axes.set_title(f"{TITLE}, measured here: {view.summary.conditions.data}, {seeds}")
    axes.axvline(0, color=INK, lw=1.2)
    for y, line in enumerate(lines):
        _draw(axes, y, line)
    axes.set_yticks(range(len(lines)), [line.part for line in lines])
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("mIoU with the part minus mIoU without it (points); right of zero: it helps")
    axes.grid(axis="x", lw=0.7)
    axes.margins(x=0.08)
    tones = dict.fromkeys(TONES[line.word] for line in lines)
    words = {tone: [w for w in dict.fromkeys(x.word for x in lines) if TONES[w] == tone] for tone in tones}
    handles = [
        Line2D([], [], color=LOOK[tone][0], marker=LOOK[tone][1], ms=7, lw=2.2, label=" / ".join(said))
        for tone, said in words.items()
    ]
    sign(figure, view.signature, handles)
    told = tuple((line.part, line.amount, line.word, _printed(line)) for line in lines)
    text = "The measured effect of each part with its 95 % interval; beside it, in words, the paper's."
    return Chart(NAME, TITLE, text, figure, HEADS, told)
