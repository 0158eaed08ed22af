"""Street videos on disk, in formats of other tools."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from msaf_bench.data.flow.files import write_flow
from msaf_bench.data.street import Video
from msaf_bench.files import write_atomic

#: folder of a video -> suffix of its files
FOLDERS = {
    "frames": "png",
    "labels": "png",
    "flow_forward": "flo",
    "flow_backward": "flo",
    "occluded_forward": "png",
    "occluded_backward": "png",
}


def file_names(frames: int) -> list[str]:
    """Return the names of the files written by `write_video` for this number of frames."""
    return [f"{folder}/{t:06d}.{end}" for folder, end in FOLDERS.items() for t in range(frames)]


def write_video(folder: Path, video: Video) -> None:
    """Write the frames and the ground truth of a video to a folder.

    Subfolders: `frames/`, `labels/`, `flow_forward/`, `flow_backward/` (.flo) and
    `occluded_forward/`, `occluded_backward/` (0 or 255).
    """
    for t in range(len(video.images)):
        name = f"{t:06d}"
        _write_png(folder / "frames" / f"{name}.png", video.images[t])
        _write_png(folder / "labels" / f"{name}.png", video.labels[t])
        for way, flow, hidden in (
            ("forward", video.flow_forward, video.occluded_forward),
            ("backward", video.flow_backward, video.occluded_backward),
        ):
            write_flow(folder / f"flow_{way}" / f"{name}.flo", flow[t])
            _write_png(
                folder / f"occluded_{way}" / f"{name}.png",
                np.where(hidden[t], 255, 0).astype(np.uint8),
            )


def _write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    write_atomic(path, buffer.getvalue())
