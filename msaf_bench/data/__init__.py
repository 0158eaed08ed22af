"""The data sets: a procedural street, and CamVid from disk. The modules that need OpenCV are imported when a split is opened."""

from pathlib import Path
from typing import Literal

from msaf_bench.data.clips import CAMVID_CLASSES, CAMVID_COLOURS, Clip, Clips, colourise
from msaf_bench.errors import UsageError, one_of
from msaf_bench.spec import DATA_SETS, Conditions

__all__ = ["CAMVID_CLASSES", "CAMVID_COLOURS", "DATA_SETS", "Clip", "Clips", "colourise", "needed_root", "open_split"]


def needed_root(name: str, root: Path | None) -> Path:
    """The folder of a data set that lies on disk. Raises `UsageError` without one."""
    if root is None:
        raise UsageError(f"{name} needs --root DIR, the data set's own folder")
    return root


def open_split(conditions: Conditions, split: Literal["train", "score"], root: Path | None = None) -> Clips:
    """The clips of `conditions.data`, checked. `root` is the data set's folder; the street needs none.

    Raises `UsageError` for an unknown data set or option or a missing root, `DataError` for content that is wrong.
    """
    name = one_of("data set", conditions.data, DATA_SETS)
    if name == "street":
        from msaf_bench.data.street import Street

        return Street(conditions, split)
    root = needed_root(name, root)
    from msaf_bench.data.camvid import CamVid

    return CamVid(conditions, split, root)
