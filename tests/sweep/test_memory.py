"""GPU memory and GPU-hours of a sweep, before any training."""

import json
import re

import pytest

from msaf_bench.ablation import ablate
from msaf_bench.catalog import changed, read_conditions, read_table
from msaf_bench.cli import main
from msaf_bench.errors import UsageError
from msaf_bench.sweep import memory
from msaf_bench.sweep.estimate import H100_TFLOPS, estimate
from msaf_bench.sweep.executors import Cluster
from msaf_bench.sweep.memory import GpuRoom, check_fits, gpu_of, needed_gib, step_sizes
from msaf_bench.sweep.plan import make_plan
from msaf_bench.sweep.workspace import Setting, Workspace
from msaf_bench.train.memory import NotCountedError, step_size

pytestmark = pytest.mark.slow

LARGE = {"crop": (321, 321)}
ABLATE = ["ablate", "--table", "3", "--preset", "paper", "--seeds", "1", "--no-controls"]


def plan_of(rows=("MSAF",), seeds=1, **changes):
    own = changed(read_conditions("paper", "street"), LARGE | changes, "test")
    return make_plan(read_table("3"), own, rows, seeds)


def setting_of(folder, **given):
    return Setting(Workspace(folder), **given)


def refusal(plan, setting, cluster=None):
    with pytest.raises(UsageError) as caught:
        check_fits(plan, setting, cluster)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_row_that_does_not_fit_is_refused_with_changes_that_do(tmp_path):
    plan = plan_of()
    needed = needed_gib(step_sizes(plan, 1)["MSAF"])
    check_fits(plan, setting_of(tmp_path, gpu_memory_gib=needed + 0.1), None)
    gib = 0.8 * needed
    text = refusal(plan, setting_of(tmp_path, gpu_memory_gib=gib))
    assert text.startswith(f"row 'MSAF' needs {needed:.1f} GiB of GPU memory (")
    assert f"the GPU has {gib:.1f}; add " in text
    assert "--gpus-per-trial" not in text  # without Ray
    proposed = re.findall(r"(--set \w+=\S+) \((\d+\.\d) GiB", text)
    assert [option.split("=")[0] for option, _ in proposed] == [
        "--set checkpoint_activations",
        "--set accumulate",
        "--set precision",
    ]
    assert "accumulate=2 " in text
    assert "batch norm sees 4 clips" in text
    for option, need in proposed:
        name, value = option.removeprefix("--set ").split("=")
        given = {"true": True, "2": 2}.get(value, value)
        other = plan_of(**{name: given})
        assert needed_gib(step_sizes(other, 1)["MSAF"]) == pytest.approx(float(need), abs=0.06)
        check_fits(other, setting_of(tmp_path, gpu_memory_gib=gib), None)


def test_more_gpus_are_proposed_on_ray_and_several_changes_where_one_is_not_enough(tmp_path):
    plan = plan_of()
    small = setting_of(tmp_path, gpu_memory_gib=4.8)
    assert "add --gpus-per-trial 4 (" in refusal(plan, small, Cluster(gpus=1))
    assert "on each of 2 GPUs" in refusal(plan, small, Cluster(gpus=2))
    text = refusal(plan, setting_of(tmp_path, gpu_memory_gib=3.4))
    assert "add --set checkpoint_activations=true --set accumulate=4 (" in text
    text = refusal(plan, setting_of(tmp_path, gpu_memory_gib=1.1))
    assert text.endswith("choose a smaller crop or network")


def test_a_part_of_a_gpu_has_a_part_of_its_memory(tmp_path):
    setting = setting_of(tmp_path, gpu_memory_gib=40.0)
    assert gpu_of(setting, Cluster(gpus=0.5)) == GpuRoom(1, 20.0)
    assert gpu_of(setting, Cluster(gpus=4)) == GpuRoom(4, 40.0)
    assert gpu_of(setting, None) == GpuRoom(1, 40.0)
    assert gpu_of(setting_of(tmp_path), None) == GpuRoom(1, None)
    remote = setting_of(tmp_path, device="cuda")
    assert gpu_of(remote, Cluster("10.0.0.1:6379", gpus=1)) == GpuRoom(1, None)


def test_a_run_is_refused_before_any_training(tmp_path):
    with pytest.raises(UsageError, match="row 'MSAF' needs .* the GPU has 6.0; add "):
        ablate(
            "3",
            preset="paper",
            changes={"crop": [321, 321]},
            rows=["MSAF"],
            on="local",
            gpu_memory_gib=6.0,
            reports=tmp_path / "run",
        )
    assert not (tmp_path / "run" / "records").exists()
    assert not (tmp_path / "run" / "plan.json").exists()


def test_a_row_that_cannot_be_counted_says_so_and_is_not_refused(tmp_path, monkeypatch):
    def fail(*_):
        raise NotCountedError("MSAF looks at its frames")

    monkeypatch.setattr(memory, "step_size", fail)
    plan = plan_of()
    check_fits(plan, setting_of(tmp_path, gpu_memory_gib=1.0), None)
    found = estimate(plan, setting_of(tmp_path, device="cuda"), None)
    row = found.rows["MSAF"]
    assert (row.memory_gib, row.gpu_hours, found.gpu_hours) == (None, None, None)
    assert row.not_counted == "MSAF looks at its frames"


def test_hours_are_computed_for_a_gpu_that_is_not_here(tmp_path):
    plan = plan_of(seeds=2)
    found = estimate(plan, setting_of(tmp_path, device="cuda"), None)
    row = found.rows["MSAF"]
    assert (found.how, found.minutes, row.step_seconds) == ("computed", None, None)
    assert row.gpu_hours == pytest.approx(row.tflop / 23 * 80_000 / 3600)
    assert found.gpu_hours == pytest.approx(2 * row.gpu_hours)
    assert (found.tflops, found.tflops_source) == ({"fp32": 23.0}, "MSAF-R50 on one H100")
    stated = estimate(plan, setting_of(tmp_path, device="cuda"), None, gpu_tflops=46.0)
    assert stated.gpu_hours == pytest.approx(found.gpu_hours / 2)
    assert stated.tflops_source == "as stated"
    several = estimate(plan, setting_of(tmp_path), Cluster(gpus=4))
    assert several.how == "computed"
    assert several.gpus == 4
    assert several.rows["MSAF"].memory_gib < 0.3 * row.memory_gib


def test_the_throughput_is_the_one_that_was_measured():
    """benchmarks/README.md: seconds of a `paper` step of MSAF-R50, batch 8 at 769x769, one H100."""
    from msaf_bench.catalog import read_system

    own = read_conditions("paper", "cityscapes")
    counted = step_size(read_system("msaf-r50"), own, 19).flops / 1e12
    for precision, seconds in {"fp32": 1.78, "tf32": 0.80, "bf16": 0.46}.items():
        assert H100_TFLOPS[precision] == pytest.approx(counted / seconds, rel=0.01)


def test_a_dry_run_prints_memory_and_hours(capsys, tmp_path):
    command = [*ABLATE, "--rows", "MSAF", "--set", "crop=[321,321]", "--dry-run"]
    command += ["--device", "cuda", "--reports", str(tmp_path / "r")]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert re.search(r"\n  a training step needs about \d+\.\d GiB of GPU memory\n", said)
    assert re.search(
        r"\nMSAF +31,\d{3},\d{3} parameters +\d+\.\d\d GiB +\d+\.\d\d TFLOP per step .* trial\n",
        said,
    )
    assert "computed, not timed, from counted operations at 23 TFLOP/s in fp32 measured" in said
    assert "ms per step" not in said
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["how"] == "computed"
    assert found["rows"]["MSAF"]["memory_gib"] > 1
    assert found["gpu_hours"] == found["rows"]["MSAF"]["gpu_hours"]
    assert main([*command, "--gpu-memory", "3"]) == 2
    assert "row 'MSAF' needs" in capsys.readouterr().err


def test_a_small_step_is_timed_here(capsys, tmp_path):
    command = ["ablate", "--table", "3", "--preset", "smoke", "--rows", "Baseline", "--dry-run"]
    command += ["--no-controls", "--json", "--on", "local", "--reports", str(tmp_path / "r")]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    row = found["rows"]["Baseline"]
    assert (found["how"], found["gpu_hours"], row["gpu_hours"]) == ("timed", None, None)
    assert found["minutes"] > 0
    assert row["step_seconds"] > 0
    assert 0 < row["memory_gib"] < 1
