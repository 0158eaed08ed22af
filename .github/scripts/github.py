"""Calls of GitHub's API through `gh`, which finds its token in GH_TOKEN."""

import json
import os
import subprocess
import sys
from typing import Any


class GitHubError(Exception):
    """A call that failed; the message is the first line that `gh` printed."""


def api(path: str, *options: str, body: object = None) -> Any:
    """Return the JSON that `gh api` answers below this repository; `body` is sent as JSON.

    Raises `GitHubError`.
    """
    command = ["gh", "api", f"repos/{os.environ['GITHUB_REPOSITORY']}/{path}", *options]
    sent = None if body is None else json.dumps(body)
    text = gh(*command[1:], *(["--input", "-"] if sent else []), sent=sent)
    return json.loads(text) if text.strip() else None


def gh(*words: str, sent: str | None = None) -> str:
    """Return the output of a `gh` command. Raises `GitHubError`."""
    try:
        done = subprocess.run(
            ["gh", *words], input=sent, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise GitHubError("no gh on this machine") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["gh failed without a word"]
        raise GitHubError(said[0])
    return done.stdout


def notice(text: str) -> None:
    """Print a notice that stands on the page of the workflow run."""
    sys.stderr.write(f"::notice::{' '.join(text.split())}\n")
