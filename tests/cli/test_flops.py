"""`msaf-bench flops`: what it prints, refuses, writes and imports."""

import csv
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from msaf_bench.analyzers.attention import transformers
from msaf_bench.analyzers.attention.measurement import Counts
from msaf_bench.analyzers.attention.study import parse_grids
from msaf_bench.cli import main
from msaf_bench.cli.flops import flops
from msaf_bench.errors import GateError, HostError, UsageError


def run(*words: str) -> Result:
    app = typer.Typer()
    app.command()(flops)
    return CliRunner().invoke(app, words)


def test_json_of_one_size() -> None:
    document = json.loads(run("--n", "97x97", "--json").stdout)
    assert (document["n"], document["grid"], document["width"]) == (9409, [97, 97], 256)
    paper = document["paper"]
    assert paper["unit"] == "relations"
    assert paper["transformer"] == 2_498_916_014_787
    assert paper["d_transformer"] == 265_813_659
    assert paper["difference"] == paper["transformer"] - paper["d_transformer"]
    assert paper["ratio_exact"] == "88529281/9417"
    assert paper["ratio"] == pytest.approx(9401.0068, abs=5e-5)
    assert paper["crossover"] == pytest.approx(3.37228, abs=5e-6)
    assert document["exact"]["unit"] == "MAC"
    assert document["pairs"]["transformer"] == 9 * 9409**2
    assert document["pairs"]["d_transformer"] == 3 * 9409**2 + 9 * 9409
    assert (
        document["core"]["transformer"]
        == document["exact"]["transformer"]["attention"]
        == 2 * (3 * 9409) ** 2 * 256
    )
    assert {claim["verdict"] for claim in document["claims"]} == {"true", "false"}
    for name in ("transformer", "d_transformer"):
        terms = dict(document["exact"][name])
        assert terms.pop("total") == sum(terms.values()) == document["counters"]["analytic"][name]
    assert [document["counters"][name] for name in ("torch", "fvcore", "ptflops")] == [None] * 3
    assert "--measure" in document["counters"]["note"]
    assert "measured" not in document


@pytest.mark.parametrize("n", ["97x97", "97X97", "097x97"])
def test_grids(n: str) -> None:
    assert parse_grids(n) == [(97, 97)]


def test_a_list_of_grids() -> None:
    assert parse_grids("64x64, 128x256") == [(64, 64), (128, 256)]


@pytest.mark.parametrize(
    "n",
    [
        "",
        "97",
        "0x97",
        "97x0",
        "-1x5",
        "97x97x3",
        "1e9x1e9",
        "9.5x9",
        "97x97,",
        ",",
        "64x64,,9x9",
        "x",
        "9x",
        "٩x٩",
        "9x9\n8x8",
        "9" * 5000 + "x1",
    ],
)
@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_malformed_size_is_named_in_one_line(n: str, flags: list[str]) -> None:
    result = run(f"--n={n}", *flags)
    assert isinstance(result.exception, UsageError)
    message = str(result.exception)
    assert message.startswith("--n: ")
    assert "HxW" in message
    assert "\n" not in message
    assert len(message) < 200
    assert not result.stdout


def test_a_malformed_size_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flops", "--n", "0x97", "--json"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert len(err.splitlines()) == 1
    assert "'0x97'" in err


@pytest.mark.parametrize(
    "words",
    [
        ["--width", "0"],
        ["--width", "-8"],
        ["--width", "1" + "0" * 18],
        ["--width", "100", "--measure"],
    ],
)
def test_a_width_that_cannot_be_is_refused(words: list[str]) -> None:
    assert isinstance(run("--n", "4x4", *words).exception, UsageError)


def test_a_width_without_measurement_need_not_fit_the_heads() -> None:
    assert json.loads(run("--n", "4x4", "--width", "100", "--json").stdout)["width"] == 100


def test_text_fits_80_columns_and_keeps_the_units_apart() -> None:
    text = run("--n", "128x256").stdout
    assert max(map(len, text.splitlines())) <= 80
    relations, exact = text.index("in relations"), text.index("(iii) Exact count")
    assert relations < text.index("105,553,116,266,496") < exact < text.index("738,918,924,288")
    assert "9,401.0068" in run("--n", "97x97").stdout


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_huge_sizes(flags: list[str]) -> None:
    result = run("--n", "1000000000x1000000000", *flags)
    assert result.exit_code == 0
    assert str(3 * 10**54) in result.stdout.replace(",", "")


def test_one_size_writes_nothing_unless_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("--n", "8x8").exit_code == 0
    assert not list(tmp_path.iterdir())
    document = json.loads(run("--n", "8x8", "--reports", "out", "--json").stdout)
    assert document["files"] == ["out/cost.csv"]


@pytest.mark.slow
def test_several_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    document = json.loads(run("--n", "64x64,97x97,128x256", "--json").stdout)
    assert [size["n"] for size in document["sizes"]] == [4096, 9409, 32768]
    assert document["exponents"]["paper"]["transformer"] == pytest.approx(3)
    assert document["exponents"]["paper"]["d_transformer"] == pytest.approx(2, abs=0.01)
    assert (
        1.5
        < document["exponents"]["exact"]["d_transformer"]
        < document["exponents"]["exact"]["transformer"]
        < 2
    )
    assert document["files"] == [
        "reports/flops/cost.csv",
        "reports/flops/cost.svg",
        "reports/flops/cost.png",
    ]
    with Path("reports/flops/cost.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [(line["grid"], line["unit"]) for line in lines[:2]] == [
        ("64x64", "relations"),
        ("64x64", "pairs"),
    ]
    assert len(lines) == 9
    again = Path("reports/flops/cost.svg").read_bytes()
    text = run("--n", "64x64,97x97,128x256").stdout
    assert Path("reports/flops/cost.svg").read_bytes() == again
    drawn = again.decode()  # text is drawn as outlines, with the words in a comment
    assert "10¹²" in drawn
    assert "mathdefault" not in drawn
    assert "wrote reports/flops/cost.png" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.slow
def test_equal_sizes_have_no_exponent(tmp_path: Path) -> None:
    result = run("--n", "4x8,8x4", "--reports", str(tmp_path), "--json")
    assert json.loads(result.stdout)["exponents"]["exact"] == {
        "transformer": None,
        "d_transformer": None,
    }


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert isinstance(run("--n", "8x8", "--reports", str(tmp_path / "file")).exception, HostError)


@pytest.mark.slow
def test_measured(tmp_path: Path) -> None:
    words = ("--n", "8x8,12x12", "--width", "16", "--measure", "--reports", str(tmp_path))
    result = run(*words, "--json")
    document = json.loads(result.stdout)
    for size in document["sizes"]:
        counters = size["counters"]
        assert (
            counters["analytic"] == counters["torch"] == counters["fvcore"] == counters["ptflops"]
        )
        assert size["measured"]["transformer"]["seconds"] > 0
        assert size["live_bytes"]["transformer"] > 0
        assert size["measured"]["host"]["threads"] >= 1
    assert set(document["exponents"]) == {
        "paper",
        "pairs",
        "exact",
        "seconds",
        "live_bytes",
        "peak_bytes",
        "predicted",
    }
    assert "8x8: timing transformer" in result.stderr


def test_torch_in_disagreement_is_a_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(h: int, w: int, d: int) -> dict[str, Counts]:
        return {"torch": Counts({"transformer": h, "d_transformer": w * d})}

    monkeypatch.setattr(transformers, "count_all", wrong)
    error = run("--n", "8x8", "--measure").exception
    assert isinstance(error, GateError)
    assert "8x8" in str(error)
