"""Every fenced block of the documentation is run, or checked, or its test fails."""

import importlib
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from glob import glob
from pathlib import Path

import pytest
import typer
import yaml
from docs.fences import Block, blocks_of, commands_of
from docs.place import ROOT, make_place

from docs import rewritings
from msaf_bench import liveness
from msaf_bench.architectures import builtin
from msaf_bench.catalog import read_data_set, read_space, read_system, read_table
from msaf_bench.cli import app, main
from msaf_bench.errors import BenchError
from msaf_bench.spec import DataSet, Table
from msaf_bench.spec.data_sets import LabelFormat
from msaf_bench.spec.search import Space

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PASSED_OVER = {"text", "mermaid", "bibtex", "html", "svg"}
RUN = {"bash", "python"}
LANGUAGES = PASSED_OVER | RUN | {"toml", "yaml"}

#: What completes a part of a table, of a data set and of a system.
TABLE = {
    "title": "t", "source": "s", "base": "msaf-r50", "metrics": ["miou"], "reference": "MSAF",
    "rows": {"MSAF": {}},
}  # fmt: skip
DATA_SET = {
    "frames": "{video}.mp4", "labels": "{video}/{frame}.png", "classes": ["a", "b"],
    "splits": {"train": 0.5, "val": 0.5},
}  # fmt: skip


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def program(line: str) -> list[str] | None:
    """Return the words of a line of this program, however it is started; None for another's."""
    words = shlex.split(line, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words = words[1:]
    text = shlex.join(words)
    begin = re.match(
        r"((\.venv/bin/)?msaf-bench|(torchrun .*?|\S*python3? )-m msaf_bench)(?: |$)", text
    )
    if begin is None:
        return None
    found = shlex.split(text[begin.end() :])
    return [*found, "--device", "cuda"] if begin[3] and "--device" not in found else found


def parse(words: list[str]) -> None:
    """Have the real command line read the words, callbacks of options included, and run nothing."""
    command, context = typer.main.get_command(app), None
    context = command.make_context("msaf-bench", [*words])
    while hasattr(command, "resolve_command"):
        _, command, words = command.resolve_command(context, [*words])
        context = command.make_context(command.name, [*words], parent=context)
        words = context.args


def bare(line: str) -> str:
    return line.partition(" #")[0].strip()


def make_target(line: str) -> bool:
    return re.match(r"make( |$)", line) is not None


def rule_of(block: Block) -> str:
    """Return why a block has no rule; empty if it has one."""
    if not block.language:
        return "a fence without a language"
    if block.language not in LANGUAGES:
        return f"no rule for {block.language!r}"
    if block.language != "bash":
        return ""
    for line in commands_of(block):
        if not (
            program(line) is not None
            or make_target(line)
            or module_of(line)
            or rewritings.foreign(bare(line))
        ):
            return f"no rule for `{line}`"
    return ""


def module_of(line: str) -> str:
    """The module of this package that `python -m` runs, other than the program itself."""
    found = re.match(r"(?:\.venv/bin/)?python -m (msaf_bench\.[\w.]+)$", bare(line))
    return found[1] if found else ""


def check_toml(block: Block) -> None:
    """Validate a block that does not say its file by what its keys belong to."""
    content = tomllib.loads(block.text)
    keys = set(content)
    if keys == {"project"}:
        assert set(content["project"]) == {"entry-points"}, "a project of no kind that is known"
    elif keys <= {"search", "rows"} and "search" in keys:
        Space.model_validate({"name": "s", **content})
    elif keys <= set(Table.model_fields):
        rows = TABLE["rows"] | content.get("rows", {})
        Table.model_validate({"name": "t", **TABLE, **content, "rows": rows})
    elif keys <= set(DataSet.model_fields) | {"labels", "frames", "stills", "select"}:
        if isinstance(content.get("labels"), dict):
            LabelFormat.model_validate(content["labels"])
        DataSet.model_validate({"name": "d", **DATA_SET, **content})
    else:
        raise AssertionError(f"no reader for a file with the keys {sorted(keys)}")


def read_file(name: str, content: dict[str, object]) -> None:
    """Read a whole file by the reader of its kind."""
    if "classes" in content:
        read_data_set(name)
    elif "architecture" in content:
        read_system(name)
    elif "search" in content:
        read_space(name)
    elif "rows" in content:
        read_table(name)
    else:
        raise AssertionError(f"{name}: a file of no kind that is known")


class Runner:
    """Runs the blocks of one page, in order, in a folder of its own."""

    def __init__(self, folder: Path, capture) -> None:
        self.folder, self.capture = folder, capture
        self.names: dict[str, object] = {"__name__": "__main__"}
        self.said: str | None = None  #: what the last bash block printed
        self.modules: set[str] = set()

    def run(self, block: Block) -> None:
        if block.language == "text" and block.follows and self.said is not None:
            self.check_output(block)
        elif block.language == "python":
            self.run_python(block)
        elif block.language == "bash":
            self.said = "".join(self.run_line(line) for line in commands_of(block))
            return
        elif block.language == "toml" and block.file:
            (self.folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / block.file).write_text(block.text)
            read_file(block.file, tomllib.loads(block.text))
        self.said = None

    def run_python(self, block: Block) -> None:
        if block.file:
            (self.folder / block.file).write_text(block.text)
            self.forget(Path(block.file).stem)
            if "\ndef register(" in block.text:
                builtin().extend([Path(block.file).stem])
            else:
                importlib.import_module(Path(block.file).stem)
            return
        lines = "\n" * block.line + block.text  # so that errors name the line of the page
        exec(compile(lines, str(block.page), "exec"), self.names)

    def forget(self, module: str) -> None:
        """Have a module that was written again read again."""
        self.modules.add(module)
        sys.modules.pop(module, None)
        shutil.rmtree(self.folder / "__pycache__", ignore_errors=True)
        importlib.invalidate_caches()

    def run_line(self, line: str) -> str:
        words = program(rewritings.filled(line))
        if words is not None:
            return self.run_program(words)
        if make_target(line):
            done = subprocess.run(
                ["make", "-n", *shlex.split(bare(line))[1:]],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        elif module := module_of(line):
            assert importlib.util.find_spec(module), line
        else:
            assert rewritings.foreign(bare(line)), f"no rule for `{line}`"
            script = re.match(r"python ((?:tests|benchmarks)/\S+)", line)
            assert not script or (ROOT / script[1]).is_file(), line
        return ""

    def run_program(self, words: list[str]) -> str:
        if rewritings.parsed_only(words):
            parse(words)
            return ""
        words, codes = rewritings.rewritten(words)
        words = [found for word in words for found in (sorted(glob(word)) or [word])]  # noqa: PTH207
        self.capture.readouterr()
        code = main(words)
        out, err = self.capture.readouterr()
        assert code in codes, f"{shlex.join(words)}: exit code {code}\n{err[-2000:]}"
        return out + err

    def check_output(self, block: Block) -> None:
        """The lines of a text block that follows a command are in its output, unless it has `...`,
        which stands for lines and numbers that differ from machine to machine.
        """
        if "..." in block.text:
            return
        printed = {" ".join(line.split()) for line in self.said.splitlines()}
        wanted = [" ".join(line.split()) for line in block.text.splitlines() if line.strip()]
        assert [line for line in wanted if line not in printed] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_block_has_a_rule_and_can_be_read(page):
    faults = []
    for block in blocks_of(page):
        if fault := rule_of(block):
            faults.append(f"{block.place}: {fault}")
            continue
        try:
            if block.language == "toml" and not block.file:
                check_toml(block)
            elif block.language == "toml":
                tomllib.loads(block.text)
            elif block.language == "yaml":
                yaml.safe_load(block.text)
            elif block.language == "python":
                compile(block.text, block.place, "exec")
        except (ValueError, AssertionError, BenchError, SyntaxError, yaml.YAMLError) as error:
            faults.append(f"{block.place}: {error}")
    assert faults == []


RUNNING = [page for page in PAGES if any(b.language in RUN or b.file for b in blocks_of(page))]


@pytest.fixture
def runner(tmp_path, monkeypatch, undrawn, capfd):
    """A runner in a folder of its own; modules and gauges of the pages are gone afterwards."""
    folder = tmp_path / "page"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.setenv("COLUMNS", "160")
    gauges = dict(liveness.GAUGES)
    runner = Runner(folder, capfd)
    yield runner
    for module in runner.modules:
        sys.modules.pop(module, None)
    liveness.GAUGES.clear()
    liveness.GAUGES.update(gauges)


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNING, ids=named)
def test_the_blocks_of_a_page_run(page, runner):
    blocks = blocks_of(page)
    make_place(runner.folder, "\n".join(rewritings.filled(block.text) for block in blocks))
    for block in blocks:
        try:
            runner.run(block)
        except BaseException as error:
            error.add_note(f"in {named(page)}, line {block.line}")
            raise


def page_of(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text)
    return blocks_of(page)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("```\nls\n```\n", "a fence without a language"),
        ("```rust\nfn\n```\n", "no rule for 'rust'"),
        ("```bash\nls\n```\n", "no rule for `ls`"),
        ("```bash\n# comment\nmake test\nrm -r x  # gone\n```\n", "no rule for `rm -r x  # gone`"),
        ("```bash\nmsaf-bench list\n.venv/bin/msaf-bench doctor\n```\n", ""),
        ("- item\n\n  ```bash\n  WANDB_MODE=offline msaf-bench list\n  ```\n", ""),
    ],
)  # fmt: skip
def test_a_block_without_a_rule_is_found(tmp_path, text, fault):
    (block,) = page_of(tmp_path, text)
    assert rule_of(block) == fault


def test_a_fence_that_is_never_closed_is_found(tmp_path):
    with pytest.raises(AssertionError, match="never closed"):
        page_of(tmp_path, "```python\nx = 1\n")


def test_wrong_commands_output_and_code_are_found(tmp_path, runner):
    right = (
        "```bash\nmsaf-bench flops --n 4x4\n```\n\n"
        "```text\n4x4 feature map: n = 16 pixels, 3 frames, width 256\n```\n"
    )
    for block in page_of(tmp_path, right):
        runner.run(block)
    command, output = page_of(tmp_path, right.replace("16 pixels", "17 pixels"))
    runner.run(command)
    with pytest.raises(AssertionError, match="17 pixels"):
        runner.run(output)
    (block,) = page_of(tmp_path, "```bash\nmsaf-bench flops --m 4x4\n```\n")
    with pytest.raises(AssertionError, match="exit code 2"):
        runner.run(block)
    one, two = page_of(tmp_path, "```python\nx = 1\n```\n\ntext\n\n```python\nassert x == 2\n```\n")
    runner.run(one)
    with pytest.raises(AssertionError):
        runner.run(two)


def test_parts_of_files_are_validated_by_their_reader(tmp_path):
    (block,) = page_of(tmp_path, '```toml\n[axis]\nof = "steps"\nvalues = [1, 2]\n```\n')
    check_toml(block)
    for text in ('[axis]\nof = "steps"\n', "colour = 1\n", 'labels = "{frame"\n'):
        (block,) = page_of(tmp_path, f"```toml\n{text}```\n")
        with pytest.raises((ValueError, AssertionError)):
            check_toml(block)


def test_rewritings_shorten_and_keep_the_rest():
    words, codes = rewritings.rewritten(
        ["ablate", "--table", "3", "--seeds", "5", "--set", "steps=500"]
    )
    assert words[:5] == ["ablate", "--table", "3", "--set", "steps=2"]
    assert rewritings.value(words, "--rows") == "MSAF"
    assert rewritings.value(words, "--reports") == "reports/table3-street-quick"
    assert codes == {0}
    words, _ = rewritings.rewritten(["ablate", "3", "--preset", "paper", "--root", "c"])
    assert "--dry-run" in words
    assert "smoke" not in words
    assert rewritings.filled("msaf-bench x --data camvid --root DIR") == (
        "msaf-bench x --data camvid --root CamVid"
    )
    assert program("torchrun --nproc-per-node 4 -m msaf_bench train a --preset paper") == [
        "train", "a", "--preset", "paper", "--device", "cuda",
    ]  # fmt: skip
