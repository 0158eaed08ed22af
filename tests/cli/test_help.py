"""Help, names and lists of the command line: what every command says before anything runs."""

import inspect
import re
import subprocess
import sys
import time
from importlib import import_module

import pytest
import typer

from msaf_bench.catalog import list_data_sets, list_presets, list_tables
from msaf_bench.cli import app, main, options
from msaf_bench.cli.commands import COMMANDS, GROUPS, NESTED
from msaf_bench.cli.help import Helped
from msaf_bench.cli.options import split_list
from msaf_bench.errors import UsageError, in_any_case, one_of
from msaf_bench.spec import MODES

HEAVY = {"pydantic", "numpy", "rich", "torch", "pandas", "PIL", "cv2", "scipy", "matplotlib"}


def called(name):
    module, _, function = COMMANDS[name].place.partition(":")
    return getattr(import_module(f"msaf_bench.cli.{module}"), function)


def command(name):
    """The command of a name such as `score miou`, as typer has it."""
    group, context = typer.main.get_command(app), None
    context = typer.Context(group, info_name="msaf-bench")
    for word in name.split():
        group = group.get_command(context, word)
        context = typer.Context(group, info_name=word, parent=context)
    return group, context


def test_every_command_is_in_one_group():
    names = [name for names in GROUPS.values() for name in names]
    assert sorted(names) == sorted({name.split()[0] for name in COMMANDS})
    assert set(NESTED) == {name.split()[0] for name in COMMANDS if " " in name}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_is_the_first_sentence_of_the_help(name):
    text = " ".join(inspect.getdoc(called(name)).split())
    assert text == COMMANDS[name].summary or text.startswith(f"{COMMANDS[name].summary} ")
    assert len(COMMANDS[name].summary) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_80_columns_and_stands_alone(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*name.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "Examples:" in text
    assert "--debug" in text
    assert not re.search("<(bool|str|int|float|path|list)", text)
    for option in command(name)[0].params:
        if option.name != "help":
            assert re.match(r"[A-Z].*[.?]$", option.help, re.DOTALL), option.name
        if option.param_type_name == "option":
            assert getattr(option, "is_flag", False) or option.metavar, option.name


@pytest.mark.parametrize(
    ("name", "words"), [(name, words) for name in COMMANDS for words in COMMANDS[name].examples]
)
def test_examples_can_be_typed(name, words):
    import shlex

    found, _ = command(name)
    assert isinstance(found, Helped)
    with found.make_context(name, shlex.split(words)):
        pass


def test_a_short_option_has_one_meaning_among_those_of_a_name():
    meanings = {}
    for name in COMMANDS:
        for option in command(name)[0].params:
            for short in (o for o in getattr(option, "opts", ()) if re.fullmatch("-[a-z]", o)):
                meanings.setdefault(short, set()).add(option.name)
    assert meanings.pop("-o") == {"reports", "out"}  # where files go
    assert all(len(names) == 1 for names in meanings.values()), meanings


def test_bare_commands_print_their_help_once(capsys):
    for words in ([], ["score"], ["data"]):
        assert main(words) == 2
        out, err = capsys.readouterr()
        assert out.count("Usage:") == 1
        assert not err


def test_version_and_short_help(capsys):
    assert main(["--version"]) == 0
    assert re.fullmatch(r"msaf-bench \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)
    assert main(["-h"]) == main(["--help"]) == 0
    short, long = re.split("(?=Usage)", capsys.readouterr().out)[1:]
    assert short == long


@pytest.mark.slow
def test_help_imports_nothing_heavy_and_answers_at_once():
    """A loose bound: 0.2 s on an idle machine, a bare Python takes 0.02."""
    code = f"""
import sys
from msaf_bench.cli import main
assert main(sys.argv[1:]) == 0
found = {HEAVY!r} & set(sys.modules)
sys.exit(", ".join(found) if found else 0)
"""
    begin = time.process_time()
    for words in (["--help"], ["-h"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert time.process_time() - begin < 2


@pytest.mark.slow
def test_no_module_of_a_command_imports_anything_heavy():
    places = ", ".join(f"msaf_bench.cli.{c.place.partition(':')[0]}" for c in COMMANDS.values())
    code = f"import sys, {places}; print({HEAVY!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_choices_are_those_of_the_specs():
    assert list_data_sets() == options.DATA_SETS
    assert options.MODES == MODES
    assert set(options.PRESETS) == set(list_presets())
    from msaf_bench.analyzers.consistency.presets import PRESETS
    from msaf_bench.cli.score import miou, tc
    from msaf_bench.data.flow.estimators import ESTIMATORS
    from msaf_bench.data.labels.classes import CLASS_SETS

    assert tuple(PRESETS) == tc.PRESETS
    assert {*ESTIMATORS, "flo:DIR"} == set(tc.FLOWS)
    assert tuple(CLASS_SETS) == miou.CLASS_SETS


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (None, []),
        (["MSAF,Baseline"], ["MSAF", "Baseline"]),
        (["MSAF", "Baseline"], ["MSAF", "Baseline"]),
        (["msaf, baseline", "W/O dcn"], ["MSAF", "Baseline", "w/o DCN"]),
        (["a, b"], ["a, b"]),
        (["MSAF,A, b,Baseline"], ["MSAF", "a, b", "Baseline"]),
        (["same"], ["same"]),
        (["SAME"], ["SAME"]),
        (["other,msaf"], ["other", "MSAF"]),
    ],
)
def test_lists_have_one_syntax(values, names):
    known = ["MSAF", "Baseline", "w/o DCN", "a, b", "same", "Same"]
    assert split_list(values, known) == names


def test_names_in_any_case():
    assert in_any_case("QUICK", ["quick", "paper"]) == "quick"
    assert in_any_case("quik", ["quick"]) == "quik"


def test_unknown_names_get_all_of_a_few_and_the_nearest_of_many():
    with pytest.raises(UsageError, match="choose one of: paper, quick$"):
        one_of("preset", "zz", ["quick", "paper"])
    many = [f"name{i}" for i in range(38)]
    with pytest.raises(
        UsageError, match=r"nearest of 38 are .*; `msaf-bench list systems` prints all"
    ):
        one_of("system", "xyz", many)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["ablate"], ["--table 3", *list_tables(), "msaf-bench ablate --help"]),
        (["ablate", "3", "--table", "1"], ["two tables", "msaf-bench ablate --help"]),
        (["fps", "msaf-r18"], ["--size 512x1024", "msaf-bench fps --help"]),
        (["fps", "--size", "8x8"], ["SYSTEM", "msaf-bench list systems"]),
        (["score", "miou"], ["--pred", "msaf-bench score miou --help"]),
        (["score", "tx"], ["miou, tc", "msaf-bench score --help"]),
        (["abalte"], ["did you mean ablate?", "msaf-bench --help"]),
        (["flops", "--system", "msaf"], ["msaf-r18", "--size HxW"]),
        (["compare", "a", "b"], ["a: no such folder"]),
        (["list", "nothing*"], ["nothing*", "msaf-bench list"]),
    ],
)
def test_usage_errors_name_the_choices_and_the_right_page(
    words, parts, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1
    for part in parts:
        assert part in err


def test_a_table_may_be_an_argument_and_rows_a_list(capsys, tmp_path, monkeypatch):
    """As far as the rows are looked up: the last one is unknown."""
    monkeypatch.chdir(tmp_path)
    for words in (["3"], ["TABLE3"], ["--table", "3"]):
        rows = ["--rows", "msaf,BASELINE,nothing", "--preset", "SMOKE", "--on", "Local"]
        assert main(["ablate", *words, *rows]) == 2
        assert "unknown row 'nothing'" in capsys.readouterr().err


def test_completion_of_names():
    done = subprocess.run(
        [sys.executable, "-m", "msaf_bench"],
        env={
            "PYTHONPATH": ":".join(sys.path),
            "_MSAF_BENCH_COMPLETE": "complete_bash",
            "COMP_WORDS": "msaf-bench train msaf-r1",
            "COMP_CWORD": "2",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["msaf-r101", "msaf-r18"]


def test_the_script_of_a_shell_is_printed(capsys, monkeypatch):
    monkeypatch.setattr("shellingham.detect_shell", lambda *_: ("bash", "/bin/bash"))
    assert main(["--show-completion"]) == 0
    out, err = capsys.readouterr()
    assert "complete -o default" in out
    assert not err
