import os
from pathlib import Path

import pytest
import torch

# Ray and its workers must not look for a network; one thread keeps equal seeds equal on every machine.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
torch.set_num_threads(1)

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture
def camvid_root():
    """The real CamVid frames, where they lie beside the checkout."""
    root = SHARED / "data" / "camvid"
    if not root.is_dir():
        pytest.skip(f"no CamVid at {root}")
    return root
