"""A GitHub that is a folder, and small runs."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "reports" / "reference" / "table3-street-quick"


class Hub:
    """The folder of a fake `gh`, and the environment of a step that uses it."""

    def __init__(self, home):
        self.home = home
        (home / "bin").mkdir()
        gh = home / "bin" / "gh"
        gh.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).parent}/fake_gh.py "$@"\n')
        gh.chmod(0o755)
        self.answer({})

    def answer(self, answers):
        (self.home / "answers.json").write_text(json.dumps(answers))

    @property
    def calls(self):
        path = self.home / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def environment(self, **more):
        """The environment of a step: no variable of a workflow that runs these tests."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
        tools = Path(sys.executable).parent
        own["PATH"] = f"{self.home / 'bin'}:{tools}:{own['PATH']}"
        return own | {
            "FAKE_GH": str(self.home),
            "GITHUB_REPOSITORY": "someone/lab",
            "GITHUB_RUN_ID": "99",
            **more,
        }


@pytest.fixture
def hub(tmp_path):
    (tmp_path / "hub").mkdir()
    return Hub(tmp_path / "hub")


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """A finished run with its report, of three seeds, from the reference records."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    (folder / "records").mkdir(parents=True)
    shutil.copy(REFERENCE / "plan.json", folder)
    shutil.copy(REFERENCE / "table3.json", folder)
    for path in sorted((REFERENCE / "records").iterdir()):
        if json.loads(path.read_text())["trial"]["seed"] < 3:
            shutil.copy(path, folder / "records")
    return folder
