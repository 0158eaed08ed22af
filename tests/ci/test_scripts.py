"""The scripts of the workflows, each as a step runs it, with a GitHub that is a folder."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / ".github" / "scripts"


def script(name, *words, environment=None, cwd=None, code=0):
    """What a script prints; its exit code must be `code`."""
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / name), *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment or os.environ | {"GITHUB_OUTPUT": ""},
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


# summary.py


def test_the_summary_of_a_run_without_a_baseline_begins_with_its_answers(run_folder):
    text, _ = script("summary.py", run_folder, "--link", "https://example.org/7")
    lines = text.splitlines()
    assert lines[0] == "### Table 3 on street: which part of MSAF earns its keep?"
    assert lines[2].startswith("- Vanilla attention over frames: −0.4 mIoU")
    assert "No baseline was found" in text
    assert text.rstrip().endswith("(https://example.org/7)")


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ([], "The run did not start"),
        (["plan.json"], "did not finish: 0 trials left a record"),
        (["plan.json", "records/1.json"], "did not finish: 1 trial left a record"),
    ],
)
@pytest.mark.parametrize("baseline", [[], ["--baseline", ""], ["--baseline", "gone"]])
def test_the_summary_of_a_run_that_ended_early_says_so(tmp_path, there, said, baseline):
    for name in there:
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).write_text("{}")
    text, _ = script("summary.py", "run", *baseline, cwd=tmp_path)
    assert said in text
    assert "no gate is checked" in text


def test_failed_rows_and_warnings_stand_before_the_answers(tmp_path):
    report = {
        "title": "T | x",
        "conditions": {"watermark": "SMOKE RUN"},
        "notes": ["The run is partial: 1 of 2 trials are not finished."],
        "answers": [{"sentence": "A: +1."}],
        "rows": [
            {"label": "A", "state": "done"},
            {"label": "B", "state": "failed: <b>out of memory</b>"},
        ],
    }
    (tmp_path / "t.json").write_text(json.dumps(report))
    (tmp_path / "plan.json").write_text("{")
    text, _ = script("summary.py", tmp_path)
    found = [
        "### T \\| x",
        "SMOKE RUN",
        "run is partial",
        "- ❌ B: failed: \\<b\\>out of memory",
        "- A: +1.",
    ]
    places = [text.index(part) for part in found]
    assert places == sorted(places)


@pytest.mark.slow
def test_the_summary_with_a_baseline_has_the_comparison_and_its_gates(run_folder, tmp_path):
    outputs = tmp_path / "outputs"
    given = ["summary.py", run_folder, "--baseline", run_folder]
    environment = os.environ | {"GITHUB_OUTPUT": str(outputs)}

    def told(*more):
        outputs.write_text("")
        text, _ = script(*given, *more, environment=environment)
        return text, outputs.read_text()

    text, wrote = told("--fail-on", "worse,\n  miou<-0.5")
    assert "✅ gate `worse`: passed, 9 rows" in text
    assert "✅ gate `miou<-0.5`: passed, 9 rows" in text
    assert wrote == "failed-gates=\ncode=0\n"
    text, wrote = told("--fail-on", "miou<0.5,worse")  # no change is below half a point
    assert "❌ gate `miou<0.5`: failed by 9 of 9 rows" in text
    assert wrote == "failed-gates=miou<0.5\ncode=4\n"
    text, wrote = told("--fail-on", "latency>5%")  # never passed unseen
    assert "Not compared: gate latency\\>5%: no row of both runs has latency" in text
    assert wrote == "failed-gates=\ncode=3\n"
    other = tmp_path / "other"
    other.mkdir()
    (other / "plan.json").write_text("damaged")
    text, _ = script("summary.py", run_folder, "--baseline", other, environment=environment)
    assert "Not compared: " in text
    assert outputs.read_text().endswith("code=0\n")


def test_a_summary_is_cut_to_the_length_of_a_comment(tmp_path):
    report = {"title": "T", "answers": [{"sentence": f"{i}: {'x' * 900}"} for i in range(100)]}
    (tmp_path / "t.json").write_text(json.dumps(report))
    text, _ = script("summary.py", tmp_path)
    assert len(text) < 65_536
    assert text.rstrip().endswith("The rest is in the report.")


# baseline.py


def artifact(number, branch="main", created="2026-11-01T00:00:00Z", **more):
    run = {"id": number, "head_branch": branch, "repository_id": 1, "head_repository_id": 1}
    run |= more.pop("run", {})
    return {"created_at": created, "expired": False, "workflow_run": run, **more}


def baseline(hub, artifacts, tmp_path, source="main"):
    hub.answer({"api repos/someone/lab/actions/artifacts?name=bench": {"artifacts": artifacts}})
    (hub.home / "artifact").mkdir(exist_ok=True)
    return script(
        "baseline.py", "bench", source, "base", environment=hub.environment(), cwd=tmp_path
    )


def test_the_newest_artifact_of_the_branch_is_the_baseline(hub, tmp_path):
    artifacts = [
        artifact(1, created="2026-11-01T00:00:00Z"),
        artifact(3, created="2026-11-03T00:00:00Z"),
        artifact(2, created="2026-11-02T00:00:00Z"),
        artifact(4, created="2026-11-04T00:00:00Z", branch="topic"),
        artifact(5, created="2026-11-05T00:00:00Z", expired=True),
        artifact(6, created="2026-11-06T00:00:00Z", run={"head_repository_id": 2}),
        artifact(99, created="2026-11-07T00:00:00Z"),
    ]
    out, err = baseline(hub, artifacts, tmp_path)
    assert out == "base\n"
    assert (tmp_path / "base").is_dir()
    assert hub.calls[-1]["words"][:5] == ["run", "download", "3", "--name", "bench"]
    assert "artifact bench of main, 2026-11-03T00:00:00Z, workflow run 3" in err


@pytest.mark.parametrize("artifacts", [[], [artifact(6, run={"head_repository_id": 2})]])
def test_no_artifact_is_a_notice_and_no_error(hub, tmp_path, artifacts):
    out, err = baseline(hub, artifacts, tmp_path)
    assert out == "\n"
    assert err == "::notice::no baseline: branch main has no artifact bench\n"


def test_an_api_that_refuses_is_a_notice_and_no_error(hub, tmp_path):
    out, err = script("baseline.py", "x", "main", "base", environment=hub.environment())
    assert (out, err) == ("\n", "::notice::no baseline: gh: HTTP 404\n")


def test_a_folder_is_taken_as_it_is_and_none_is_none(hub, tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "plan.json").touch()
    for source, expected in (("kept", "kept\n"), ("none", "\n"), ("", "\n")):
        words = ("baseline.py", "bench", source, "base")
        out, _ = script(*words, environment=hub.environment(), cwd=tmp_path)
        assert out == expected
    assert hub.calls == []


# comment.py


def comment(hub, tmp_path, pages):
    hub.answer(
        {
            "api repos/someone/lab/issues/7/comments?per_page=100 --paginate --slurp": pages,
            "api repos/someone/lab/issues": {"id": 1},
        }
    )
    (tmp_path / "summary.md").write_text("### Title\n")
    words = ("comment.py", "7", "bench", "summary.md")
    return script(*words, environment=hub.environment(), cwd=tmp_path)


MARK = "<!-- msaf-bench: bench -->\n"


def of(number, body, kind="Bot"):
    return {"id": number, "body": body, "user": {"type": kind}}


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        ([[]], ["repos/someone/lab/issues/7/comments", "--method", "POST"]),
        ([[of(1, f"{MARK}old", "User"), of(2, "x")]], ["issues/7/comments", "POST"]),
        ([[of(1, "<!-- msaf-bench: other -->\n")]], ["issues/7/comments", "POST"]),
        ([[of(1, "hello", "User")], [of(5, f"{MARK}old")]], ["issues/comments/5", "PATCH"]),
    ],
)
def test_one_comment_is_posted_and_then_updated(hub, tmp_path, pages, words):
    comment(hub, tmp_path, pages)
    last = hub.calls[-1]
    assert len(hub.calls) == 2
    assert all(any(word in said for said in last["words"]) for word in words)
    assert last["sent"] == {"body": f"{MARK}### Title\n"}


def test_a_token_that_may_not_write_is_a_notice_and_no_error(hub, tmp_path):
    hub.answer({"api": {"error": "Resource not accessible by integration (HTTP 403)"}})
    (tmp_path / "summary.md").write_text("x")
    words = ("comment.py", "7", "bench", "summary.md")
    _, err = script(*words, environment=hub.environment(), cwd=tmp_path)
    assert err.startswith("::notice::no comment on the pull request (gh: Resource not accessible")


# ablate.py


@pytest.mark.slow
def test_the_inputs_of_the_action_become_options_and_nothing_in_them_is_run(tmp_path):
    inputs = {
        "TABLE": "3",
        "PRESET": "smoke",
        "PLUGIN": "",
        "DATA": "$(touch owned)",
        "SEEDS": "1",
        "ARGS": "--rows 'w/o DCN,MSAF' --set \"flow=none; touch owned\" --dry-run",
        "FOLDER": "out",
    }
    out, err = script("ablate.py", environment=os.environ | inputs, cwd=tmp_path, code=2)
    assert out.splitlines()[0] == (
        "msaf-bench ablate --table 3 --preset smoke --data '$(touch owned)' --seeds 1"
        " --rows 'w/o DCN,MSAF' --set 'flow=none; touch owned' --dry-run --reports out"
    )
    assert "unknown" in err
    assert list(tmp_path.iterdir()) == []


# release.py


CHANGELOG = """# Changelog

## [Unreleased]

## [0.2.0] - 2026-12-01

### Added

- x

## [0.1.0]

- y
"""


@pytest.fixture
def project(tmp_path):
    """A project whose version is 0.2.0, with the script at its place."""
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    place = tmp_path / ".github" / "scripts"
    place.mkdir(parents=True)
    shutil.copy(SCRIPTS / "release.py", place)
    return tmp_path


def released(project, tag, code):
    path = project / ".github" / "scripts" / "release.py"
    done = subprocess.run(
        [sys.executable, str(path), tag], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_the_notes_of_a_release_are_its_section_of_the_changelog(project):
    assert released(project, "v0.2.0", 0) == "### Added\n\n- x\n"


@pytest.mark.parametrize("tag", ["v0.2.1", "0.2.0", "v0.2.0rc1"])
def test_a_tag_that_is_not_the_version_stops_the_release(project, tag):
    assert "is not v0.2.0, the version in pyproject.toml" in released(project, tag, 1)


def test_a_version_without_a_section_stops_the_release(project):
    (project / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n- x\n")
    assert "CHANGELOG.md has no section [0.2.0]" in released(project, "v0.2.0", 1)


# wheel.sh


@pytest.mark.slow
def test_the_wheel_alone_runs_outside_the_checkout(hub, tmp_path):
    """Its dependencies are those of this environment: nothing is downloaded."""
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel"]
    subprocess.run(
        [*build, "--outdir", str(tmp_path / "dist"), str(ROOT)], check=True, capture_output=True
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert "msaf_bench/cli/compare.py" in zipfile.ZipFile(wheel).namelist()
    packages = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    environment = hub.environment(
        PIP_NO_DEPS="1",
        PIP_NO_INDEX="1",
        PIP_IGNORE_INSTALLED="1",
        TORCH_INDEX="",
        PYTHONPATH=str(packages),
    )
    done = subprocess.run(
        [str(SCRIPTS / "wheel.sh"), "dist", "work"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "msaf-bench 0." in done.stdout
    assert "table3-street-smoke/table3.html" in done.stdout
