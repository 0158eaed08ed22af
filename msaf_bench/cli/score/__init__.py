"""`msaf-bench score`: measures anybody's predictions from files, without a network."""

import typer

from msaf_bench.cli.score.miou import score_miou
from msaf_bench.cli.score.tc import score_tc

score_app = typer.Typer(
    no_args_is_help=True, help="Score folders of predicted label maps: mIoU, temporal consistency."
)
score_app.command("miou")(score_miou)
score_app.command("tc")(score_tc)
