"""Write the job summary and pull-request comment of a run: answers, comparison, link.

python summary.py RUN [--baseline FOLDER] [--fail-on GATES] [--link URL] > summary.md

A run that ended early or a missing baseline is a line of the summary, not an error. With
GITHUB_OUTPUT set, two outputs are appended there: `failed-gates`, and `code`, the exit code of
`msaf-bench compare`; it is 0 if nothing was compared, or if no gate was asked for.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

MOST = 60_000  #: characters; GitHub takes 65,536 in a comment
MARKS = re.compile(r"([\\`*_\[\]|~#<>])")


def main() -> None:
    """Print the summary and write the outputs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--baseline", default="", help="folder of the run to compare with")
    parser.add_argument("--fail-on", default="none", help="gates of `msaf-bench compare`")
    parser.add_argument("--link", default="", help="address of the artifact or page")
    given = parser.parse_args()

    gates = " ".join(given.fail_on.split()) or "none"
    lines = [*answers(given.run), "", "#### Against the baseline", ""]
    code, text = compared(given.baseline, given.run, gates)
    lines += [text.strip(), ""]
    if given.link:
        lines += [f"[Whole report: page, tables, figures and records]({given.link})", ""]
    print(cut("\n".join(lines)))
    failed = re.findall(r"^- ❌ gate `(.+?)`", text, re.MULTILINE)
    if outputs := os.environ.get("GITHUB_OUTPUT"):
        with Path(outputs).open("a", encoding="utf-8") as file:
            file.write(f"failed-gates={','.join(failed)}\ncode={code}\n")


def answers(run: Path) -> list[str]:
    """Return the title of a run's report and its answers, or the reason why there are none."""
    report = report_of(run)
    if report is None:
        records = len(list(run.glob("**/records/[!.]*.json")))
        return [f"### msaf-bench: no report of `{run}`", "", *unfinished(run, records)]
    watermark = (report.get("conditions") or {}).get("watermark", "")
    notes = [text for text in (watermark, *report.get("notes", ())) if text]
    failed = [
        f"{row['label']}: {row['state']}"
        for row in (*report.get("rows", ()), *report.get("controls", ()))
        if row.get("state", "").startswith(("failed", "missing", "partial"))
    ]
    said = [
        *(answer["sentence"] for answer in report.get("answers", ())),
        *report.get("standing", ()),
        (report.get("motion") or {}).get("sentence", ""),
        *report.get("trust", ()),
    ]
    return [
        f"### {plain(report['title'])}",
        "",
        *(f"> **{plain(note)}**\n" for note in notes),
        *(f"- ❌ {plain(text)}" for text in failed),
        *(f"- {plain(text)}" for text in said if text),
    ]


def report_of(run: Path) -> dict[str, Any] | None:
    """Return the JSON of a run's report; None if there is none, or if it is damaged."""
    for path in sorted(run.glob("[!.]*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(content, dict) and content.get("title"):
            return content
    return None


def unfinished(run: Path, records: int) -> list[str]:
    """Return how far a run without a report came."""
    if not (run / "plan.json").exists():
        return ["The run did not start: its folder holds no plan. The log has the reason."]
    trials = f"{records} trial{'' if records == 1 else 's'}"
    return [f"The run did not finish: {trials} left a record. The log has the reason."]


def compared(baseline: str, run: Path, gates: str) -> tuple[int, str]:
    """Return the exit code of the comparison and its Markdown, or why there is none."""
    if not baseline or not any(Path(baseline).glob("*")):
        return 0, "No baseline was found, so nothing is compared and no gate is checked."
    if not (run / "plan.json").exists():
        return 0, "The run holds no plan, so nothing is compared and no gate is checked."
    command = [sys.executable, "-m", "msaf_bench", "compare", baseline, str(run), "--markdown"]
    done = subprocess.run(
        [*command, "--fail-on", gates],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    sys.stderr.write(done.stderr)
    if done.returncode in (0, 4):
        return done.returncode, done.stdout
    why = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
    reason = plain(why[0].removeprefix("msaf-bench: "))
    return 0 if gates == "none" else done.returncode, f"Not compared: {reason}"


def plain(text: str) -> str:
    """Return text on one line that Markdown leaves as it is."""
    return MARKS.sub(r"\\\1", " ".join(text.split()))


def cut(text: str) -> str:
    """Return the text, or its first `MOST` characters up to the end of a line."""
    if len(text) <= MOST:
        return text
    return f"{text[:MOST].rpartition(chr(10))[0]}\n\nThe rest is in the report."


if __name__ == "__main__":
    main()
