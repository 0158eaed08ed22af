"""Download the newest artifact of a branch by its name, or take a folder as it is.

python baseline.py NAME BRANCH_OR_FOLDER DESTINATION

Prints the folder of the baseline; an empty line and a notice if there is none. Artifacts of forks
and of the present workflow run are passed over: a pull request cannot bring its own baseline.
"""

import os
import sys
from pathlib import Path
from typing import Any

from github import GitHubError, api, gh, notice


def main(name: str, source: str, destination: str) -> None:
    """Print the folder of the baseline."""
    if source in ("", "none"):
        print()
    elif Path(source, "plan.json").is_file():
        print(source)
    else:
        print(downloaded(name, source, destination))


def downloaded(name: str, branch: str, destination: str) -> str:
    """Return the folder of the newest artifact; empty, with a notice, if it cannot be had."""
    try:
        found = newest(api(f"actions/artifacts?name={name}&per_page=100")["artifacts"], branch)
        if found is None:
            notice(f"no baseline: branch {branch} has no artifact {name}")
            return ""
        run = str(found["workflow_run"]["id"])
        repository = os.environ["GITHUB_REPOSITORY"]
        gh("run", "download", run, "--name", name, "--dir", destination, "--repo", repository)
    except GitHubError as error:
        notice(f"no baseline: {error}")
        return ""
    notice(f"baseline: artifact {name} of {branch}, {found['created_at']}, workflow run {run}")
    return destination


def newest(artifacts: list[dict[str, Any]], branch: str) -> dict[str, Any] | None:
    """Return the newest artifact that a branch of this repository made and that still exists."""
    own = [
        artifact
        for artifact in artifacts
        if not artifact["expired"]
        and (run := artifact.get("workflow_run"))
        and run["head_branch"] == branch
        and run["head_repository_id"] == run["repository_id"]
        and str(run["id"]) != os.environ.get("GITHUB_RUN_ID")
    ]
    return max(own, key=lambda artifact: artifact["created_at"], default=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
