"""Small trees that look like the data sets on disk."""

import shutil
import zipfile

import pytest
from data.readers import look_alikes

from msaf_bench.spec import Conditions


def conditions_of(data, **changes):
    defaults = {
        "preset": "t", "data": data, "size": (8, 16), "frames": 3, "train_spacing": 1,
        "score_spacing": 1, "steps": 1, "batch": 1,
        "lr": 0.1, "data_options": {"allow_partial": True},
    }  # fmt: skip
    return Conditions(**(defaults | changes))


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
    return look_alikes.cityscapes(tmp_path / "cityscapes")


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
