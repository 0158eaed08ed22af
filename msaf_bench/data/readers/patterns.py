"""Patterns of file names: `data/{video}/{frame}.jpg`, with `*` and `[optional]` text."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from msaf_bench.spec.data_sets import VIDEO_FILES

_TOKEN = re.compile(r"\{split\}|\{video\}|\{frame\}|\*|\[[^\]]*\]|/|[^{*\[/]+")


class Match(NamedTuple):
    """Parts of a file name, matched by a pattern."""

    video: str
    number: int  #: 0 without {frame}
    text: str  #: the number as written
    others: tuple[str, ...]  #: texts of each `*` and `[...]`


class Pattern(NamedTuple):
    """Pattern with the folder of a split in its place."""

    text: str

    @property
    def suffix(self) -> str:
        """End of the names, in lower case."""
        return "." + self.text.rpartition(".")[2].lower()

    @property
    def of_videos(self) -> bool:
        """Whether the files are videos."""
        return self.suffix in VIDEO_FILES

    @property
    def folder(self) -> str:
        """Folder below the root that contains all files; empty for the root itself."""
        first, slash, _ = self.text.partition("/")
        return first if slash and _is_plain(first) else ""

    @property
    def below(self) -> str:
        """Folder below `folder` that contains all files; empty for `folder` itself."""
        parts = self.text.split("/")[1 if self.folder else 0 : -1]
        plain: list[str] = []
        for part in parts:
            if not _is_plain(part):
                break
            plain.append(part)
        return "/".join(plain)

    def match(self, name: str) -> Match | None:
        """Return the parts of a name below the root; None if the pattern does not match.

        The suffix of the name must be in lower case.
        """
        stem, dot, suffix = self.text.rpartition(".")
        found = _expression(stem + dot + suffix.lower()).fullmatch(name)
        if not found:
            return None
        named = found.groupdict()
        text = named.get("frame") or ""
        others = tuple(named[key] or "" for key in named if key.startswith("other"))
        return Match(named["video"], int(text or 0), text, others)

    def is_beside(self, name: str) -> bool:
        """Return whether a name lies in a folder with files of this pattern."""
        folder, _, _ = self.text.rpartition("/")
        return bool(_expression(folder).fullmatch(name.rpartition("/")[0]))

    def name(self, match: Match, number: int) -> str:
        """Return the name of another frame of the same video by this pattern.

        The texts of `*` and `[...]` are taken from the match, as far as it has them.
        """
        others = iter(match.others)
        parts = {"{video}": match.video, "{frame}": f"{number:0{len(match.text)}d}"}
        tokens: list[str] = _TOKEN.findall(self.text)
        return "".join(
            next(others, "") if token == "*" or token[0] == "[" else parts.get(token, token)
            for token in tokens
        )


def for_split(pattern: str, folder: str) -> Pattern:
    """Return a pattern with `{split}` replaced by the folder of a split."""
    return Pattern(pattern.replace("{split}", folder))


def _is_plain(part: str) -> bool:
    return not re.search(r"[{*\[]", part)


@lru_cache(maxsize=256)
def _expression(text: str) -> re.Pattern[str]:
    """Return the regular expression of a pattern or of its folder.

    A repeated field must have the same text each time.
    """
    fields: Mapping[str, str] = {
        "{video}": r"(?P<video>[^/]+)",
        "{frame}": r"(?<!\d)(?P<frame>\d+)",
    }
    seen: set[str] = set()
    expression, others = "", 0
    for token in _TOKEN.findall(text):
        if token in seen:
            expression += f"(?P={token[1:-1]})"
        elif token in fields:
            seen.add(token)
            expression += fields[token]
        elif token == "*" or token[0] == "[":
            inner = "[^/]*?" if token == "*" else f"(?:{re.escape(token[1:-1])})?"
            expression += f"(?P<other{others}>{inner})"
            others += 1
        else:
            expression += re.escape(token)
    return re.compile(expression)
