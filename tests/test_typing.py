"""The package is typed for those who use it, not only inside."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import msaf_bench as mb

API = Path(__file__).parent / "typing" / "api.py"


def pyright():
    """The command of this environment, else of the machine."""
    return shutil.which("pyright", path=Path(sys.executable).parent) or shutil.which("pyright")


def readme_example():
    """The README's example of the API."""
    blocks = (API.parents[2] / "README.md").read_text().split("```python\n")
    return next(block for block in blocks if "import msaf_bench as mb" in block).split("```")[0]


@pytest.mark.slow
def test_the_readmes_example_runs(monkeypatch, capsys):
    monkeypatch.chdir(API.parents[2])
    exec(compile(readme_example(), "README.md", "exec"), {})  # noqa: S102
    assert "w/o DCN Interval(" in capsys.readouterr().out


@pytest.mark.slow
def test_the_api_passes_a_strict_type_checker(tmp_path):
    command = pyright()
    if command is None:
        pytest.skip("pyright is not installed")
    shutil.copy(API, tmp_path)
    (tmp_path / "readme.py").write_text(readme_example())
    settings = {
        "typeCheckingMode": "strict",
        "include": [API.name, "readme.py"],
        "extraPaths": [str(Path(mb.__file__).parents[1])],
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        [command, "--pythonpath", sys.executable, "--project", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_name_that_does_not_exist_is_an_error():
    with pytest.raises(AttributeError, match="no attribute 'biuld'"):
        mb.biuld  # noqa: B018


def test_every_public_name_is_there_and_shown():
    for name in mb.__all__:
        assert getattr(mb, name) is not None
    assert dir(mb) == sorted(mb.__all__)
