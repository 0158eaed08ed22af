"""Small trees that look like the data sets on disk."""

import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from msaf_bench.spec import Conditions

SIZE = (16, 32)
SNIPPETS = {
    "train": ("aachen_000000_000019", "aachen_000001_000019", "bad-ems_000000_000300"),
    "val": ("frankfurt_000000_000294",),
}
RAW = {"train": 26, "val": 7}  # car, road


def conditions_of(data, **changes):
    defaults = {
        "preset": "t", "data": data, "size": (8, 16), "frames": 3, "train_spacing": 1,
        "score_spacing": 1, "steps": 1, "batch": 1,
        "lr": 0.1, "data_options": {"allow_partial": True},
    }  # fmt: skip
    return Conditions(**(defaults | changes))


def write_png(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def shade(number):
    """The grey of a frame, by which it is known again."""
    return 20 + number * 37 % 200


def pack_folder(root, folder, archive=None, *, flat=False):
    """Puts a folder of `root` into a zip in its place."""
    with zipfile.ZipFile(root / (archive or f"{folder}.zip"), "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(root / folder if flat else root).as_posix())
    shutil.rmtree(root / folder)


@pytest.fixture
def conditions():
    return conditions_of


@pytest.fixture
def cityscapes(tmp_path):
    """A root with three labelled frames in train and one in val, each with the two frames before
    it.
    """
    root = tmp_path / "cityscapes"
    for part, snippets in SNIPPETS.items():
        for name in snippets:
            video, _, number = name.rpartition("_")
            city = video.partition("_")[0]
            for frame in range(int(number) - 2, int(number) + 2):
                picture = np.full((*SIZE, 3), shade(frame), np.uint8)
                write_png(
                    root
                    / f"leftImg8bit_sequence/{part}/{city}/{video}_{frame:06d}_leftImg8bit.png",
                    picture,
                )
            write_png(
                root / f"leftImg8bit/{part}/{city}/{name}_leftImg8bit.png",
                np.full((*SIZE, 3), shade(int(number)), np.uint8),
            )
            label = np.full(SIZE, RAW[part], np.uint8)
            label[:2] = 1  # ego vehicle: void
            write_png(root / f"gtFine/{part}/{city}/{name}_gtFine_labelIds.png", label)
            write_png(
                root / f"gtFine/{part}/{city}/{name}_gtFine_color.png",
                np.zeros((*SIZE, 4), np.uint8),
            )
    return root


@pytest.fixture
def pack():
    return pack_folder


@pytest.fixture
def pack_cityscapes():
    """Turns the folders of a Cityscapes root into its zips."""

    def packed(root, folders=("leftImg8bit", "leftImg8bit_sequence", "gtFine")):
        for folder in folders:
            pack_folder(root, folder, f"{folder}_trainvaltest.zip")
        return root

    return packed
