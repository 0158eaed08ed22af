"""What make would do, by `make -n`: nothing is installed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")

#: what a make that runs these tests hands on
OURS = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "TORCH_INDEX", "PYTHON", "ARGS")


@pytest.fixture
def checkout(tmp_path):
    """What make reads of a checkout, without a .venv."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy2(ROOT / name, tmp_path / name)
    return tmp_path


def stamp(checkout, name):
    (checkout / ".venv").mkdir(exist_ok=True)
    (checkout / ".venv" / name).touch()


def planned(checkout, *words):
    done = subprocess.run(
        ["make", "-n", "--no-print-directory", *words],
        cwd=checkout,
        env={name: value for name, value in os.environ.items() if name not in OURS},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_ablate_installs_what_a_run_needs_says_so_and_goes_on(checkout):
    text = planned(checkout, "ablate", "ARGS=--seeds 2")
    assert "--editable '.'" in text
    assert "[dev]" not in text
    assert "--quiet" not in text
    assert "Installing msaf-bench into .venv, once: 2 minutes" in text
    assert "CUDA, which TORCH_INDEX=" in text
    assert "msaf-bench ablate --table 3 --resume --seeds 2" in text


def test_the_cpu_build_of_torch_is_installed_without_a_word_of_cuda(checkout):
    text = planned(checkout, "ablate", "TORCH_INDEX=https://cpu")
    assert "--index-url https://cpu torch" in text
    assert "CUDA" not in text


@pytest.mark.parametrize("target", ["test", "quick", "install", "style", "types"])
def test_development_installs_its_tools_on_top_of_a_run(checkout, target):
    stamp(checkout, "installed-run")
    assert "--editable '.[dev]'" in planned(checkout, target)


@pytest.mark.parametrize(
    ("name", "target"),
    [("installed-run", "ablate"), ("installed", "ablate"), ("installed", "test")],
)
def test_what_is_stamped_is_not_installed_again(checkout, name, target):
    stamp(checkout, name)
    assert "pip install" not in planned(checkout, target)
