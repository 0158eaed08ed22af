"""Names in prose: every dotted name of this package in a docstring, comment or document exists."""

import ast
import importlib
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOTTED = re.compile(r"\bmsaf_bench(?:\.\w+)+")
TEXTS = sorted(
    path
    for pattern in ("msaf_bench/**/*.py", "tests/**/*.py", "docs/**/*.md", "*.md")
    for path in ROOT.glob(pattern)
)


def missing(name):
    """The part of a dotted name that leads nowhere, or nothing."""
    parts = name.split(".")
    found = importlib.import_module(parts[0])
    for i, part in enumerate(parts[1:], 2):
        if not hasattr(found, part):
            try:
                importlib.import_module(".".join(parts[:i]))
            except ImportError:
                return ".".join(parts[:i])
        found = getattr(found, part)
    return ""


@pytest.mark.slow
def test_every_dotted_name_exists():
    named = {
        name: path.relative_to(ROOT)
        for path in TEXTS
        for name in DOTTED.findall(path.read_text(encoding="utf-8"))
    }
    assert len(named) > 100
    assert {f"{path}: {missing(name)}" for name, path in named.items() if missing(name)} == set()


def test_a_class_name_has_one_meaning():
    places = defaultdict(list)
    for path in (ROOT / "msaf_bench").rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path.name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_class_is_recognised_in_a_way_that_changed_with_python_312():
    """`isinstance` of a runtime protocol with attributes finds no submodule of a network there."""
    texts = [path.read_text() for path in (ROOT / "msaf_bench").rglob("*.py")]
    assert not any("runtime_checkable" in text for text in texts)
