"""Which files a job needs: from counts before a download, from names after it."""

import pytest

from msaf_bench.catalog import read_data_set
from msaf_bench.data.readers import downloads


def find_needs(data, *args):
    return downloads.find_needs(read_data_set(data), *args)


def test_before_a_download_needs_are_shares_of_published_sizes():
    stills, labels, sequences = find_needs("cityscapes", "miou", ("train", "val"), 3, 1, None)
    assert [n.files for n in (stills, labels, sequences)] == [3475, 3475, 2 * 3475]
    assert sequences.size == 324 * 10**9 * 6950 // 150_000 == 15_012_000_000
    assert stills.size == 11 * 10**9 * 3475 // 5000
    assert not stills.exact
    assert (stills.there, stills.names) == (None, ())
    (snippets,) = find_needs("cityscapes", "tc", ("val",), 3, 1, None)
    assert (snippets.archive, snippets.files, snippets.size) == (
        "leftImg8bit_sequence_trainvaltest.zip",
        15_000,
        32_400_000_000,
    )
    assert [n.folder for n in find_needs("cityscapes", "miou", ("val",), 1, 1, None)] == [
        "leftImg8bit",
        "gtFine",
    ]


def test_there_is_no_past_before_a_snippet():
    def past(frames, spacing):
        return [
            n.files // 500
            for n in find_needs("cityscapes", "miou", ("val",), frames, spacing, None)[2:]
        ]

    assert past(3, 9) == past(99, 9) == [2]
    assert past(10**12, 1) == [19]
    assert past(3, 10) == [1]
    assert past(3, 0) == past(3, 20) == []


@pytest.mark.parametrize("zipped", [False, True])
def test_names_follow_from_the_label_maps_and_bytes_are_exact(cityscapes, pack_cityscapes, zipped):
    sizes = {
        path.relative_to(cityscapes).as_posix(): path.stat().st_size
        for path in cityscapes.rglob("*.png")
    }
    if zipped:
        pack_cityscapes(cityscapes)
    needs = find_needs("cityscapes", "miou", ("train", "val"), 3, 1, cityscapes)
    assert [(n.files, n.there, n.exact) for n in needs] == [
        (4, 4, True),
        (4, 4, True),
        (8, 8, True),
    ]
    assert [n.size for n in needs] == [sum(sizes[name] for name in n.names) for n in needs]
    assert (
        "leftImg8bit_sequence/train/bad-ems/bad-ems_000000_000298_leftImg8bit.png" in needs[2].names
    )
    (snippets,) = find_needs("cityscapes", "tc", ("val",), 3, 1, cityscapes)
    assert (snippets.files, snippets.there, snippets.exact) == (30, 4, False)
    assert snippets.size == snippets.published.size * 30 // 150_000
    assert (
        snippets.names[0]
        == "leftImg8bit_sequence/val/frankfurt/frankfurt_000000_000275_leftImg8bit.png"
    )
    assert (
        snippets.names[-1]
        == "leftImg8bit_sequence/val/frankfurt/frankfurt_000000_000304_leftImg8bit.png"
    )


@pytest.mark.parametrize("zipped", [False, True])
def test_names_are_those_on_disk(cityscapes, pack_cityscapes, zipped):
    """Suffixes in upper case, which rsync and unzip tell from those in lower case."""
    for path in cityscapes.rglob("*frankfurt*.png"):
        path.rename(path.with_suffix(".PNG"))
    if zipped:
        pack_cityscapes(cityscapes)
    stills, labels, _ = find_needs("cityscapes", "miou", ("val",), 3, 1, cityscapes)
    frame = "val/frankfurt/frankfurt_000000_000294"
    assert stills.names == (f"leftImg8bit/{frame}_leftImg8bit.PNG",)
    assert labels.names == (f"gtFine/{frame}_gtFine_labelIds.PNG",)
    assert stills.exact
    assert labels.exact


def test_camvid_as_published_and_as_it_is(camvid_root):
    stills, labels = find_needs("camvid", "miou", ("train", "val"), 3, 30, None)
    assert (stills.files, stills.size, labels.size) == (
        468,
        557 * 10**6 * 468 // 701,
        16 * 10**6 * 468 // 701,
    )
    needs = find_needs("camvid", "miou", ("val",), 3, 30, camvid_root)
    assert [(n.folder, n.files, n.exact) for n in needs] == [
        ("val", 101, True),
        ("valannot", 101, True),
    ]
    assert needs[0].size == sum(path.stat().st_size for path in (camvid_root / "val").iterdir())
