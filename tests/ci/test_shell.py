"""The shell of the smoke job and of the action, step by step, as GitHub runs it: on this machine,
with a GitHub that is a folder, one seed and two rows.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
TABLE = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]
EXPRESSION = re.compile(r"\$\{\{ (.+?) \}\}")
NOT_HERE = ("install",)  #: steps that download

pytestmark = pytest.mark.slow


class Steps:
    """The `run` steps of a job or an action, run one after the other in a folder."""

    def __init__(self, steps, folder, hub, known, **environment):
        self.steps = [step for step in steps if "run" in step and step.get("id") not in NOT_HERE]
        self.folder, self.hub, self.known, self.environment = folder, hub, known, environment
        self.known["steps.upload.outputs.artifact-url"] = "https://example.org/7"

    def value(self, text):
        """A text with its expressions replaced; an unknown one is an error. Of several joined by
        `||` the first that is known and not empty counts.
        """

        def replaced(found):
            words = [word.strip() for word in found[1].split("||")]
            values = [word.strip("'") if word[0] == "'" else self.known[word] for word in words]
            return next(filter(None, values), "")

        return EXPRESSION.sub(replaced, str(text))

    def run(self, *only):
        """Exit codes by the step's id, or else its first word; `only`: of the steps with these
        ids.
        """
        return {
            step.get("id", step["run"].strip()): self._run(step)
            for step in self.steps
            if not only or step.get("id") in only
        }

    def _run(self, step):
        outputs, summary = self.folder / "outputs", self.folder / "step-summary.md"
        outputs.write_text("")
        own = {name: self.value(value) for name, value in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder,
            env=self.hub.environment(
                GITHUB_OUTPUT=str(outputs),
                GITHUB_STEP_SUMMARY=str(summary),
                RUNNER_TEMP=str(self.folder / "temp"),
                **self.environment,
                **own,
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        self.said = done.stdout + done.stderr
        for line in outputs.read_text().splitlines():
            name, _, value = line.partition("=")
            self.known[f"steps.{step['id']}.outputs.{name}"] = value
        return done.returncode


def comments(hub):
    return [call["sent"]["body"] for call in hub.calls if call["sent"]]


def artifact_of(hub, run):
    """Let the fake GitHub have the run as main's artifact, and no comment."""
    shutil.copytree(run, hub.home / "artifact", ignore=shutil.ignore_patterns("checkpoints"))
    run = {"id": 1, "head_branch": "main", "repository_id": 1, "head_repository_id": 1}
    artifact = {"expired": False, "created_at": "2026-11-01T00:00:00Z", "workflow_run": run}
    hub.answer(
        {
            "api repos/someone/lab/actions/artifacts": {"artifacts": [artifact]},
            "api repos/someone/lab/issues/7/comments?per_page": [[]],
            "api repos/someone/lab/issues": {"id": 1},
        }
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "work" / "temp").mkdir(parents=True)
    return tmp_path / "work"


def test_the_smoke_job_runs_and_compares_with_main(folder, hub):
    for name in (".venv", ".github"):
        (folder / name).symlink_to(ROOT / name)
    known = {
        "github.token": "t",
        "github.event.pull_request.number": "7",
        "steps.baseline.outputs.folder": "",
    }
    job = TABLE["table"]
    given = {**job["env"], "SEEDS": "1", "ROWS": "MSAF,Baseline"}
    steps = Steps(job["steps"], folder, hub, known, **given)
    codes = steps.run()
    assert set(codes.values()) == {0}, steps.said
    assert len(codes) == 8
    assert (folder / "smoke" / "table3.html").is_file()
    text = (folder / "step-summary.md").read_text()
    assert text.startswith("### Table 3 on street")
    assert "SMOKE RUN" in text
    assert "No baseline was found" in text

    artifact_of(hub, folder / "smoke")
    assert set(steps.run("baseline", "summary", "comment").values()) == {0}
    (comment,) = comments(hub)
    assert comment.startswith("<!-- msaf-bench: table3-smoke -->\n### Table 3 on street")
    assert "**2 rows same**" in comment.replace("7 not comparable, ", "")
    assert "https://example.org/7" in comment


@pytest.fixture
def action(folder, hub):
    """The action in a user's repository, with these inputs."""

    def start(**inputs):
        defaults = {name: about.get("default", "") for name, about in ACTION["inputs"].items()}
        small = {
            "table": "3",
            "preset": "smoke",
            "seeds": "1",
            "args": "--rows 'MSAF,Baseline' --no-controls --no-pictures --speed 0 --on local",
            "token": "t",
        }
        known = {f"inputs.{name}": text for name, text in (defaults | small | inputs).items()}
        known |= {
            "github.event.repository.default_branch": "main",
            "github.event.pull_request.number": "7",
        }
        steps = ACTION["runs"]["steps"]
        return Steps(steps, folder, hub, known, GITHUB_ACTION_PATH=str(ROOT))

    return start


def test_the_action_runs_summarises_and_fails_on_its_gates(action, folder, hub):
    steps = action(**{"fail-on": "miou<0.5, macs>0"})
    every = ["folder", "ablate", "baseline", "summary", "comment", "gates"]
    assert steps.run() == dict.fromkeys(every, 0), steps.said
    run = folder / steps.known["steps.folder.outputs.folder"]
    assert (run / "table3.html").is_file()
    assert "No baseline was found" in (folder / "step-summary.md").read_text()

    artifact_of(hub, run)
    codes = steps.run("baseline", "summary", "comment", "gates")
    assert codes == {"baseline": 0, "summary": 0, "comment": 0, "gates": 4}
    assert steps.known["steps.summary.outputs.failed-gates"] == "miou<0.5"
    (comment,) = comments(hub)
    assert "❌ gate `miou<0.5`: failed by 2 of 2 rows" in comment
    assert "✅ gate `macs>0`: passed, 2 rows" in comment


def test_the_action_of_a_table_that_does_not_exist_says_so(action, folder):
    steps = action(table="mine.toml")
    codes = steps.run()
    assert codes.pop("ablate") == 2
    assert set(codes.values()) == {0}
    assert "The run did not start" in (folder / "step-summary.md").read_text()
