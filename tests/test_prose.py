"""Plain English: no headless clauses, field idiom, arguments described where there are many."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = sorted((ROOT / "msaf_bench").rglob("*.py"))
TREES = {path: ast.parse(path.read_text()) for path in CODE}
PACKAGES = sorted({path.relative_to(ROOT).parts[1] for path in CODE})
DOCS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / folder / "README.md" for folder in ("ablations", "benchmarks", "datasets", "models")),
    ROOT / "reports" / "README.md",
]
WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*")  # noqa: RUF001
MOST = 2  #: "what" per 1,000 words
FREE = 1  #: of them a short text may have
#: idiom that is not the field's (the docs may quote none of it)
FORBIDDEN = (
    r"\bbut for the\b",
    r"\bfor want of\b",
    r"\bthereof\b",
    r"\bwhereby\b",
    r"\bthe same of\b",
    r"\bthere is [a-z0-9_-]+, [a-z0-9_-]+(, [a-z0-9_-]+)* ?$",
)
Described = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def whats(text: str) -> tuple[int, float]:
    """How often a text says "what", and how often its length allows it."""
    words = [word.lower() for word in WORD.findall(text)]
    return words.count("what"), max(FREE, MOST * len(words) / 1000)


def docstrings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, Described) and (text := ast.get_docstring(node)):
            yield re.sub(r"^ +\w+: ", "", text, flags=re.MULTILINE)  # names of arguments


def strings(tree: ast.Module) -> Iterator[str]:
    """Help, errors and report texts."""
    described = {
        ast.get_docstring(node, clean=False)
        for node in ast.walk(tree)
        if isinstance(node, Described)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and " " in node.value
            and node.value not in described
        ):
            yield node.value


def prose(markdown: str) -> str:
    """A page without its code."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"```.*?```", "", markdown, flags=re.DOTALL))


def of_package(name: str) -> list[ast.Module]:
    return [tree for path, tree in TREES.items() if path.relative_to(ROOT).parts[1] == name]


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("texts", [docstrings, strings])
def test_code_names_its_subjects(package, texts):
    said, most = whats(" ".join(text for tree in of_package(package) for text in texts(tree)))
    assert said <= most


@pytest.mark.parametrize("page", DOCS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_names_its_subjects(page):
    said, most = whats(prose(page.read_text()))
    assert said <= most


def test_comments_name_their_subjects():
    comments = [c for path in CODE for c in re.findall(r"#:? (.*)", path.read_text())]
    said, most = whats(" ".join(comments))
    assert said <= most


@pytest.mark.parametrize("mark", FORBIDDEN)
def test_idiom_is_the_fields(mark):
    places = {path.name: "\n".join(strings(tree)) for path, tree in TREES.items()}
    places |= {page.name: prose(page.read_text()) for page in DOCS}
    found = [
        f"{name}: {hit[0]}" for name, text in places.items() for hit in re.finditer(mark, text)
    ]
    assert found == []


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    given = function.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]


def has_arguments(node: ast.AST) -> bool:
    return isinstance(node, Described) and "Args:" in (ast.get_docstring(node) or "")


def test_functions_with_many_parameters_describe_them():
    """Commands are described by their options; a method is where its protocol describes it."""
    functions = [
        (path, node)
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith(("_", "on_"))
        and "cli" not in path.parts
        and len(parameters(node)) > 3
    ]
    described = {node.name for _, node in functions if has_arguments(node)}
    assert len(described) > 100
    missing = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path, node in functions
        if node.name not in described
    ]
    assert missing == []


def test_the_readme_is_one_screen():
    readme = (ROOT / "README.md").read_text()
    assert len(readme.split()) <= 900
    assert readme.count("![") == 2  # a result, and the method
    assert len(re.findall(r"^msaf-bench ablate|^make", readme, flags=re.MULTILINE)) == 3


def test_the_counts_find_what_they_count():
    assert whats("What it is, and what it does. " * 10) == (20, 1)
    assert whats("The whatever of somewhat") == (0, 1)
    assert prose("a `what` b\n```bash\nwhat\n```\nc") == "a  b\n\nc"
    assert re.search(FORBIDDEN[-1], "unknown preset; there is paper, quick, smoke")
