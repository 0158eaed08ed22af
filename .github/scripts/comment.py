"""Post a comment on a pull request, or update the one of an earlier push.

python comment.py NUMBER NAME FILE

NAME tells the comments of several tables on one pull request apart. A token that may not write,
such as that of a fork, is a notice and no error: the job summary says the same.
"""

import sys
from pathlib import Path

from github import GitHubError, api, notice


def main(number: str, name: str, file: str) -> None:
    """Post or update the comment."""
    mark = f"<!-- msaf-bench: {name.replace('--', '')} -->"
    body = {"body": f"{mark}\n{Path(file).read_text(encoding='utf-8')}"}
    try:
        pages = api(f"issues/{number}/comments?per_page=100", "--paginate", "--slurp")
        before = [
            comment["id"]
            for page in pages
            for comment in page
            if comment["body"].startswith(mark) and comment["user"]["type"] == "Bot"
        ]
        if before:
            api(f"issues/comments/{before[-1]}", "--method", "PATCH", body=body)
        else:
            api(f"issues/{number}/comments", "--method", "POST", body=body)
    except GitHubError as error:
        notice(f"no comment on the pull request ({error}); the job summary has the same text")


if __name__ == "__main__":
    main(*sys.argv[1:])
