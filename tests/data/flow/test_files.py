import numpy as np
import pytest

from msaf_bench.data.flow.files import FLO_TAG, read_flow, write_flow
from msaf_bench.errors import DataError


def header(width, height, tag=FLO_TAG):
    return np.float32(tag).tobytes() + np.array([width, height], "<i4").tobytes()


def test_a_file_gives_back_what_was_written(tmp_path):
    flow = np.random.default_rng(0).normal(0, 9, (5, 7, 2)).astype(np.float32)
    flow[2, 3] = np.nan
    write_flow(tmp_path / "a.flo", flow)
    np.testing.assert_array_equal(read_flow(tmp_path / "a.flo"), flow)
    assert (tmp_path / "a.flo").stat().st_size == 12 + 8 * 5 * 7


def test_bytes_are_those_of_the_format(tmp_path):
    (tmp_path / "a.flo").write_bytes(
        b"PIEH" + header(2, 1)[4:] + np.array([1, 2, 3, 4], "<f4").tobytes()
    )
    np.testing.assert_array_equal(read_flow(tmp_path / "a.flo"), [[[1, 2], [3, 4]]])


def test_large_values_are_unknown(tmp_path):
    (tmp_path / "a.flo").write_bytes(
        header(3, 1) + np.array([1, 2, 1.7e9, 0, 5, -2e9], "<f4").tobytes()
    )
    assert np.isnan(read_flow(tmp_path / "a.flo")).all(-1).tolist() == [[False, True, True]]


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["not a Middlebury"]),
        (header(2, 1, 1.5) + bytes(16), ["not a Middlebury", "202021.25"]),
        (header(2, 1)[:9], ["not a Middlebury"]),
        (header(2, 1) + bytes(15), ["27 bytes", "2x1", "28"]),
        (header(2, 1) + bytes(17), ["29 bytes"]),
        (header(0, 4), ["0x4"]),
        (header(-3, 4), ["-3x4"]),
        (header(2**30, 2**30) + bytes(16), ["its header says 1073741824x1073741824"]),
        (header(1, 1) + np.array([np.nan, 0], "<f4").tobytes(), ["NaN"]),
    ],
)
def test_a_bad_file_is_named_in_one_line(tmp_path, content, parts):
    path = tmp_path / "bad.flo"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_flow(path)
    assert "\n" not in str(error.value)
    for part in [str(path), *parts]:
        assert part in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="none.flo: cannot be read"):
        read_flow(tmp_path / "none.flo")


def test_middlebury_files_are_read(data_folder):
    folder = data_folder("middlebury")
    grove, whale = (read_flow(folder / name / "flow10.flo") for name in ("Grove2", "RubberWhale"))
    assert grove.shape == (480, 640, 2)
    assert np.isfinite(grove).all()
    assert whale.shape == (388, 584, 2)
    assert np.isnan(whale[..., 0]).sum() == 3622
    assert np.nanmax(np.abs(whale)) < 10
