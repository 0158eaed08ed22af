import subprocess
import sys
from pathlib import Path


def test_random_kills_lose_nothing_and_leave_nothing_behind():
    script = Path(__file__).parents[1] / "kills.py"
    done = subprocess.run(
        [sys.executable, str(script), "--kills", "5"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "5 kills" in done.stdout
