"""Zips read without unpacking: what is in them, what is refused by name, and that workers do not
disturb each other.
"""

import multiprocessing
import stat
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from msaf_bench.data.readers import zips
from msaf_bench.data.readers.files import File, fingerprint, list_files
from msaf_bench.data.readers.zips import list_archive
from msaf_bench.errors import DataError

CONTENT = {
    "train/a.png": b"a" * 1000,
    "train/b/c.png": bytes(range(256)) * 40,
    "val/d.PNG": b"",
    "val/notes.txt": b"no picture",
}


@pytest.fixture
def both(tmp_path):
    """The same files in a folder and in a zip, and zipped without the folder's name."""
    for where in ("plain", "zipped", "flat"):
        (tmp_path / where).mkdir()
    with zipfile.ZipFile(tmp_path / "zipped" / "set.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.mkdir("set")
        for i, (name, content) in enumerate(CONTENT.items()):
            path = tmp_path / "plain" / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            packed.writestr(
                f"set/{name}", content, zipfile.ZIP_STORED if i % 2 else zipfile.ZIP_DEFLATED
            )
    with zipfile.ZipFile(tmp_path / "flat" / "set.zip", "w") as packed:
        packed.writestr("a.png", b"flat")
    return tmp_path


def test_a_zip_holds_what_the_folder_holds(both):
    plain, zipped = (list_files(both / where, "set", "set.zip") for where in ("plain", "zipped"))
    assert list(plain) == list(zipped) == ["train/a.png", "train/b/c.png", "val/d.png"]
    for name, file in plain.items():
        own = "val/d.PNG" if name == "val/d.png" else name
        assert file.name == zipped[name].name == f"set/{own}"
        assert file.key == zipped[name].key == f"set/{name}"
        assert file.read() == zipped[name].read() == CONTENT[own]
        assert (
            (file.size, file.crc())
            == (zipped[name].size, zipped[name].crc())
            == (len(CONTENT[own]), zlib.crc32(CONTENT[own]))
        )
    assert str(plain["train/a.png"]) == str(both / "plain/set/train/a.png")
    assert str(zipped["train/a.png"]) == f"{both / 'zipped/set.zip'}: set/train/a.png"
    assert fingerprint(list(plain.values())) == fingerprint(list(zipped.values()))
    assert list(list_files(both / "zipped", "set", "set.zip", below="train")) == [
        "train/a.png",
        "train/b/c.png",
    ]
    assert list(list_files(both / "plain", "set", "set.zip", below="train")) == [
        "train/a.png",
        "train/b/c.png",
    ]
    assert list_files(both / "flat", "set", "set.zip")["a.png"].read() == b"flat"


def test_neither_folder_nor_zip(tmp_path):
    with pytest.raises(DataError) as error:
        list_files(tmp_path, "set", "set.zip")
    assert (
        str(error.value)
        == f"{tmp_path / 'set'}: no such folder, and no set.zip in {tmp_path}; copy the data set"
        " there"
    )


def test_a_fingerprint_sees_names_sizes_and_a_sample_of_contents(tmp_path):
    files = []
    for i in range(100):
        path = tmp_path / f"{i:03d}.png"
        path.write_bytes(b"x" * (i + 1))
        files.append(File(path.name, str(path)))
    before = fingerprint(files)
    (tmp_path / "099.png").write_bytes(b"y" * 100)
    assert fingerprint(files) != before
    (tmp_path / "099.png").write_bytes(b"x" * 100)
    (tmp_path / "001.png").write_bytes(b"y" * 2)  # not among the 32
    assert fingerprint(files) == before
    (tmp_path / "001.png").write_bytes(b"y" * 3)
    assert fingerprint(files) != before
    assert fingerprint([File("other.png", files[0].place), *files[1:]]) != before


def member(name, kind=0):
    info = zipfile.ZipInfo(name)
    info.external_attr = kind << 16
    return info


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("../up.png", "leads out of the archive"),
        ("set/../../up.png", "leads out of the archive"),
        ("set/..", "leads out of the archive"),
        ("/etc/up.png", "leads out of the archive"),
        ("C:/up.png", "leads out of the archive"),
        ("set\\..\\up.png", "leads out of the archive"),
        ("set/link.png", "is a link or a device"),
        ("set/bomb.png", "unpacks to 2097152 bytes from 2"),
        ("set/packed.png", "uses an unsupported compression method"),
        ("set/A.PNG", "is 'set/a.png' in another case"),
    ],
)
def test_members_that_no_data_set_has_are_refused_by_name(tmp_path, name, fault):
    kinds = {"set/link.png": stat.S_IFLNK | 0o777}
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as packed:
        packed.writestr("set/a.png", b"fine")
        content = bytes(1 << 21) if "bomb" in name else b"../elsewhere"
        packed.writestr(
            member(name, kinds.get(name, 0)),
            content,
            zipfile.ZIP_BZIP2 if "packed" in name else zipfile.ZIP_DEFLATED,
        )
    with pytest.raises(DataError) as error:
        list_files(tmp_path, "set", "set.zip")
    assert str(error.value).startswith(f"{tmp_path / 'set.zip'}: {name!r} {fault}")
    assert str(error.value).endswith("; nothing was read, take the archive from its source again")
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]


def test_dots_in_a_name_are_no_way_out(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as packed:
        packed.writestr("set/a..b/c../d...png", b"fine")
    assert list(list_files(tmp_path, "set", "set.zip")) == ["a..b/c../d...png"]


def test_a_name_twice_and_a_file_that_is_too_large(tmp_path, monkeypatch):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a.png", b"one")
        with pytest.warns(UserWarning, match="Duplicate name"):
            packed.writestr("a.png", b"two")
    with pytest.raises(DataError, match="'a.png' occurs twice"):
        list_archive(path)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a.png", b"four")
    monkeypatch.setattr(zips, "LARGEST", 3)
    with pytest.raises(DataError, match="'a.png' unpacks to 4 bytes from 4"):
        list_archive(path)
    monkeypatch.undo()
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2") + 20
    data[at : at + 4] = (2**32 - 2).to_bytes(4, "little")  # what would be read for these 4 bytes
    path.write_bytes(data)
    with pytest.raises(DataError, match="'a.png' unpacks to 4 bytes from 4294967294"):
        list_archive(path)


def test_a_broken_link_is_a_damaged_file(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").symlink_to("gone")
    (file,) = list_files(tmp_path, "set", "set.zip").values()
    for ask in (lambda: file.size, file.read, lambda: fingerprint([file])):
        with pytest.raises(
            DataError, match=r"a\.png: cannot be read \(No such file or directory\); copy it again"
        ):
            ask()


def test_an_encrypted_member_is_refused(both):
    path = both / "flat" / "set.zip"
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"'a.png' is encrypted"):
        list_archive(path)


@pytest.mark.parametrize("length", [0, 10, -1, -40])
def test_a_cut_zip_is_named(both, length):
    path = both / "zipped" / "set.zip"
    data = path.read_bytes()[:length]
    path.write_bytes(data)
    with pytest.raises(DataError) as error:
        list_files(both / "zipped", "set", "set.zip")
    assert str(error.value) == f"{path}: not a complete zip ({len(data)} bytes); copy it again"


@pytest.mark.parametrize("what", ["content", "header", "length"])
def test_a_member_that_is_not_what_the_directory_says(both, what):
    path = both / "flat" / "set.zip"
    file = list_files(both / "flat", "set", "set.zip")["a.png"]
    data = path.read_bytes()
    changed = {
        "content": data.replace(b"flat", b"fLat"),
        "header": data.replace(b"PK\3\4", b"PK\3\5"),
        "length": data[:33],
    }
    path.write_bytes(changed[what])
    with pytest.raises(DataError) as error:
        file.read()
    assert (
        str(error.value)
        == f"{path}: set/a.png: damaged, its size or checksum differs from the archive's; copy the"
        " archive again"
    )


def test_a_zip_that_goes_away_is_named(both):
    file = list_files(both / "flat", "set", "set.zip")["a.png"]
    (both / "flat" / "set.zip").unlink()
    with pytest.raises(
        DataError,
        match=r"set.zip: set/a.png: cannot be read \(No such file or directory\); copy it again",
    ):
        file.read()


def checksum(file):
    return zlib.crc32(file.read())


@pytest.mark.slow
def test_threads_and_other_processes_read_at_the_same_time(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for i in range(8):
            packed.writestr(f"set/{i}.png", bytes([i, 255 - i, 7 * i]) * 20_000)
    files = list(list_files(tmp_path, "set", "set.zip").values()) * 8
    expected = [file.crc() for file in files]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(checksum, files)) == expected
    with multiprocessing.get_context("forkserver").Pool(2) as pool:
        assert pool.map(checksum, files, chunksize=1) == expected
