"""`msaf-bench flops --system`: what it prints and refuses."""

import json
import os
from pathlib import Path

import pytest

from msaf_bench.analyzers.cost import counters
from msaf_bench.cli import main
from msaf_bench.sizes import parse_size

ODD = """
import torch
from torch import nn

class Odd(nn.Module):
    def forward(self, frame, newest):
        return torch.fft.rfft(frame).abs().sum() + frame

class Peeks(nn.Module):
    def forward(self, frame, newest):
        return frame * frame.max().item()

def register(registry):
    registry.align.add("odd", Odd)
    registry.align.add("peeks", Peeks)
"""
SYSTEM = """
architecture = "msaf"
[options]
width = 32
[slots]
backbone = "resnet10"
motion = "decoupled"
align = "{align}"
state = "none"
assign = "none"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a plug-in and systems that use its components."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    (tmp_path / "odd_parts.py").write_text(ODD)
    for align in ("odd", "peeks", "none"):
        (tmp_path / f"{align}.toml").write_text(SYSTEM.format(align=align))
    return tmp_path


@pytest.mark.slow
def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["flops", "--system", "msaf-r18", "--size", "32x48", "--classes", "7", "--json"]) == 0
    )
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert "counting" in err
    assert (document["size"], document["classes"], document["mode"], document["frames"]) == (
        [32, 48],
        7,
        "clip",
        3,
    )
    assert document["gflops"] == 2 * document["gmacs"] == pytest.approx(2 * document["macs"] / 1e9)
    assert sum(part["params"] for part in document["parts"].values()) == document["params"]
    assert (
        sum(part["macs"] for part in document["parts"].values())
        == sum(document["operators"].values())
        == document["macs"]
    )
    assert document["counters"]["analytic"] == document["macs"]
    for name in ("torch", "ptflops", "fvcore"):
        assert document["counters"][name]["macs"] == document["macs"]
    assert document["uncounted"] == []
    assert document["activations"]["bytes"] > document["activations"]["live_bytes"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["clip", "stream"])
def test_text_fits_80_columns_at_full_size(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flops", "--system", "msaf-r101", "--size", "1024x2048", "--mode", mode]) == 0
    out, _ = capsys.readouterr()
    assert max(map(len, out.splitlines())) <= 80
    assert "GFLOPs" in out
    assert "equal" in out
    assert "738,918,924,288" in out  # the motion branch, as `--n 128x256` has it


@pytest.mark.slow
def test_a_file_in_place_of_a_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flops", "--system", "none.toml", "--size", "33x47", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["system"] == "none"


@pytest.mark.slow
def test_an_unknown_operator_is_a_gate_unless_allowed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["flops", "--system", "odd.toml", "--size", "32x32", "--plugin", "odd_parts"]
    assert main(words) == 4
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1
    assert "aten._fft_r2c" in err
    assert "--allow-uncounted" in err
    assert main([*words, "--allow-uncounted"]) == 0
    out, _ = capsys.readouterr()
    assert "MAY BE TOO LOW" in out
    assert main([*words, "--allow-uncounted", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["uncounted"][0]["operator"] == "aten._fft_r2c"


@pytest.mark.slow
def test_a_component_that_reads_values_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["flops", "--system", "peeks.toml", "--size", "32x32", "--plugin", "odd_parts"]) == 4
    )
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "motion.align.0" in err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--system", "msaf-r18", "--size", "0x5"], "0x5"),
        (["--system", "msaf-r18", "--size", "97"], "HxW"),
        (["--system", "msaf-r18", "--size", "1e9x1e9"], "HxW"),
        (["--system", "msaf-r18", "--size", "1000000000x1000000000"], "32,768"),
        (["--system", "msaf-r17", "--size", "8x8"], "msaf-r18"),
        (["--system", "msaf-r18", "--size", "8x8", "--mode", "strem"], "stream"),
        (["--system", "msaf-r18", "--size", "8x8", "--classes", "0"], "--classes"),
        (["--system", "msaf-r18", "--size", "8x8", "--plugin", "no_such_part"], "no_such_part"),
        (["--system", "msaf-r18", "--size", "8x8", "--width", "64"], "--width"),
        (["--system", "msaf-r18"], "--size"),
        (["--n", "8x8", "--mode", "stream"], "--mode"),
        (["--n", "8x8", "--system", "msaf-r18"], "either --n"),
        ([], "either --n"),
    ],
)
def test_bad_input_is_one_line_and_2(
    words: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["flops", *words, "--json"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1
    assert part in err


@pytest.mark.slow
def test_a_counter_that_breaks_is_reported_as_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> int:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(counters, "_ptflops", broken)
    assert main(["flops", "--system", "msaf-r18", "--size", "16x16"]) == 0
    assert "none: RuntimeError: operator torchvision::nms" in capsys.readouterr().out


def test_sizes() -> None:
    assert parse_size("1024x2048") == parse_size(" 1024X2048 ") == (1024, 2048)
