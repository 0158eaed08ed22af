"""A GitHub that is a folder, and small runs."""

import json
import os
import sys
from pathlib import Path

import pytest
from made_records import some_seeds

from msaf_bench.documents import json_text
from msaf_bench.findings.run import load_run
from msaf_bench.report.document import to_json
from msaf_bench.report.kinds import view_of

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
    folder = some_seeds(REFERENCE, tmp_path_factory.mktemp("finished") / "run", 3)
    view = view_of(load_run(REFERENCE).summary())  # whole, unlike the records here
    (folder / "table3.json").write_text(json_text(to_json(view)))
    return folder
