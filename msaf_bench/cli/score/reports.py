"""The folder of `--reports`."""

import os
from pathlib import Path

from msaf_bench.errors import HostError


def check_reports(folder: Path) -> None:
    """Raises `HostError` where nothing can be written, so that no score is made and then lost."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise HostError(f"--reports {folder}: {there} is not a folder that can be written to; choose another folder")
