"""The fenced blocks of a page, in order."""

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^ *(?P<fence>`{3,}|~{3,}) *(?P<info>[^`]*)$")


class Block(NamedTuple):
    """One fenced block."""

    page: Path
    line: int  #: of its opening fence, from 1
    language: str  #: empty without one
    text: str
    follows: bool  #: only blank lines lie between it and the block before

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def file(self) -> str:
        """The file that its first line names, as in `# mine.toml`; else empty."""
        named = re.match(r"# ([\w./-]+\.(?:py|toml))\s*$", self.text.partition("\n")[0])
        return named[1] if named else ""


def blocks_of(page: Path, text: str | None = None) -> list[Block]:
    """Return the blocks of a page. Raises `AssertionError` for a fence that is never closed."""
    lines = (page.read_text(encoding="utf-8") if text is None else text).splitlines()
    found, opened, follows = [], None, False
    for number, line in enumerate(lines, 1):
        fence = FENCE.match(line)
        if opened is None and fence:
            opened = number, fence["fence"], fence["info"].strip().partition(" ")[0], follows
        elif opened and fence and fence["fence"].startswith(opened[1]) and not fence["info"]:
            start, _, language, after = opened
            content = textwrap.dedent("\n".join(lines[start : number - 1]))
            found.append(Block(page, start, language, f"{content}\n", after))
            opened, follows = None, True
        elif opened is None and line.strip():
            follows = False
    assert opened is None, f"{page.name}:{opened[0]}: the fence is never closed"
    return found


def commands_of(block: Block) -> list[str]:
    """Return the commands of a bash block, continued lines joined."""
    joined = re.sub(r"\s*\\\n\s*", " ", block.text)
    return [line for line in map(str.strip, joined.splitlines()) if line and line[0] != "#"]
