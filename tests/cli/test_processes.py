"""Commands that torchrun starts in several processes."""

import signal
import time

import pytest
import ranks

from msaf_bench.cli import main
from msaf_bench.errors import UsageError
from msaf_bench.sweep.executors import cluster_of
from msaf_bench.train.parallel import joined

TRAIN = ("-m", "msaf_bench", "train", "msaf-r18", "--preset", "smoke", "--set", "batch=4")


@pytest.mark.slow
def test_the_first_process_speaks_and_the_others_follow(tmp_path):
    sweep = "-m msaf_bench ablate 3 --preset smoke --seeds 1 --set batch=4 --no-controls --speed 0"
    # from a pre-trained backbone, whose features of the clips process 0 makes
    frozen = "--set pretrain_steps=2 --set backbone_rate=0 --set draws=2 --set validate_every=2"
    command = (*sweep.split(), *frozen.split(), "--rows", "Baseline", "-o", tmp_path)
    (code, out, err), (other, other_out, other_err) = ranks.ended(ranks.start(command))
    assert (code, other, other_out, other_err) == (0, 0, "", ""), err
    assert "Baseline" in out
    records = [path.read_text() for path in (tmp_path / "records").iterdir()]
    assert ['"processes": 2' in record for record in records] == [True] * 3


@pytest.mark.slow
def test_a_usage_error_is_one_line_of_the_first_process(tmp_path):
    found = ranks.ended(ranks.start([*TRAIN, "--set", "batch=3", "-o", tmp_path]))
    assert [code for code, _, _ in found] == [2, 2]
    word = "batch = 3 cannot be divided among 2 processes; add --set batch=4"
    assert word in found[0][2]
    assert len(found[0][2].splitlines()) == 1
    assert found[1][1:] == ("", "")


@pytest.mark.parametrize(("rank", "lines"), [("0", 1), ("1", 0)])
def test_a_wrong_option_is_said_once(launched, monkeypatch, capsys, rank, lines):
    monkeypatch.setenv("RANK", rank)
    assert main(["train", "msaf-r18", "--prest", "quick"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == lines


def test_one_gpu_is_not_for_all_processes():
    with pytest.raises(UsageError, match="--device cuda:0 is one GPU"), joined("cuda:0"):
        pass
    with (
        pytest.raises(UsageError, match="no GPU for process 0 .* which has 0; lower"),
        joined("cuda"),
    ):
        pass


@pytest.mark.slow
def test_a_signal_to_the_first_process_ends_all(tmp_path):
    processes = ranks.start([*TRAIN, "--set", "steps=3000", "-o", tmp_path])
    try:
        while not (tmp_path / ".lock").exists():
            time.sleep(0.2)
        time.sleep(3)
        processes[0].send_signal(signal.SIGTERM)
        (code, _, err), (other, _, other_err) = ranks.ended(processes, 120)
    finally:
        for process in processes:
            process.kill()
    assert (code, other_err) == (143, "")
    assert other != 0
    assert "stopped; the same command continues" in err


@pytest.fixture
def launched(monkeypatch):
    """What torchrun tells the first of two processes."""
    group = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in group.items():
        monkeypatch.setenv(name, value)


def test_ray_is_not_started_by_torchrun(launched):
    assert cluster_of(None, None, None, 0) is None
    with pytest.raises(UsageError, match="use --on local"):
        cluster_of("ray", None, None, 0)
