import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from msaf_bench.catalog import list_data_sets, list_presets, list_systems, list_tables

ROOT = Path(__file__).parents[1]


def run(*command, cwd, **environment):
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel, built from the sdist as an index would."""
    out = tmp_path_factory.mktemp("dist")
    run("-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT), cwd=out)
    return next(out.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_every_spec(built):
    names = zipfile.ZipFile(built).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"msaf_bench"}
    assert "msaf_bench/py.typed" in names
    assert "msaf_bench/report/page/page.html.j2" in names
    folders = {
        "models": list_systems(),
        "ablations": list_tables(),
        "ablations/presets": list_presets(),
        "datasets": list_data_sets()[1:],
        "ablations/claims": ["paper"],
    }
    for folder, specs in folders.items():
        assert {f"msaf_bench/_specs/{folder}/{spec}.toml" for spec in specs} <= set(names)


@pytest.mark.slow
def test_the_installed_wheel_finds_its_specs_from_anywhere(built, tmp_path):
    target = tmp_path / "site"
    run(
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(target),
        str(built),
        cwd=tmp_path,
    )
    where = run(
        "-c", "import msaf_bench; print(msaf_bench.__file__)", cwd=tmp_path, PYTHONPATH=str(target)
    )
    assert where.startswith(str(target))
    listed = run("-m", "msaf_bench", "list", cwd=tmp_path, PYTHONPATH=str(target))
    assert "msaf-r50" in listed
    assert "table3" in listed


def test_the_data_folders_hold_no_code():
    assert not [
        p for folder in ("models", "ablations", "reports") for p in (ROOT / folder).rglob("*.py")
    ]
