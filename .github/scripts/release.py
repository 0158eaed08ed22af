"""Check a tag against the version of the project, and print the changelog's section on it.

python release.py v0.2.0 > notes.md
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main(tag: str, root: Path = ROOT) -> None:
    """Print the section. Exits with a message if the tag, the version or the section is missing."""
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    if tag != f"v{version}":
        sys.exit(f"tag {tag} is not v{version}, the version in pyproject.toml; move the tag")
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    heads = list(re.finditer(r"^## \[(.+?)\].*\n", text, re.MULTILINE))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    for head, end in zip(heads, ends, strict=True):
        if head[1] == version and text[head.end() : end].strip():
            print(text[head.end() : end].strip())
            return
    sys.exit(f"CHANGELOG.md has no section [{version}]; rename [Unreleased] and add the date")


if __name__ == "__main__":
    main(*sys.argv[1:])
