"""Commands that torchrun starts in several processes."""

import signal
import time

import pytest
import ranks

TRAIN = ("-m", "msaf_bench", "train", "msaf-r18", "--preset", "smoke", "--set", "batch=4")


@pytest.mark.slow
def test_the_first_process_speaks_and_the_others_follow(tmp_path):
    sweep = "-m msaf_bench ablate 3 --preset smoke --seeds 1 --set batch=4 --no-controls --speed 0"
    command = (*sweep.split(), "--rows", "Baseline", "-o", tmp_path)
    (code, out, err), (other, other_out, other_err) = ranks.ended(ranks.start(command))
    assert (code, other, other_out, other_err) == (0, 0, "", ""), err
    assert "Baseline" in out
    (record,) = [path.read_text() for path in (tmp_path / "records").iterdir()]
    assert '"processes": 2' in record


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--set", "batch=3"), "batch = 3 has no equal parts for 2 processes; add --set batch=4"),
        (("--device", "cuda:0"), "--device cuda:0 is one GPU for all processes"),
        (("--prest", "quick"), "No such option"),
    ],
)
def test_a_usage_error_is_one_line_of_the_first_process(tmp_path, options, word):
    found = ranks.ended(ranks.start([*TRAIN, "-o", tmp_path, *options]))
    assert [code for code, _, _ in found] == [2, 2]
    assert word in found[0][2]
    assert len(found[0][2].splitlines()) == 1
    assert found[1][1:] == ("", "")


@pytest.mark.slow
def test_a_signal_to_the_first_process_ends_all(tmp_path):
    processes = ranks.start([*TRAIN, "--set", "steps=3000", "-o", tmp_path])
    try:
        while not (tmp_path / ".lock").exists():
            time.sleep(0.2)
        time.sleep(3)
        processes[0].send_signal(signal.SIGTERM)
        begin = time.monotonic()
        (code, _, err), (other, _, other_err) = ranks.ended(processes, 60)
    finally:
        for process in processes:
            process.kill()
    assert (code, other_err) == (143, "")
    assert other != 0
    assert "stopped; the same command goes on" in err
    assert time.monotonic() - begin < 30


def test_ray_is_not_started_by_torchrun(monkeypatch):
    from msaf_bench.errors import UsageError
    from msaf_bench.sweep.executors import cluster_of

    for name, value in {
        "RANK": "0",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "1",
    }.items():
        monkeypatch.setenv(name, value)
    assert cluster_of(None, None, None, 0) is None
    with pytest.raises(UsageError, match="give --on local"):
        cluster_of("ray", None, None, 0)
