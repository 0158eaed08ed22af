from functools import partial

import kills
import pytest
from forked import start


@pytest.mark.slow
def test_random_kills_lose_nothing_and_leave_nothing_behind(tmp_path):
    process = start(partial(kills.main, ["--kills", "5"]), tmp_path / "out")
    process.join()
    said = (tmp_path / "out").read_text()
    assert process.exitcode == 0, said
    assert "5 kills" in said
