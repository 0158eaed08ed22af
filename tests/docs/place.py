"""The folder in which the blocks of a page are run: look-alikes of what the pages name."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import torch
from data.readers import look_alikes

import msaf_bench as mb
from msaf_bench.catalog import read_conditions
from msaf_bench.spec.stand_ins import shrunk
from msaf_bench.train.checkpoint import Sidecar, save_checkpoint

ROOT = Path(__file__).parents[2]
STEP = 400  #: of the checkpoint


def _maps(folder: Path, names: list[str]) -> None:
    """Label maps that are right, of the look-alikes' frames."""
    for name in names:
        look_alikes.save(folder / f"{name}.png", look_alikes.ids(int(name.rpartition("/")[2])))


def _frames(folder: Path) -> None:
    """Pictures of one video, with the names of the label maps in `pred`."""
    for number in range(3):
        look_alikes.save(folder / f"{number:06d}.png", look_alikes.picture(0, number))


def _video(path: Path) -> None:
    size = (64, 128)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, size[::-1])
    for number in range(4):
        writer.write(look_alikes.picture(0, number, size)[..., ::-1])
    writer.release()


def _checkpoint(folder: Path) -> None:
    system = shrunk(mb.read_system("msaf-r18"), read_conditions("smoke", "street"))
    sidecar = Sidecar(sha256="", step=STEP, system=system, num_classes=11)
    save_checkpoint(folder, mb.build(system, 11), None, sidecar)


def _weights(system: str) -> Callable[[Path], None]:
    """Files of the names and shapes of a system's backbone. All their zeros are one number, so
    that they are small.
    """

    def save(path: Path) -> None:
        with torch.device("meta"):
            net = mb.build(system, 19)
        state = net.backbone.state_dict()
        zeros = {k: torch.zeros((), dtype=v.dtype).expand(v.shape) for k, v in state.items()}
        torch.save(zeros, path)

    return save


def _runs(folder: Path) -> None:
    for run in (ROOT / "reports" / "reference").iterdir():
        if run.name in ("table3-street-quick", "table3-camvid-quick"):
            shutil.copytree(run, folder / run.name)


#: What a page may name, and its maker, which is called if the page names it.
MAKERS: dict[str, Callable[[Path], object]] = {
    "CamVid": look_alikes.camvid,
    "cityscapes": look_alikes.cityscapes,
    "VSPW_480p": look_alikes.vspw,
    "drive.mp4": _video,
    "runs": _checkpoint,
    "reports/reference": _runs,
    "espnet_pred": lambda folder: _maps(folder, ["0001/1", "0001/2"]),
    "test_labels": lambda folder: _maps(folder, ["0001/1", "0001/2"]),
    "pred": lambda folder: _maps(folder, [f"{number:06d}" for number in range(3)]),
    "frames": _frames,
    "maps": lambda folder: _maps(folder, [f"ride_{i}/{n}" for i in (2, 3) for n in (4, 8)]),
    "vspw_maps": lambda folder: _maps(
        folder, [f"val_{i}_clip/{n:08d}" for i in (0, 1) for n in range(1, 5)]
    ),
    "resnet18-f37072fd.pth": _weights("msaf-r18"),
    "resnet50-0676ba61.pth": _weights("msaf-r50"),
    "deep50.pth": _weights("pspnet50"),
    "v1c50.pth": _weights("tmanet-r50"),
}


def make_place(folder: Path, text: str) -> None:
    """Fill a folder with what the text of a page names. Videos of one's own, which `mine.toml`
    describes, are always there.
    """
    look_alikes.own_videos(folder)
    for name, make in MAKERS.items():
        if name in text:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            make(path)
