"""What comes from outside the program: other code, the environment, absurd numbers, files that are
none, a reader that goes.
"""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from msaf_bench import catalog, children
from msaf_bench.cli import main
from msaf_bench.cli.explain import explain
from msaf_bench.errors import ForeignError, Interrupted
from msaf_bench.foreign import guarded
from msaf_bench.inputs import DEEPEST, LARGEST, LONGEST, file_name, parse_toml, read_toml, regular
from msaf_bench.report.tables.spreadsheet import csv_document
from msaf_bench.spec import Conditions, System
from msaf_bench.sweep import trial as trials

ROOT = Path(__file__).parents[2]
SMOKE = ["ablate", "--table", "3", "--preset", "smoke", "--on", "local", "--dry-run"]


def run(*arguments, cwd, out=subprocess.PIPE, env=None):
    command = [sys.executable, "-m", "msaf_bench", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | (env or {})
    return subprocess.run(
        command,
        cwd=cwd,
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=environment,
    )


# other code


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """A working folder whose modules are plug-ins; the search path is as before afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import sys; sys.exit(0)", "sys.exit(0)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("1 / 0", "ZeroDivisionError"),
        ("def register(registry): raise SystemExit(3)", "sys.exit(3)"),
        ("def register(registry): raise EOFError", "EOFError"),
    ],
)
def test_a_plug_in_that_ends_the_program_is_named(body, said, capsys, plugins):
    (plugins / "my_exit.py").write_text(body)
    sys.modules.pop("my_exit", None)
    assert main([*SMOKE, "--plugin", "my_exit"]) == 2
    err = capsys.readouterr().err
    assert "plug-in 'my_exit'" in err
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("ending", [SystemExit(0), KeyboardInterrupt(), GeneratorExit()])
def test_a_component_that_ends_the_program_is_an_error_and_ctrl_c_is_not(ending, monkeypatch):
    monkeypatch.setattr(signal, "getsignal", lambda number: main)
    with pytest.raises(ForeignError, match="motion"), guarded("motion"):
        raise ending
    with pytest.raises(Interrupted), guarded("motion"):
        raise Interrupted


@pytest.mark.usefixtures("default_signals")
def test_without_our_handler_ctrl_c_is_the_users():
    with pytest.raises(KeyboardInterrupt), guarded("motion"):
        raise KeyboardInterrupt


def test_what_a_callback_raises_is_no_failure_of_the_trial(monkeypatch):
    def stop(step, loss):
        raise SystemExit(5)

    monkeypatch.setattr(trials, "_begin", lambda trial, setting: None)
    monkeypatch.setattr(trials, "_run", lambda begun, setting, on_step, *others: on_step(1, 0.0))
    with pytest.raises(SystemExit) as end:
        trials.run_trial(None, trials.Setting(None), stop)
    assert end.value.code == 5


def test_prints_of_other_code_stay_out_of_the_document(capfd):
    with guarded("it"):
        print("noise")
        os.system("echo louder")  # noqa: S605, S607
    print("{}")
    out, err = capfd.readouterr()
    assert out == "{}\n"
    assert "noise" in err
    assert "louder" in err


def test_an_error_in_a_users_file_is_not_ours(tmp_path):
    (tmp_path / "mine.py").write_text("def f():\n    return [][1]\n")
    space = {}
    code = compile((tmp_path / "mine.py").read_text(), str(tmp_path / "mine.py"), "exec")
    exec(code, space)  # noqa: S102
    with pytest.raises(IndexError) as caught:
        space["f"]()
    text, code = explain(caught.value)
    assert code == 2
    assert "mine.py:2" in text
    assert "fault of msaf-bench" not in text


# the system


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), OSError(36, "File name too long", "x" * 500),
    PermissionError(13, "Permission denied", "a"),
     MemoryError(), RuntimeError("CUDA out of memory. Tried"), BlockingIOError(11, "busy"),
     TimeoutError()],
)  # fmt: skip
def test_the_systems_errors_are_no_fault_of_ours(error):
    text, code = explain(error)
    assert code == 5
    assert "fault of msaf-bench" not in text
    assert len(text) < 300
    assert "fault of msaf-bench" in explain(RuntimeError("x"))[0]


@pytest.mark.slow
@pytest.mark.parametrize("close", ["> /dev/full", ">&-"])
def test_output_that_cannot_be_written_is_said(close, tmp_path):
    command = f"'{sys.executable}' -m msaf_bench list {close}"
    done = subprocess.run(
        command,
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # noqa: S602, E501
    assert done.returncode == 5
    assert "cannot write to standard output" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_reader_that_goes_is_no_error(tmp_path):
    read, write = os.pipe()
    os.close(read)
    done = run("list", cwd=tmp_path, out=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("command", [["report", "gone"], ["compare", "gone", "gone"]])
def test_a_folder_that_is_not_there_is_said(command, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    assert "no such folder" in capsys.readouterr().err


# the environment


@pytest.mark.slow
def test_a_child_takes_python_s_own_modules_and_our_package(tmp_path):
    for name in ("random", "types", "queue", "msaf_bench"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')")
    command = children.command("msaf_bench.analyzers.attention.clock", "transformer", "4", "4", "8")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["seconds"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "rc"),
    [("module://no_such_thing.backend", ""), ("agg", "text.usetex: True\naxes.grid: True\n")],
)
def test_figures_do_not_depend_on_the_environment(backend, rc, tmp_path):
    made = []
    for place, env, text in (("plain", {}, ""), ("own", {"MPLBACKEND": backend}, rc)):
        folder = tmp_path / place
        folder.mkdir()
        (folder / "matplotlibrc").write_text(text)
        done = run("flops", "--n", "8x8,16x16", "--reports", "r", cwd=folder, env=env)
        assert done.returncode == 0, done.stderr
        made.append(
            [(folder / "r" / f"cost.{kind}").read_bytes() for kind in ("csv", "svg", "png")]
        )
    assert made[0] == made[1]


@pytest.mark.slow
def test_tables_are_written_where_figures_fail(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("msaf_bench.report.figures.cost._figure", lambda documents: 1 / 0)
    assert main(["flops", "--n", "8x8,16x16", "--reports", "r", "--json"]) == 5
    out, err = capsys.readouterr()
    assert [Path(path).name for path in json.loads(out)["files"]] == ["cost.csv"]
    assert (tmp_path / "r" / "cost.csv").exists()
    assert "ZeroDivisionError" in err


# names, cells


@pytest.mark.parametrize(
    "name", ["../../x", "/abs", "a/b", "..", "", "x" * 4000, "ü" * 400, "a\nb", "C:\\x"]
)
def test_a_name_leads_nowhere(name, tmp_path):
    made = (tmp_path / file_name(name)).resolve()
    assert made.parent == tmp_path
    made.mkdir()


@pytest.mark.parametrize(
    "cell", ["=1+2", "+cmd", "-x", "@SUM(1)", "\t=1", "\r=1", " =1", "-1+1", "+1-1"]
)
def test_text_is_no_formula_in_a_csv(cell):
    assert next(csv.reader(io.StringIO(csv_document([[cell, 1]]), newline=""))) == [
        "'" + cell.replace("\r", "\n"),
        "1",
    ]


@pytest.mark.parametrize("cell", ["-1", "+0.5", "-1e-05", "-", "a-b", -3, 0.5])
def test_numbers_stay_numbers_in_a_csv(cell):
    assert csv_document([[cell]]) == f"{cell}\n"


# bounds


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "part"),
    [
        (["--threads", "1000000"], "cores"),
        (["--loader-threads", "-1"], "--loader-threads"),
        (["--loader-threads", "two"], "--loader-threads"),
        (["--loader-threads", "1000"], "64"),
        (["--cache", "-0.5"], "--cache"),
        (["--cache", "nan"], "--cache"),
        (["--cache", "inf"], "--cache"),
        (["--seeds", "1000000000"], "1,000"),
        (["--workers", "1000000000"], "--workers"),
        (["--speed", "1000000000"], "--speed"),
        (["--gpus-per-trial", "nan"], "--gpus-per-trial"),
        (["--set", "batch=1000000000"], "batch"),
        (["--set", "size=[100000,100000]"], "size"),
        (["--set", "size=[30000,30000]", "--set", "batch=1000"], "GiB"),
        (["--set", "data_options.train_videos=100000000"], "GiB"),
        (["--set", "steps=99999999999999"], "steps"),
        (["--set", "steps=true"], "steps"),
        (["--set", "steps=4.0"], "steps"),
        (["--set", "flip=1"], "flip"),
        (["--set", "weight_decay=inf"], "weight_decay"),
        (["--set", "x=" + "[" * 2000], "deep"),
        (["--set", "shrink=5", "--set", "shrink.backbone=5"], "shrink"),
        (["--set", "shrink_options.width=[1,2]"], "width"),
        (["--set", "shrink_options.heads='2'"], "heads"),
        (["--set", "shrink_options.width=100000"], "width"),
    ],
)
def test_absurd_numbers_are_refused_at_once(more, part, capsys):
    assert main([*SMOKE, *more]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert part in err
    assert err.count("\n") == 1
    assert "fault" not in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "part"),
    [
        (["fps", "msaf-r18", "--size", "100000x64"], "32,768"),
        (["fps", "msaf-r18", "--size", ",".join(["64x64"] * 101)], "101 sizes"),
        (["fps", "msaf-r18", "--size", "64x64", "--seconds", "nan"], "--seconds"),
        (["flops", "--system", "msaf-r18", "--size", "64x99999"], "32,768"),
        (["flops", "--n", ",".join(["97x97"] * 5000)], "5,000 sizes"),
        (["data", "street", "--out", "s", "--size", "99999x99999"], "32,768"),
        (
            ["predict", "x.safetensors", "--frames", "f", "--out", "o", "--size", "99999x99999"],
            "32,768",
        ),
        (["score", "miou", "--truth", "t", "--pred", "p", "--classes", "1000000000"], "2 to 255"),
    ],
)
def test_absurd_sizes_are_refused_by_every_command(command, part, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    err = capsys.readouterr().err
    assert part in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())  # nothing is left behind


def test_every_number_of_the_conditions_has_an_upper_bound():
    smoke = catalog.read_conditions("smoke", "street").model_dump()
    for name, value in smoke.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            with pytest.raises(ValueError, match="at most|less than"):
                Conditions.model_validate({**smoke, name: type(value)(10**12)})


NESTED = "a=" + "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1)
LONG = ["x" * (LONGEST + 1), "#\n" * LARGEST, "a = 1" + "0" * 4500]


@pytest.mark.slow
@pytest.mark.parametrize("text", ["a=" + "[" * 4000, "a." * 1500 + "b=1", NESTED, *LONG])
def test_toml_beyond_all_reason_is_refused(text, tmp_path):
    with pytest.raises(ValueError, match=r"deep|line|Exceeds|Invalid"):
        parse_toml(text)
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(ValueError, match=r"x\.toml"):
        read_toml(tmp_path / "x.toml")


def test_a_byte_order_mark_is_no_content(tmp_path):
    (tmp_path / "bom.toml").write_bytes(b"\xef\xbb\xbfa = 1\n")
    assert read_toml(tmp_path / "bom.toml") == {"a": 1}


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "link.toml").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe.toml", tmp_path / "link.toml", tmp_path):
        with pytest.raises(OSError, match="not a file"):
            regular(path)
    for command in (
        ["show", str(tmp_path / "pipe.toml")],
        ["evaluate", str(tmp_path / "pipe.toml")],
    ):
        assert main(command) in (2, 3)


def test_options_of_a_component_have_the_annotated_type():
    from msaf_bench.architectures import builtin

    system = catalog.read_system("msaf-r18")
    for options in ({"heads": True}, {"heads": 1.5}, {"heads": "8"}, {"heads": (8,)}):
        with pytest.raises(ValueError, match="heads"):
            builtin().check(System.model_validate({**system.model_dump(), "options": options}))


# weights


class Runs:
    def __reduce__(self):
        return (print, ("ran",))


def test_a_pickle_is_refused_in_our_own_words(capsys, tmp_path):
    from msaf_bench.components.backbones.resnet import resnet10

    torch.save({"a": Runs()}, tmp_path / "x.pth")
    with pytest.raises(ValueError, match="could run code") as error:
        resnet10(width=8, weights=str(tmp_path / "x.pth"))
    assert "weights_only" not in str(error.value)
    assert capsys.readouterr().out == ""


@pytest.mark.slow
@pytest.mark.parametrize("inside", [None, "model", "state_dict", "module"])
@pytest.mark.parametrize("prefix", ["", "module.", "backbone.", "encoder.", "module.backbone."])
def test_weights_are_found_where_others_put_them(inside, prefix, tmp_path):
    from msaf_bench.components.backbones.resnet import resnet10

    net = resnet10(width=8)
    tensors = {prefix + name: tensor for name, tensor in net.state_dict().items()}
    if prefix:
        tensors["decode_head.weight"] = torch.zeros(1)
    torch.save({inside: tensors, "epoch": 3} if inside else tensors, tmp_path / "w.pth")
    loaded = resnet10(width=8, weights=str(tmp_path / "w.pth"))
    assert all(
        torch.equal(a, b)
        for a, b in zip(net.state_dict().values(), loaded.state_dict().values(), strict=True)
    )


def test_an_unknown_prefix_is_named(tmp_path):
    from msaf_bench.components.backbones.resnet import resnet10

    torch.save({"student.conv1.weight": torch.zeros(1)}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"begin with student\."):
        resnet10(width=8, weights=str(tmp_path / "w.pth"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"),
    [("RAY_ADDRESS", "10.0.0.1:6379"), ("CUDA_VISIBLE_DEVICES", ""), ("HTTPS_PROXY", "http://p:1")],
)
def test_doctor_says_what_is_inherited_and_matters(name, value, monkeypatch, capsys):
    monkeypatch.delenv(name, raising=False)
    main(["doctor", "--json"])
    assert not any(
        line.startswith(f"{name}=") for line in json.loads(capsys.readouterr().out)["environment"]
    )
    monkeypatch.setenv(name, value)
    main(["doctor"])
    assert f"{name}={value} is inherited (" in capsys.readouterr().out


@pytest.mark.slow
def test_hidden_devices_are_named_where_one_is_missed(monkeypatch, capsys):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert main([*SMOKE[:-1], "--device", "cuda:7", "--reports", "/nowhere"]) == 2
    assert "CUDA_VISIBLE_DEVICES= is inherited" in capsys.readouterr().err


@pytest.mark.slow
def test_the_names_of_a_table_and_a_preset_lead_nowhere(tmp_path, monkeypatch):
    """A whole run, with files whose names would lead out of `reports/`, in a working folder of its
    own.
    """
    place = tmp_path / "deep" / "er" / "work"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    specs = ROOT / "ablations"
    (place / "evil.toml").write_text(
        'name = "../../../x/../evil"\n' + (specs / "table3.toml").read_text()
    )
    (place / "..preset.toml").write_text((specs / "presets" / "smoke.toml").read_text())
    small = [
        "--rows",
        "Baseline",
        "--seeds",
        "1",
        "--speed",
        "0",
        "--no-controls",
        "--set",
        "steps=2",
        "--set",
        "flow=none",
        "--on",
        "local",
    ]
    assert main(["ablate", "--table", "evil.toml", "--preset", "..preset.toml", *small]) == 0
    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    outside = {path for path in made if not path.is_relative_to("deep/er/work/reports")}
    assert outside == {Path("deep/er/work/evil.toml"), Path("deep/er/work/..preset.toml")}
    assert len(list((place / "reports").iterdir())) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "error",
    [ImportError("no module"), RuntimeError("broken\nin two lines"), OSError("no shared object")],
)
def test_a_broken_ray_is_said_with_the_way_round_it(error, monkeypatch, capsys, tmp_path):
    plain = __import__

    def broken(name, space=None, local=None, wanted=(), level=0):
        if "on_ray" in (wanted or ()):
            raise error
        return plain(name, space, local, wanted, level)

    monkeypatch.setattr("builtins.__import__", broken)
    assert (
        main(
            [
                *SMOKE[:3],
                "--preset",
                "smoke",
                "--seeds",
                "2",
                "--on",
                "ray",
                "--reports",
                str(tmp_path),
            ]
        )
        == 5
    )
    err = capsys.readouterr().err
    assert "Ray cannot be imported" in err
    assert "--on local" in err
    assert err.count("\n") == 1


UNPRINTABLE = """
import torch

class Odd(Exception):
    def __str__(self):
        HOW

class Part(torch.nn.Module):
    frames, idle = 1, True

    def forward(self, frames):
        if not frames.is_meta:
            raise Odd()
        return frames

def fail():
    raise Odd()

def register(registry):
    if "PLACE" == "register":
        fail()
    registry.motion.add("odd", Part if "PLACE" == "forward" else fail)

if "PLACE" == "import":
    fail()
"""
ODD_TABLE = """
title = "t"
source = "s"
base = "msaf-r18"
metrics = ["miou"]
reference = "A"
[rows.A]
[rows.B]
swap = { motion = "odd", align = "none" }
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", ["raise self", "return 5", "return 'one line, ' + 500 * 'and more\\n'"]
)
@pytest.mark.parametrize("place", ["import", "register", "build", "forward"])
def test_an_error_that_cannot_be_printed_is_one_line(how, place, capsys, plugins):
    name = f"odd_{place}_{len(how)}"
    (plugins / f"{name}.py").write_text(UNPRINTABLE.replace("HOW", how).replace("PLACE", place))
    (plugins / "t.toml").write_text(ODD_TABLE)
    small = [
        "--preset",
        "smoke",
        "--seeds",
        "1",
        "--speed",
        "0",
        "--no-pictures",
        "--set",
        "steps=2",
        "--set",
        "flow=none",
        "--on",
        "local",
    ]
    code = main(
        ["ablate", "--table", "t.toml", *small, "--plugin", name, "--reports", "r", "--json"]
    )
    err = capsys.readouterr().err
    assert code == (1 if place == "forward" else 2), err
    assert "fault of msaf-bench" not in err
    assert "Traceback" not in err
    assert all(len(line) < 800 for line in err.splitlines())
    assert place == "forward" or err.count("\n") == 1


def test_a_plug_in_with_an_architecture_that_is_none_is_named(capsys, plugins):
    (plugins / "nothing_like.py").write_text(
        "def register(registry):\n    registry.architecture['nf'] = object()\n"
    )
    assert main([*SMOKE, "--plugin", "nothing_like"]) == 2
    assert "plug-in 'nothing_like': architecture 'nf' is no" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("base", "row"),
    [
        ("msaf-r18", "paper = { miou = nan }"),
        ("msaf-r18", "paper = { miou = inf }"),
        ("x\\u0000.toml", ""),
    ],
)
def test_values_of_a_table_that_are_none_are_refused_in_one_line(base, row, capsys, tmp_path):
    head = f'title = "t"\nsource = "s"\nmetrics = ["miou"]\nreference = "A"\nbase = "{base}"'
    (tmp_path / "t.toml").write_text(f"{head}\n[rows.A]\n{row}\n")
    assert (
        main(
            [
                "ablate",
                "--table",
                str(tmp_path / "t.toml"),
                "--preset",
                "smoke",
                "--dry-run",
                "--on",
                "local",
            ]
        )
        == 2
    )
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "fault of msaf-bench" not in err


@pytest.mark.slow
@pytest.mark.parametrize(
    "option", ["noise=10000000000000000000000000000000", "occluders=1e31", "blur=-1"]
)
def test_strengths_of_the_street_have_bounds(option, capsys, tmp_path):
    assert (
        main(
            [
                *SMOKE[:-1],
                "--seeds",
                "2",
                "--set",
                f"data_options.{option}",
                "--reports",
                str(tmp_path),
            ]
        )
        == 2
    )
    err = capsys.readouterr().err
    assert option.partition("=")[0] in err
    assert "fault" not in err
