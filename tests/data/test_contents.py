"""What is in a split, counted clip by clip."""

import numpy as np

from msaf_bench.data import open_split
from msaf_bench.data.contents import read_contents


def test_contents_are_the_sums_over_clips(cityscapes, conditions):
    clips = open_split(conditions("cityscapes"), "train", cityscapes)
    heard = []
    contents = read_contents(clips, lambda: heard.append(1))
    labels = np.stack([clips[i].label for i in range(3)])
    assert contents.pixels.tolist() == [int((labels == i).sum()) for i in range(256)]
    assert (contents.clips, contents.pairs, contents.fingerprint) == (3, 0, clips.fingerprint)
    assert (contents.frames, contents.labels) == ({"8x16": 3}, {"8x16": 3})
    assert len(heard) == 3
    assert list(contents.pictures) == [clips[i].name for i in range(3)]
    assert (
        contents.pictures["aachen_000000/00019"]
        == contents.pictures["aachen_000001/00019"]
        != contents.pictures["bad-ems_000000/00300"]
    )
